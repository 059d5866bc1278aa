"""Two models on the same items: the difference of their areas under the ROC curve."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import log_ndtr, ndtr, ndtri

from eifer.errors import DesignError
from eifer.inputs import Floats, columns, offending, refuse
from eifer.statistics.estimability import negligible, not_estimable

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class DeLong:
    """Paired DeLong test: ``delta`` = ``auc_a`` - ``auc_b``, so above 0 favours model a.

    ``p`` is two-sided, ``log_p`` its natural logarithm (finite where p underflows);
    the 95 % interval is delta +- 1.96 ``se``, not clipped to -1..1.
    """

    auc_a: float
    auc_b: float
    var_a: float
    var_b: float
    cov: float
    delta: float
    se: float
    ci_low: float
    ci_high: float
    z: float
    p: float
    log_p: float
    estimable: bool
    reason: str | None


def delong(y_true: object, score_a: object, score_b: object) -> DeLong:
    """Test whether two models that scored the same items have the same ROC-AUC.

    With m positives and n negatives, V10_i is the share of negatives that positive i
    outscores (ties count half) and V01_j the share of positives that outscore negative j:
    by mid-ranks, V10_i = (R_i - R+_i) / n and V01_j = 1 - (R_j - R-_j) / m. AUC = mean V10,
    S = cov(V10) / m + cov(V01) / n. One sort a model: O((m + n) log(m + n)) time, linear memory.

    The test treats items as independent. Frames of one video or person are not; then
    its p-value is far too small.

    Parameters
    ----------
    y_true : array_like, shape (items,)
        Labels, 0 or 1.
    score_a, score_b : array_like, shape (items,)
        Each model's score of the same items in the same order (pairing is by position);
        any real number, larger = class 1. An AUC below .5 stays below .5.

    Returns
    -------
    DeLong
        Where se and delta are 0, as for the same ranks: z = 0 and p = 1. Not estimable where a
        class has a single item (its variance is undefined), or where se alone is 0 (no item tells
        how much the difference varies); the areas, delta and se are given there all the same.

    Raises
    ------
    InputError
        Different lengths, a missing score, a label that is not 0 or 1.
    DesignError
        A class without any item.

    References
    ----------
    DeLong et al. 1988, Biometrics 44:837; Sun & Xu 2014, IEEE Signal Process. Lett. 21:1389.
    """
    y, *scores = columns("delong", y_true=y_true, score_a=score_a, score_b=score_b)
    problems = offending(
        "y_true", y, (y != 0) & (y != 1), "label that is not 0 or 1", "code the classes as 0 and 1"
    )
    for name, score in zip(("score_a", "score_b"), scores, strict=True):
        problems += offending(
            name, score, np.isnan(score), "missing score", "score every item with both models"
        )
    refuse("delong", problems)
    m, n = int((y == 1).sum()), int((y == 0).sum())
    if not m or not n:
        raise DesignError(
            f"delong: {m} items of class 1 and {n} of class 0; an AUC needs both classes"
        )
    if min(m, n) == 1:
        return not_estimable(
            DeLong, f"a class has a single item ({m} of class 1, {n} of class 0): no variance"
        )

    # Counts are doubled, so that ties are whole numbers and equal ranks differ by exactly 0.
    positives_first = np.concatenate([np.flatnonzero(y == 1), np.flatnonzero(y == 0)])
    a, b = (_outscored(score[positives_first], m) for score in scores)
    difference = (a[0] - b[0], a[1] - b[1])
    delta = (int(a[0].sum()) - int(b[0].sum())) / (2 * m * n)
    # The variance of the difference: S11 + S22 - 2 S12 without its cancellation.
    se = math.sqrt(_covariance(difference, difference))
    known = {
        "auc_a": int(a[0].sum()) / (2 * m * n),
        "auc_b": int(b[0].sum()) / (2 * m * n),
        "var_a": _covariance(a, a),
        "var_b": _covariance(b, b),
        "cov": _covariance(a, b),
        "delta": delta,
        "se": se,
    }
    if negligible(se) and delta:
        return not_estimable(DeLong, "every item shows the same difference: its SE is 0", **known)
    z = delta / se if delta else 0.0
    half = float(ndtri(0.975)) * se
    return DeLong(
        **known,
        ci_low=delta - half,
        ci_high=delta + half,
        z=z,
        p=float(2 * ndtr(-abs(z))),
        log_p=min(0.0, math.log(2) + float(log_ndtr(-abs(z)))),
        estimable=True,
        reason=None,
    )


def _outscored(score: Floats, m: int) -> tuple[Ints, Ints]:
    """Twice the negatives below each positive, and twice the positives above each negative.

    The first ``m`` of ``score`` are the positives.
    """
    order = np.argsort(score)
    ranked = score[order]
    # Runs of tied scores; a tie counts as half above and half below.
    first = np.r_[True, ranked[1:] != ranked[:-1]]
    edges = np.append(np.flatnonzero(first), len(score))
    positives = np.r_[0, np.cumsum(order < m)][edges]
    run = np.empty(len(score), dtype=np.int64)
    run[order] = np.cumsum(first) - 1
    negatives = edges - positives
    return (
        (negatives[:-1] + negatives[1:])[run[:m]],
        (2 * m - positives[:-1] - positives[1:])[run[m:]],
    )


def _covariance(a: tuple[Ints, Ints], b: tuple[Ints, Ints]) -> float:
    """The S of `delong`, from doubled counts over positives and over negatives."""
    m, n = len(a[0]), len(a[1])
    total = 0.0
    for x, y, others in ((a[0], b[0], n), (a[1], b[1], m)):
        products = (x - x.mean()) @ (y - y.mean())
        total += float(products) / (len(x) - 1) / len(x) / (2 * others) ** 2
    return total
