"""How well scores between 0 and 1 tell two classes apart, and how far they are probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real

import numpy as np
import pandas as pd

from eifer.errors import DesignError
from eifer.inputs import Floats, columns, offending, refuse

ECE_BINS = 10

SATURATED = 2.0**-24
"""Logits are taken of scores kept this far from 0 and 1: a float32 step."""


def binary(y_true: object, score: object, threshold: object) -> dict[str, float]:
    """Metrics of a binary classifier on one set of items.

    Parameters
    ----------
    y_true : array_like, shape (items,)
        Labels, 0 or 1.
    score : array_like, shape (items,)
        Scores from 0 to 1, larger = class 1.
    threshold : float or array_like, shape (items,)
        Predicted 1 where score >= threshold; items that several models scored have each their own.

    Returns
    -------
    dict
        - accuracy;
        - macro_precision, macro_recall, macro_f1: plain means over the classes 0 and 1 (macro F1
          is the mean of the classes' F1, not the F1 of the means); 0/0 counts as 0;
        - roc_auc: ties count half, a constant score gives .5, below .5 is not turned round;
        - pr_auc: average precision, the sum over distinct scores of (R_n - R_{n-1}) P_n;
        - brier: mean squared distance of score and label;
        - ece: expected calibration error, the mean over items of |mean label - mean score| in
          each of 10 equal-width bins, closed on the right (a score of .1 is in the first);
        - calibration_slope, calibration_intercept: the coefficients b and a of the logistic
          regression logit P(y = 1) = a + b logit(score); 1 and 0 for calibrated scores, b < 1
          for overconfident ones. NaN where they have no finite value: a constant score, or
          one by which the classes do not overlap, or in ties alone.

    Raises
    ------
    InputError
        Different lengths, a label that is not 0 or 1, a score missing or outside 0..1.
    DesignError
        No item of a class; a threshold outside 0..1.

    References
    ----------
    Naeini et al. 2015, AAAI (ECE); Cox 1958, Biometrika 45:562 (calibration).
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    y, scores = _read(y_true, score)
    one = isinstance(threshold, Real)
    (cut,) = columns("metrics", threshold=np.full(len(y), threshold) if one else threshold)
    if len(cut) != len(y) or not ((cut >= 0) & (cut <= 1)).all():
        raise DesignError(
            f"metrics: the threshold is {threshold!r:.40}; it must lie between 0 and 1, "
            "and be one number or one an item"
        )
    if not 0 < y.sum() < len(y):
        raise DesignError(
            f"metrics: {int(y.sum())} of {len(y)} items are of class 1; both classes are needed"
        )
    predicted = scores >= cut
    right = {c: int(((y == c) & (predicted == c)).sum()) for c in (0, 1)}
    called = {c: int((predicted == c).sum()) for c in (0, 1)}
    actual = {c: int((y == c).sum()) for c in (0, 1)}
    intercept, slope = _calibration(y, scores)
    return {
        "accuracy": (right[0] + right[1]) / len(y),
        "macro_precision": sum(right[c] / called[c] if called[c] else 0 for c in (0, 1)) / 2,
        "macro_recall": sum(right[c] / actual[c] for c in (0, 1)) / 2,
        "macro_f1": sum(2 * right[c] / (called[c] + actual[c]) for c in (0, 1)) / 2,
        "roc_auc": float(roc_auc_score(y, scores)),
        # Its sum of many small steps can end a last digit above 1.
        "pr_auc": min(float(average_precision_score(y, scores)), 1.0),
        "brier": float(np.mean((scores - y) ** 2)),
        "ece": _ece(y, scores),
        "calibration_slope": slope,
        "calibration_intercept": intercept,
    }


def _read(y_true: object, score: object) -> tuple[Floats, Floats]:
    y, scores = columns("metrics", y_true=y_true, score=score)
    unclear, outside = (y != 0) & (y != 1), ~((scores >= 0) & (scores <= 1))
    refuse(
        "metrics",
        offending("y_true", y, unclear, "label that is not 0 or 1", "code the classes 0 and 1")
        + offending("score", scores, outside, "score outside 0..1", "give scores from 0 to 1"),
    )
    return y, scores


def _ece(y: Floats, scores: Floats) -> float:
    edges = np.arange(1, ECE_BINS) / ECE_BINS
    bins = np.digitize(scores, edges, right=True)
    gaps = np.bincount(bins, weights=y - scores, minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / len(y))


def _calibration(y: Floats, scores: Floats) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of ``y`` on logit(score), by Newton."""
    clipped = np.clip(scores, SATURATED, 1 - SATURATED)
    x = np.log(clipped) - np.log1p(-clipped)
    zeros, ones = x[y == 0], x[y == 1]
    if zeros.max() <= ones.min() or ones.max() <= zeros.min():
        return math.nan, math.nan
    # In standard units Newton's steps do not depend on how extreme the scores are.
    centre, unit = x.mean(), x.std()
    design = np.column_stack([np.ones_like(x), (x - centre) / unit])
    beta = np.zeros(2)
    value = _log_likelihood(design, y, beta)
    for _ in range(100):
        mean = 1 / (1 + np.exp(-design @ beta))
        score = design.T @ (y - mean)
        step = np.linalg.solve(design.T @ (design * (mean * (1 - mean))[:, None]), score)
        while (new := _log_likelihood(design, y, beta + step)) < value - 1e-12 * abs(value):
            step /= 2
        beta, value = beta + step, new
        if np.abs(step).max() < 1e-10 * (1 + np.abs(beta).max()):
            break
    else:
        return math.nan, math.nan
    return float(beta[0] - beta[1] * centre / unit), float(beta[1] / unit)


def _log_likelihood(design: Floats, y: Floats, beta: Floats) -> float:
    eta = design @ beta
    return float(y @ eta - np.logaddexp(0, eta).sum())


Curve = Callable[[pd.Series, pd.Series, Floats], Floats]
"""From labels and scores of one model: the curve's height at each value of a grid from 0 to 1."""


def averaged(
    predictions: pd.DataFrame, curve: Curve, steps: int = 100
) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """For each test (task, condition) a curve a model, at ``steps`` + 1 equal distances.

    Each is the mean of its repetitions' curves (vertical averaging; Fawcett 2006, sec. 8).
    A test whose frames are all of one class has no curve, and is left out.
    """
    grid = np.arange(steps + 1) / steps
    for (task, condition), part in predictions.groupby(["task", "condition"], sort=True):
        if part["label"].nunique() < 2:
            continue
        wide = {
            str(group): np.mean(
                [curve(m["label"], m["score"], grid) for _, m in models.groupby("repetition")],
                axis=0,
            )
            for group, models in part.groupby("training_group", sort=True)
        }
        yield (str(task), str(condition)), pd.DataFrame(wide, index=pd.Index(grid))


def roc(label: pd.Series, score: pd.Series, grid: Floats) -> Floats:
    """The highest true positive rate that a threshold reaches at each false positive rate."""
    from sklearn.metrics import roc_curve

    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    # The last point at or left of each grid value, with room for round-off.
    return np.asarray(true[np.searchsorted(false, grid + 1e-12, side="right") - 1])


def precision_recall(label: pd.Series, score: pd.Series, grid: Floats) -> Floats:
    """The precision at the highest threshold that reaches each recall, as average precision has it.

    Points between two thresholds are not reached by a line (Davis & Goadrich 2006).
    """
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(label, score)
    # The last of the points is recall 0 at precision 1, which no threshold has.
    rising, heights = recall[-2::-1], precision[-2::-1]
    return np.asarray(heights[np.searchsorted(rising, grid - 1e-12, side="left")])
