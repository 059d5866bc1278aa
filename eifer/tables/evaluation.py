"""What evaluate hands on: every model's answer to every test frame, and how good they are."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from eifer.errors import Problem
from eifer.tables.partitions import ROTATION
from eifer.tables.schema import Column, Table, rule
from eifer.vocabulary import Dimension, Group

REFERENCE = "Affect"
"""The affect network as it was before any training here; its only repetition is 0."""
MODELS = (*Group, REFERENCE)

SEARCHED = "searched"
HALF = "half"
THRESHOLDS = (SEARCHED, HALF)
"""Kinds of decision threshold: the one training found on its validation data, and .5."""

METRICS_OF_ITEMS = (
    "accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "roc_auc",
    "pr_auc",
    "brier",
    "ece",
    "calibration_slope",
    "calibration_intercept",
)
"""The metrics of `eifer.metrics.binary`, in its order."""

TEST = ["task", "condition"]
MODEL = ["training_group", "repetition"]
_REPEAT = "repeat evaluate; if it stays, eifer.evaluation joins wrongly"


# predictions ----------------------------------------------------------------------------------


def unscored(table: pd.DataFrame) -> pd.DataFrame:
    """What is missing: each item of a test that one model scored and another did not.

    Returns ``task, condition, item_id, training_group, repetition`` of the gaps.
    """
    models = table[[*TEST, *MODEL]].drop_duplicates()
    items = table[[*TEST, "item_id"]].drop_duplicates()
    wanted = items.merge(models, on=TEST)
    there = table[[*TEST, "item_id", *MODEL]].drop_duplicates()
    merged = wanted.merge(there, how="left", indicator="found")
    return merged.loc[merged["found"] == "left_only"].drop(columns="found")


@rule("models are compared in pairs, item by item", _REPEAT)
def same_items(table: pd.DataFrame) -> pd.DataFrame:
    """In a task and condition all models scored the same items."""
    place = [*TEST, "item_id"]
    gaps = pd.MultiIndex.from_frame(unscored(table)[place])
    return table[pd.MultiIndex.from_frame(table[place]).isin(gaps)]


def _differing(table: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Rows whose ``column`` is not the same all over their group."""
    first = table.groupby(by, sort=False)[column].transform("first")
    wrong = pd.MultiIndex.from_frame(table.loc[table[column] != first, by])
    return table[pd.MultiIndex.from_frame(table[by]).isin(wrong)]


@rule(
    "models that answer different questions cannot be compared",
    "repeat split, then everything after it",
)
def same_labels(table: pd.DataFrame) -> pd.DataFrame:
    """An item has the same label for a task, whichever model scored it."""
    return _differing(table, ["task", "item_id"], "label")


@rule("a threshold fitted to a condition would flatter it", _REPEAT)
def one_threshold_a_model(table: pd.DataFrame) -> pd.DataFrame:
    """A model has one threshold in all conditions; each rotation has models of its own."""
    return _differing(table, ["task", "rotation", *MODEL], "threshold")


@rule("it is the same face and the same network", _REPEAT)
def one_score_an_item(table: pd.DataFrame) -> pd.DataFrame:
    """A model gives an item the same score in every condition that holds it."""
    return _differing(table, ["task", *MODEL, "item_id"], "score")


@rule("it was not trained here, so it has no repetitions", _REPEAT)
def reference_is_repetition_0(table: pd.DataFrame) -> pd.DataFrame:
    """The affect network, and it alone, is repetition 0."""
    return table[(table["training_group"] == REFERENCE) != (table["repetition"] == 0)]


@rule(
    "each repetition of one is set against the same repetition of another",
    "train the missing repetitions: the same blocks for every group",
)
def same_repetitions(table: pd.DataFrame) -> pd.DataFrame:
    """High, Low and Total have the same repetitions."""
    trained = table[table["training_group"] != REFERENCE]
    models = trained[[*TEST, *MODEL]].drop_duplicates()
    groups = models.groupby(TEST)["training_group"].transform("nunique")
    carried = models.groupby([*TEST, "repetition"])["training_group"].transform("size")
    lone = pd.MultiIndex.from_frame(models.loc[carried < groups, [*TEST, *MODEL]])
    return trained[pd.MultiIndex.from_frame(trained[[*TEST, *MODEL]]).isin(lone)]


