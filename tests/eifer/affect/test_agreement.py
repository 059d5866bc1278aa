"""The agreement measures against values worked out by hand."""

import math

import numpy as np
import pytest

from eifer.affect.agreement import agreement, agreement_by_dimension


def test_a_shift_by_one_by_hand() -> None:
    # variances and covariance 2/3, means one apart: CCC = (4/3) / (4/3 + 1).
    found = agreement(np.array([1.0, 2, 3]), np.array([2.0, 3, 4]))
    assert found.ccc == pytest.approx(4 / 7)
    assert found.rmse == pytest.approx(1)
    assert found.pearson_r == pytest.approx(1)
    assert found.sagr == 1


def test_signs_and_negative_agreement_by_hand() -> None:
    found = agreement(np.array([-1.0, 0, 1, 1]), np.array([1.0, 0, -1, 1]))
    # means 1/4 and 1/4, variances 11/16, covariance -1/4 - 1/16 = -5/16.
    assert found.ccc == pytest.approx(-5 / 11)
    assert found.pearson_r == pytest.approx(-5 / 11)
    assert found.rmse == pytest.approx(math.sqrt(2))
    assert found.sagr == 0.5


def test_a_constant_has_no_correlation() -> None:
    found = agreement(np.zeros(3), np.array([-1.0, 0, 1]))
    assert math.isnan(found.pearson_r)
    assert found.ccc == 0
    assert math.isnan(agreement(np.ones(3), np.ones(3)).ccc)


@pytest.mark.parametrize(
    ("estimate", "truth"),
    [(np.zeros(2), np.zeros(3)), (np.zeros(0), np.zeros(0)), (np.zeros((2, 2)), np.zeros((2, 2)))],
)
def test_shapes_that_do_not_fit_are_refused(estimate: np.ndarray, truth: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must be one"):
        agreement(estimate, truth)


def test_columns_are_arousal_then_valence() -> None:
    truths = np.array([[-1.0, 1], [1, -1], [0.5, 0.5]])
    found = agreement_by_dimension(truths * [1, -1], truths)
    assert found["arousal"]["ccc"] == pytest.approx(1)
    assert found["valence"]["sagr"] == 0
