"""Classification metrics against R, against their definitions, and where they must refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eifer.errors import DesignError, InputError
from eifer.metrics import binary
from tests.oracle import oracle

FIELDS = {
    "accuracy": "accuracy",
    "macro_precision": "macro_precision",
    "macro_recall": "macro_recall",
    "macro_f1": "macro_f1",
    "roc_auc": "roc_auc",
    "pr_auc": "average_precision",
    "brier": "brier",
    "ece": "ece_10_equal_width_bins_right_closed",
}
CALIBRATION = {"calibration_slope", "calibration_intercept"}


@pytest.mark.parametrize(
    "case", ["never_predicts_class_1", "ordinary_n400", "ties_scores_1_decimal"]
)
def test_what_r_says(case) -> None:
    rows, answers = oracle(f"metrics__{case}")
    got = binary(rows["y_true"], rows["score"], rows["threshold"].iloc[0])
    assert set(got) == set(FIELDS) | CALIBRATION
    for name, key in FIELDS.items():
        assert got[name] == pytest.approx(answers[key], rel=1e-10, abs=1e-12), name


def test_a_constant_score() -> None:
    got = binary([1, 0, 0, 1, 1, 0, 1, 1], [0.5] * 8, 0.5)
    assert (got["roc_auc"], got["pr_auc"], got["accuracy"]) == (0.5, 0.625, 0.625)
    assert got["brier"] == 0.25 and got["ece"] == pytest.approx(0.125)
    assert all(math.isnan(got[name]) for name in CALIBRATION)


def test_a_score_at_the_threshold_counts_as_1() -> None:
    y, score = [0, 1, 1], [0.1, 0.4, 0.7]
    assert binary(y, score, 0.4)["accuracy"] == 1
    assert binary(y, score, np.nextafter(0.4, 1))["accuracy"] == pytest.approx(2 / 3)


def test_below_chance_stays_below() -> None:
    assert binary([0, 0, 1, 1], [0.9, 0.6, 0.7, 0.1], 0.5)["roc_auc"] == 0.25


def test_ece_bins_are_closed_on_the_right() -> None:
    # .1 and .2 are in different bins, .1 and .05 (and 0) in the same.
    apart = binary([1, 0], [0.1, 0.2], 0.5)["ece"]
    together = binary([1, 0], [0.1, 0.05], 0.5)["ece"]
    assert apart == pytest.approx((0.9 + 0.2) / 2)
    assert together == pytest.approx((0.9 - 0.05) / 2)
    assert binary([1, 0], [1.0, 0.0], 0.5)["ece"] == 0


def test_calibration_is_the_logistic_regression() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(9)
    for scale in (0.1, 1, 4):
        x = rng.normal(1, scale, 60)
        y = (rng.random(60) < 1 / (1 + np.exp((1 - x) / scale))).astype(int)
        got = binary(y, 1 / (1 + np.exp(-x)), 0.5)
        want = sm.Logit(y, sm.add_constant(x)).fit(disp=False, tol=1e-12).params
        found = [got["calibration_intercept"], got["calibration_slope"]]
        assert found == pytest.approx(list(want), rel=1e-6)


@pytest.mark.parametrize(
    "score", [[0.1, 0.2, 0.8, 0.9], [0.9, 0.8, 0.2, 0.1], [0.1, 0.5, 0.5, 0.9]]
)
def test_a_score_without_error_has_no_finite_calibration(score) -> None:
    got = binary([0, 0, 1, 1], score, 0.5)
    assert all(math.isnan(got[name]) for name in CALIBRATION)
    assert all(math.isfinite(got[name]) for name in FIELDS)


def test_saturated_scores_have_a_finite_calibration() -> None:
    got = binary([0, 1, 0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0, 1.0, 0.0], 0.5)
    assert 0 < got["calibration_slope"] < 0.2


@pytest.mark.parametrize(
    ("y", "score", "error", "said"),
    [
        ([0, 1], [0.1, math.nan], InputError, r"score\[1\] = nan"),
        ([0, 1], [0.1, 1.1], InputError, r"score\[1\] = 1.1"),
        ([0, 1], [-0.1, 1], InputError, r"score\[0\] = -0.1"),
        ([0, 2], [0.1, 0.2], InputError, r"y_true\[1\] = 2"),
        ([0, math.nan], [0.1, 0.2], InputError, r"y_true\[1\]"),
        ([0, 1, 1], [0.1, 0.2], InputError, "different lengths"),
        ([0, 1], ["low", "high"], InputError, "not a list of numbers"),
        ([1, 1], [0.1, 0.2], DesignError, "2 of 2 items"),
        ([0, 0], [0.1, 0.2], DesignError, "0 of 2 items"),
        ([], [], DesignError, "0 of 0 items"),
    ],
)
def test_bad_input_is_named(y, score, error, said) -> None:
    with pytest.raises(error, match=said):
        binary(y, score, 0.5)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, math.nan])
def test_a_threshold_outside_0_to_1_is_refused(threshold) -> None:
    with pytest.raises(DesignError, match="threshold"):
        binary([0, 1], [0.1, 0.9], threshold)
