"""How good every model is on the fixed test set (protocol section 8; source: section 4.2).

A model is whatever turns crops into scores; this module loads none, so that it can be asked about
predictions from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer import inputs, metrics
from eifer.errors import InputError, Problem
from eifer.tables.evaluation import (
    HALF,
    METRICS,
    METRICS_OF_ITEMS,
    MODEL,
    PREDICTIONS,
    REFERENCE,
    SEARCHED,
    SUMMARY,
    TEST,
    incomparable,
)

DECIMALS = 6
"""Scores are rounded to this, so that the last bits of the arithmetic stay out of the table."""

MIDDLE = 0.5
"""The threshold of kind `half`, and the estimator's, where its estimate is 0."""

Scorer = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""From crops, RGB uint8 ``[N, S, S, 3]``, to the probability of high, ``[N]``."""


@dataclass(frozen=True)
class Model:
    """Which model answers what: its place in the design, and its decision threshold."""

    rotation: str
    task: str
    training_group: str
    repetition: int
    threshold: float

    def __str__(self) -> str:
        return f"{self.training_group} {self.repetition} ({self.task})"


def items(conditions: pd.DataFrame, task: str) -> list[str]:
    """Every item that ``task`` is tested on, once, in the order of their names."""
    return sorted(set(conditions.loc[conditions["task"] == task, "item_id"]))


def predict(
    conditions: pd.DataFrame, crops: NDArray[np.uint8], model: Model, score: Scorer
) -> pd.DataFrame:
    """One model's answers in every condition of its task: rows of the table ``PREDICTIONS``.

    Parameters
    ----------
    conditions : DataFrame
        The table ``CONDITIONS``, of the model's rotation.
    crops : ndarray of uint8, shape (items, S, S, 3)
        The faces of ``items(conditions, model.task)``, in that order, each seen once.
    model : Model
    score : callable
        From crops to scores in 0..1. Rounded to 6 decimals, so scores closer than that tie.

    Raises
    ------
    InputError
        If a crop is missing, or a score is missing or not in 0..1: the items are named.
    """
    names = items(conditions, model.task)
    if len(crops) != len(names):
        where = f"{len(crops)} crops for {len(names)} items of {model.task}"
        raise InputError("predict", [Problem("crops do not match", where, "give one an item")])
    try:
        scores = inputs.numbers(score(crops))
    except (TypeError, ValueError, OverflowError) as error:
        where = f"{model}: {error}"
        problem = Problem("scores that are no numbers", where, "give a float an item")
        raise InputError("predict", [problem]) from None
    if scores.shape != (len(names),):
        where = f"{model}: scores of shape {scores.shape} for {len(names)} items"
        raise InputError("predict", [Problem("scores do not match", where, "give one an item")])
    problems = [
        Problem(
            "score that is missing or not in 0..1",
            f"{model} {names[i]}: {scores[i]}",
            "look at the model's training curves; weights with NaN score nothing",
        )
        for i in np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    ]
    if problems:
        raise InputError("predict", problems)
    tested = conditions[conditions["task"] == model.task]
    return _rows(tested, model, tested["item_id"].map(dict(zip(names, scores, strict=True))))


def predict_by_estimate(conditions: pd.DataFrame) -> pd.DataFrame:
    """The estimator itself as a model: score = (estimate + 1) / 2, threshold .5.

    Its estimates are already in ``conditions``, and the test frames were chosen by them: in the
    unambiguous condition it is right by construction, in the ambiguous one mostly wrong. In
    ``PREDICTIONS`` it is training_group Affect, repetition 0.
    """
    parts = []
    for (rotation, task), tested in conditions.groupby(["rotation", "task"], sort=True):
        score = (tested["estimate"].astype("float64") + 1) / 2
        model = Model(str(rotation), str(task), REFERENCE, 0, MIDDLE)
        parts.append(_rows(tested, model, score))
    return PREDICTIONS.conform(pd.concat(parts, ignore_index=True))


def _rows(tested: pd.DataFrame, model: Model, score: pd.Series) -> pd.DataFrame:
    kept = tested[
        ["rotation", "item_id", "participant_id", "video_id", "task", "condition", "label"]
    ]
    return PREDICTIONS.conform(
        kept.assign(
            training_group=model.training_group,
            repetition=model.repetition,
            score=score.round(DECIMALS) + 0.0,
            threshold=model.threshold,
        )
    )


def measure(predictions: pd.DataFrame) -> pd.DataFrame:
    """Every metric of every model in every task and condition: the table ``METRICS``.

    Of the table ``PREDICTIONS``, with all models that are to be set beside each other; at each
    model's own threshold and at .5 (for the affect network the same). Where a test holds one class,
    all metrics are missing; calibration also where the scores tell the classes apart without error,
    or are constant. ``reason`` says so.

    Raises
    ------
    InputError
        If models scored different items, and whatever else `incomparable` names.
    """
    if problems := incomparable(predictions):
        raise InputError("evaluate", problems)
    rows = []
    for key, part in predictions.groupby([*TEST, *MODEL], sort=True):
        place = dict(zip([*TEST, *MODEL], key, strict=True))
        kinds = {SEARCHED: part["threshold"], HALF: pd.Series(MIDDLE, part.index)}
        counts = {"n_items": len(part), "n_positive": int(part["label"].sum())}
        for kind, cuts in kinds.items():
            one = cuts.iloc[0] if cuts.nunique() == 1 else math.nan
            known = {**place, "threshold_kind": kind, "threshold": one, **counts}
            rows.append({**known, **_metrics(part, cuts)})
    return METRICS.frame(rows)


def _metrics(part: pd.DataFrame, threshold: pd.Series) -> dict[str, object]:
    positive = int(part["label"].sum())
    if positive in (0, len(part)):
        why = f"all {len(part)} items are {'high' if positive else 'low'}: one class alone"
        return {**dict.fromkeys(METRICS_OF_ITEMS, math.nan), "reason": why}
    values = metrics.binary(part["label"], part["score"], threshold)
    if any(math.isnan(value) for value in values.values()):
        return {**values, "reason": f"no calibration line: {_why_no_line(part)}"}
    return {**values, "reason": None}


def _why_no_line(part: pd.DataFrame) -> str:
    if part["score"].nunique() == 1:
        return "all scores are the same"
    high, low = (part.loc[part["label"] == label, "score"] for label in (1, 0))
    if high.min() > low.max():
        return "the scores tell the classes apart without error"
    if high.max() < low.min():
        return "the scores tell the classes apart, the wrong way round"
    return "the classes' scores overlap in ties alone, or not enough for a finite slope"


def summarise(measured: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation (ddof 1) of each metric over repetitions: ``SUMMARY``.

    Of the table ``METRICS``. One repetition has no SD; repetitions without a value are left out of
    both and counted, with the reason.
    """
    by = [*TEST, "training_group", "threshold_kind"]
    rows = []
    for key, part in measured.groupby(by, sort=True):
        for metric in METRICS_OF_ITEMS:
            values = part[metric].dropna()
            rows.append(
                {
                    **dict(zip(by, key, strict=True)),
                    "metric": metric,
                    "mean": values.mean() if len(values) else math.nan,
                    "sd": values.std(ddof=1) if len(values) > 1 else math.nan,
                    "n_repetitions": len(part),
                    "n_used": len(values),
                    "reason": _reason(part, metric),
                }
            )
    return SUMMARY.frame(rows)


