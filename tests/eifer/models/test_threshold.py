"""The threshold search against the metrics of eifer.metrics, and its ties."""

from __future__ import annotations

import numpy as np
import pytest

from eifer.errors import DesignError
from eifer.metrics import binary
from eifer.models.spec import Thresholds
from eifer.models.threshold import best_threshold, candidates, macro_f1

SPEC = Thresholds(0.2, 0.8, 0.01)


def test_the_candidates_are_the_decimals_they_are_written_as() -> None:
    found = candidates(SPEC)
    assert len(found) == 61
    assert found[0] == 0.2 and found[30] == 0.5 and found[-1] == 0.8


def test_macro_f1_is_that_of_metrics() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 80)
    scores = np.clip(0.5 + 0.2 * (labels - 0.5) + rng.normal(0, 0.2, 80), 0, 1).round(2)
    found = macro_f1(labels, scores, candidates(SPEC))
    assert found == pytest.approx([binary(labels, scores, t)["macro_f1"] for t in candidates(SPEC)])


def test_a_class_never_called_counts_as_0() -> None:
    labels, scores = np.array([0, 0, 1]), np.array([0.1, 0.1, 0.1])
    assert macro_f1(labels, scores, np.array([0.5])) == pytest.approx([0.4])


def test_the_best_is_found_and_ties_go_to_the_middle() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    assert best_threshold(labels, np.array([0.1, 0.2, 0.6, 0.65, 0.7, 0.9]), SPEC) == 0.61
    assert best_threshold(labels, np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9]), SPEC) == 0.5
    # 0.45 and 0.55 are as far from the middle: the lower one.
    symmetric = Thresholds(0.45, 0.55, 0.1)
    assert best_threshold(labels, np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9]), symmetric) == 0.45
    # Predicted 1 from the threshold on, not above it.
    assert best_threshold(labels, np.array([0.2, 0.2, 0.69, 0.7, 0.7, 0.7]), SPEC) == 0.7


def test_nonsense_is_refused() -> None:
    with pytest.raises(DesignError, match="0 of 3 validation items"):
        best_threshold(np.zeros(3, np.int64), np.zeros(3), SPEC)
    for low, high, step in [(0.8, 0.2, 0.1), (0.2, 0.8, 0.0), (0.2, 0.8, 0.25)]:
        with pytest.raises(ValueError, match="thresholds"):
            Thresholds(low, high, step)