@rule("the test set is fixed for every experiment", "repeat split and evaluate")
def as_listed(table: pd.DataFrame, conditions: pd.DataFrame) -> pd.DataFrame:
    """The items, labels and rotations are those of conditions."""
    place = [*TEST, "rotation", "item_id"]
    listed = conditions.drop_duplicates(place).set_index(place)
    placed = pd.MultiIndex.from_frame(table[place])
    labels = listed["label"].reindex(placed).to_numpy()
    wrong = table[labels != table["label"].to_numpy()]
    forgotten = listed.index.difference(placed)
    if wrong.empty and len(forgotten):
        tests = pd.MultiIndex.from_tuples([key[:2] for key in forgotten], names=TEST)
        wrong = table[pd.MultiIndex.from_frame(table[TEST]).isin(tests)]
        return table if wrong.empty else wrong
    return wrong


@rule("a threshold chosen on test data would be a leak", _REPEAT)
def threshold_as_searched(table: pd.DataFrame, repetitions: pd.DataFrame) -> pd.DataFrame:
    """The threshold is the one that training found."""
    key = ["rotation", "task", *MODEL]
    chosen = repetitions.drop_duplicates(key).set_index(key)["threshold"]
    trained = table[table["training_group"] != REFERENCE]
    searched = chosen.reindex(pd.MultiIndex.from_frame(trained[key])).to_numpy()
    return trained[searched != trained["threshold"].to_numpy()]


PREDICTIONS = Table(
    name="predictions",
    meaning="Every model's score of every test frame, once per task and condition: the models "
    "that were trained on everybody last. In several rotations each frame is scored by the models "
    "that never saw its participant.",
    key=("task", "condition", "training_group", "repetition", "item_id"),
    columns=(
        ROTATION,
        Column("item_id", "string", "the frame's name, as in conditions and crops"),
        Column("participant_id", "string", "whose face it shows"),
        Column("video_id", "string", "the recording it comes from"),
        Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
        Column("condition", "string", "the set of test frames"),
        Column(
            "training_group",
            "string",
            "whose data the model was first trained on; Affect: the estimator as it was",
            values=MODELS,
        ),
        Column("repetition", "int 0..", "the training's repetition; 0 for Affect"),
        Column(
            "score",
            "float 0..1",
            "how far the model holds the frame for high, rounded to 6 digits; of Affect: "
            "(estimate + 1) / 2",
            why="a score that is missing or no probability has no place in an AUC",
            remedy="look at the model's training curves; weights with NaN score nothing",
        ),
        Column(
            "threshold",
            "float 0..1",
            "predicted high where score >= threshold: searched on validation data; of Affect .5",
        ),
        Column("label", "int 0..1", "the video's label for the task: 0 low, 1 high"),
    ),
    rules=(
        same_items,
        same_labels,
        one_threshold_a_model,
        one_score_an_item,
        same_repetitions,
        reference_is_repetition_0,
        as_listed,
        threshold_as_searched,
    ),
)

FIRST = "first_repetitions"
"""What evaluate calls the models of `PRETRAINED` beside those of `PREDICTIONS`."""


@rule("a threshold chosen on test data would be a leak", _REPEAT, name="threshold_as_searched")
def threshold_as_first_searched(
    table: pd.DataFrame, first_repetitions: pd.DataFrame
) -> pd.DataFrame:
    """The threshold is the one that training found."""
    return threshold_as_searched.check(table, first_repetitions)


PRETRAINED = replace(
    PREDICTIONS,
    name="pretrained",
    rules=(*PREDICTIONS.rules[:-1], threshold_as_first_searched),
    meaning="The same of the models trained on the High or the Low group alone, before they were "
    "fine-tuned on everybody; Total is the model trained on everybody from the start.",
)


def incomparable(predictions: pd.DataFrame) -> list[Problem]:
    """What keeps the models of ``predictions`` from being set against each other.

    Duplicate rows, scores that are missing or not in 0..1, and whatever breaks the rules of
    `PREDICTIONS`; items that a model did not score are named with that model.
    """
    bad = {
        ("duplicate row", "keep one row per item and model"): predictions[
            predictions.duplicated(list(PREDICTIONS.key))
        ],
        ("score that is missing or not in 0..1", "score every item from 0 to 1"): predictions[
            ~predictions["score"].between(0, 1)
        ],
        ("item that another model scored and this one did not", same_items.remedy): unscored(
            predictions
        ),
    }
    for promise in PREDICTIONS.rules:
        if not promise.needs and promise is not same_items:
            bad[f"not so: {promise.says}", promise.remedy] = promise.broken(predictions, {})
    return [
        Problem(what, " ".join(map(str, values)), remedy)
        for (what, remedy), rows in bad.items()
        for values in rows[list(PREDICTIONS.key)].itertuples(index=False)
    ]