def _reason(part: pd.DataFrame, metric: str) -> str | None:
    lacking = part[part[metric].isna()]
    if len(lacking):
        which = ", ".join(map(str, lacking["repetition"]))
        reasons = "; ".join(dict.fromkeys(lacking["reason"].dropna()))
        return f"no value in repetition {which} ({reasons})"
    return "one repetition: no SD" if len(part) == 1 else None


# what is shown of it --------------------------------------------------------------------------

Means = dict[str, dict[str, dict[str, dict[str, float | None]]]]
Series = tuple[str, list[dict[str, object]]]
"""A plot's name and its points."""


SHOWN = ("macro_f1", "accuracy", "roc_auc", "pr_auc")
"""The metrics of Tables 2 and 3 that fit a terminal."""


def means(summary: pd.DataFrame) -> Means:
    """Task, condition, model, metric: its mean (at the model's threshold), for `dvc metrics`."""
    nested: Means = {}
    own = summary[(summary["threshold_kind"] == SEARCHED) & summary["metric"].isin(SHOWN)]
    for row in own.to_dict("records"):
        test = nested.setdefault(row["task"], {}).setdefault(row["condition"], {})
        value = None if math.isnan(row["mean"]) else round(row["mean"], DECIMALS)
        test.setdefault(row["training_group"], {})[row["metric"]] = value
    return nested


def numbers(measured: pd.DataFrame, model: Model) -> dict[str, float]:
    """One model's metrics as ``condition/metric``, and at .5 as ``condition_half/metric``."""
    place = ["task", *MODEL]
    its_rows = measured[(measured[place] == [getattr(model, name) for name in place]).all(axis=1)]
    values: dict[str, float] = {}
    for row in its_rows.to_dict("records"):
        kind = "_half" if row["threshold_kind"] == HALF else ""
        values |= {f"{row['condition']}{kind}/{name}": row[name] for name in METRICS_OF_ITEMS}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def plots(
    predictions: pd.DataFrame, measured: pd.DataFrame, curves: pd.DataFrame
) -> Iterator[Series]:
    """What `dvc plots` draws: a column a model, under the name ``kind/task...``.

    ``roc``: true by false positive rate, as `eifer.metrics.averaged`; ``roc_auc``: by repetition;
    ``learning``: validation macro F1 by epoch, mean over repetitions (``curves`` is the table
    ``CURVES`` of the trainings).
    """
    for test, rates in metrics.averaged(predictions, metrics.roc):
        yield f"roc/{'_'.join(test)}", _points(rates.rename_axis("false_positive_rate"))
    own = measured[
        (measured["training_group"] != REFERENCE) & (measured["threshold_kind"] == SEARCHED)
    ]
    for (task, condition), part in own.groupby(TEST, sort=True):
        wide = part.pivot(index="repetition", columns="training_group", values="roc_auc")
        yield f"roc_auc/{task}_{condition}", _points(wide)
    for task, part in curves.groupby("task", sort=True):
        f1 = part.pivot_table("validation_macro_f1", index="epoch", columns="training_group")
        yield f"learning/{task!s}", _points(f1)


def _points(wide: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of ``wide`` with its index, ready for JSON."""
    flat = wide.round(DECIMALS).reset_index()
    return [
        {str(k): None if pd.isna(v) else v for k, v in row.items()}
        for row in flat.to_dict("records")
    ]
