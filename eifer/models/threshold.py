"""The decision threshold that validation chooses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eifer.errors import DesignError
from eifer.models.spec import Thresholds

CENTRE = 0.5
"""Of thresholds that are equally good the nearest to this is taken: it assumes least."""


def candidates(spec: Thresholds) -> NDArray[np.float64]:
    """Every threshold that is tried, both ends included, as the decimals they are written as."""
    steps = (spec.high - spec.low) / spec.step
    # Rounded, or .2 + 30 x .01 would not be the .5 that another run writes.
    return np.round(spec.low + spec.step * np.arange(round(steps) + 1), 10)


def macro_f1(
    labels: NDArray[np.int64], scores: NDArray[np.floating], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Macro F1 of ``score >= threshold`` for every threshold; 0/0 counts as 0.

    ``labels`` (0 or 1) and ``scores`` are ``[N]``. The same numbers as
    ``eifer.metrics.binary``, for all candidates at once.
    """
    called = scores.astype(np.float64)[:, None] >= thresholds[None, :]
    positive = (labels == 1)[:, None]
    right = np.stack([(~called & ~positive).sum(0), (called & positive).sum(0)])
    total = np.stack([(~called).sum(0) + (~positive).sum(0), called.sum(0) + positive.sum(0)])
    parts = np.divide(2 * right, total, out=np.zeros(right.shape), where=total > 0)
    mean: NDArray[np.float64] = parts.mean(0)
    return mean


def best_threshold(
    labels: NDArray[np.int64], scores: NDArray[np.floating], spec: Thresholds
) -> float:
    """The candidate of best macro F1; ties go to the nearest to .5, then to the lower.

    Raises
    ------
    DesignError
        If only one class is there.
    """
    if not 0 < labels.sum() < len(labels):
        raise DesignError(
            f"thresholds: {int(labels.sum())} of {len(labels)} validation items are of class 1; "
            "both classes are needed to choose one."
        )
    tried = candidates(spec)
    reached = macro_f1(labels, scores, tried)
    # Equal counts can differ in the last bit of their quotients.
    tied = tried[reached >= reached.max() - 1e-12]
    return float(min(tied, key=lambda t: (round(abs(t - CENTRE), 10), t)))