# metrics --------------------------------------------------------------------------------------

_TEST_COLUMNS = (
    Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
    Column("condition", "string", "the set of test frames"),
    Column("training_group", "string", "the model, as in predictions", values=MODELS),
)
_KIND = Column(
    "threshold_kind",
    "string",
    "searched: the threshold found on the validation data (for Affect .5 as well); half: .5",
    values=THRESHOLDS,
)


@rule("a silent gap looks like a forgotten model", _REPEAT)
def missing_with_reason(table: pd.DataFrame) -> pd.DataFrame:
    """A metric is missing where, and only where, there is a reason."""
    lacking = table[list(METRICS_OF_ITEMS)].isna().any(axis=1)
    return table[lacking != table["reason"].notna()]


@rule("they are counted from the same frames", _REPEAT)
def positives_are_items(table: pd.DataFrame) -> pd.DataFrame:
    """n_positive is at most n_items."""
    return table[table["n_positive"] > table["n_items"]]


@rule("the sizes in the report must be those of the data", _REPEAT)
def counts_as_predicted(table: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """n_items and n_positive are those of predictions."""
    key = [*TEST, *MODEL]
    sizes = predictions.groupby(key)["label"].agg(["size", "sum"])
    expected = sizes.reindex(pd.MultiIndex.from_frame(table[key])).to_numpy()
    return table[(table[["n_items", "n_positive"]].to_numpy() != expected).any(axis=1)]


METRICS = Table(
    name="metrics",
    meaning="How good every model is in every task and condition, at its own threshold and at .5.",
    key=("task", "condition", "training_group", "repetition", "threshold_kind"),
    columns=(
        *_TEST_COLUMNS,
        Column("repetition", "int 0..", "the training's repetition; 0 for Affect"),
        _KIND,
        Column(
            "threshold",
            "float? 0..1",
            "predicted high where score >= threshold; missing where each rotation has its own",
        ),
        Column("accuracy", "float? 0..1", "share of items predicted right"),
        Column("macro_precision", "float? 0..1", "plain mean of the classes' precision"),
        Column("macro_recall", "float? 0..1", "plain mean of the classes' recall"),
        Column("macro_f1", "float? 0..1", "plain mean of the classes' F1"),
        Column(
            "roc_auc",
            "float? 0..1",
            "area under the ROC curve; ties count half; needs no threshold",
        ),
        Column("pr_auc", "float? 0..1", "average precision; needs no threshold"),
        Column("brier", "float? 0..1", "mean squared distance of score and label; 0 is best"),
        Column(
            "ece", "float? 0..1", "expected calibration error over 10 equal-width bins; 0 is best"
        ),
        Column(
            "calibration_slope",
            "float?",
            "slope of the logistic regression of the label on logit(score): 1 where calibrated, "
            "less where overconfident",
        ),
        Column("calibration_intercept", "float?", "its intercept: 0 where calibrated"),
        Column("n_items", "int frames 1..", "frames tested"),
        Column("n_positive", "int frames 0..", "of these, frames with the label high"),
        Column("reason", "string?", "why a metric has no value"),
    ),
    rules=(missing_with_reason, positives_are_items, counts_as_predicted),
)


# summary --------------------------------------------------------------------------------------


@rule("a silent gap looks like a forgotten model", _REPEAT, name="missing_with_reason")
def mean_missing_with_reason(table: pd.DataFrame) -> pd.DataFrame:
    """Where mean or SD is missing there is a reason."""
    return table[table[["mean", "sd"]].isna().any(axis=1) & table["reason"].isna()]


SUMMARY = Table(
    name="summary",
    meaning="Each metric's mean and standard deviation over repetitions: Tables 2 and 3.",
    key=("task", "condition", "training_group", "threshold_kind", "metric"),
    columns=(
        *_TEST_COLUMNS,
        _KIND,
        Column("metric", "string", "which metric, as in metrics", values=METRICS_OF_ITEMS),
        Column("mean", "float?", "over the repetitions that have a value"),
        Column(
            "sd",
            "float? 0..",
            "standard deviation over them (divisor n - 1): how much trainings differ, on one fixed "
            "test set; it says nothing of other people",
        ),
        Column("n_repetitions", "int repetitions 1..", "repetitions trained"),
        Column("n_used", "int repetitions 0..", "of these, with a value"),
        Column(
            "reason", "string?", "why mean or SD has no value, or does not rest on every repetition"
        ),
    ),
    rules=(mean_missing_with_reason,),
)
