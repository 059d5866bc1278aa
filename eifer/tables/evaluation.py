"""What evaluate hands on: every model's answer to every test frame, and how good they are."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.errors import InputError, Problem
from eifer.tables.schema import Column, Rule, Table
from eifer.vocabulary import Dimension, Group

Others = Mapping[str, pd.DataFrame]

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
    found = wanted.merge(there, how="left", indicator="found")
    return found.loc[found["found"] == "left_only"].drop(columns="found")


def _unscored_by_some(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    place = [*TEST, "item_id"]
    gaps = pd.MultiIndex.from_frame(unscored(table)[place])
    return table[pd.MultiIndex.from_frame(table[place]).isin(gaps)]


def _differing(table: pd.DataFrame, by: list[str], column: str) -> pd.DataFrame:
    """Rows whose ``column`` is not the same all over their group."""
    first = table.groupby(by, sort=False)[column].transform("first")
    wrong = pd.MultiIndex.from_frame(table.loc[table[column] != first, by])
    return table[pd.MultiIndex.from_frame(table[by]).isin(wrong)]


def _two_labels(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return _differing(table, ["task", "item_id"], "label")


def _two_thresholds(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return _differing(table, ["task", *MODEL], "threshold")


def _two_scores(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return _differing(table, ["task", *MODEL, "item_id"], "score")


def _reference_repeated(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[(table["training_group"] == REFERENCE) != (table["repetition"] == 0)]


def _uneven_repetitions(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    trained = table[table["training_group"] != REFERENCE]
    models = trained[[*TEST, *MODEL]].drop_duplicates()
    groups = models.groupby(TEST)["training_group"].transform("nunique")
    carried = models.groupby([*TEST, "repetition"])["training_group"].transform("size")
    lone = pd.MultiIndex.from_frame(models.loc[carried < groups, [*TEST, *MODEL]])
    return trained[pd.MultiIndex.from_frame(trained[[*TEST, *MODEL]]).isin(lone)]


def _not_as_listed(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    place = [*TEST, "item_id"]
    listed = others["conditions"].drop_duplicates(place).set_index(place)
    mine = pd.MultiIndex.from_frame(table[place])
    labels = listed["label"].reindex(mine).to_numpy()
    wrong = table[labels != table["label"].to_numpy()]
    forgotten = listed.index.difference(mine)
    if wrong.empty and len(forgotten):
        tests = pd.MultiIndex.from_tuples([key[:2] for key in forgotten], names=TEST)
        wrong = table[pd.MultiIndex.from_frame(table[TEST]).isin(tests)]
        return table if wrong.empty else wrong
    return wrong


def _not_as_searched(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    key = ["task", *MODEL]
    found = others["repetitions"].drop_duplicates(key).set_index(key)["threshold"]
    trained = table[table["training_group"] != REFERENCE]
    searched = found.reindex(pd.MultiIndex.from_frame(trained[key])).to_numpy()
    return trained[searched != trained["threshold"].to_numpy()]


PREDICTIONS = Table(
    name="predictions",
    meaning="Every model's score of every test frame, once per task and condition.",
    key=("task", "condition", "training_group", "repetition", "item_id"),
    columns=(
        Column("item_id", "string", "the frame's name, as in conditions and crops"),
        Column("participant_id", "string", "whose face it shows"),
        Column("video_id", "string", "the recording it comes from"),
        Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
        Column("condition", "string", "the set of test frames"),
        Column(
            "training_group",
            "string",
            "whose data the model was first trained on; Affect: the untouched affect network",
            values=MODELS,
        ),
        Column("repetition", "int", "the training's repetition; 0 for Affect", low=0),
        Column(
            "score",
            "float",
            "how far the model holds the frame for high, rounded to 6 digits; of Affect: "
            "(estimate + 1) / 2",
            low=0,
            high=1,
            why="a score that is missing or no probability has no place in an AUC",
            remedy="look at the model's training curves; weights with NaN score nothing",
        ),
        Column(
            "threshold",
            "float",
            "predicted high where score >= threshold: searched on validation data; of Affect .5",
            low=0,
            high=1,
        ),
        Column("label", "int", "the video's label for the task: 0 low, 1 high", low=0, high=1),
    ),
    rules=(
        Rule(
            name="same_items",
            says="in a task and condition all models scored the same items",
            why="models are compared in pairs, item by item",
            remedy=_REPEAT,
            broken=_unscored_by_some,
        ),
        Rule(
            name="same_labels",
            says="an item has the same label for a task, whichever model scored it",
            why="models that answer different questions cannot be compared",
            remedy="repeat split, then everything after it",
            broken=_two_labels,
        ),
        Rule(
            name="one_threshold_a_model",
            says="a model has one threshold in all conditions",
            why="a threshold fitted to a condition would flatter it",
            remedy=_REPEAT,
            broken=_two_thresholds,
        ),
        Rule(
            name="one_score_an_item",
            says="a model gives an item the same score in every condition that holds it",
            why="it is the same face and the same network",
            remedy=_REPEAT,
            broken=_two_scores,
        ),
        Rule(
            name="same_repetitions",
            says="High, Low and Total have the same repetitions",
            why="each repetition of one is set against the same repetition of another",
            remedy="train the missing repetitions: the same blocks for every group",
            broken=_uneven_repetitions,
        ),
        Rule(
            name="reference_is_repetition_0",
            says="the affect network, and it alone, is repetition 0",
            why="it was not trained here, so it has no repetitions",
            remedy=_REPEAT,
            broken=_reference_repeated,
        ),
        Rule(
            name="as_listed",
            says="the items and labels are those of conditions",
            why="the test set is fixed for every experiment",
            remedy="repeat split and evaluate",
            broken=_not_as_listed,
            needs=("conditions",),
        ),
        Rule(
            name="threshold_as_searched",
            says="the threshold is the one that training found",
            why="a threshold chosen on test data would be a leak",
            remedy=_REPEAT,
            broken=_not_as_searched,
            needs=("repetitions",),
        ),
    ),
)


def refuse_incomparable(subject: str, predictions: pd.DataFrame) -> None:
    """Refuse predictions whose models cannot be set against each other.

    Raises
    ------
    InputError
        Where anything is `incomparable`.
    """
    problems = incomparable(predictions)
    if problems:
        raise InputError(subject, problems)


def incomparable(predictions: pd.DataFrame) -> list[Problem]:
    """What keeps the models of ``predictions`` from being set against each other.

    Duplicate rows, scores that are missing or not in 0..1, and whatever breaks the rules of
    `PREDICTIONS`; items that a model did not score are named with that model.
    """
    remedies = {rule.name: rule.remedy for rule in PREDICTIONS.rules}
    bad = {
        ("duplicate row", "keep one row per item and model"): predictions[
            predictions.duplicated(list(PREDICTIONS.key))
        ],
        ("score that is missing or not in 0..1", "score every item from 0 to 1"): predictions[
            ~predictions["score"].between(0, 1)
        ],
        ("item that another model scored and this one did not", remedies["same_items"]): unscored(
            predictions
        ),
    }
    for rule in PREDICTIONS.rules:
        if not rule.needs and rule.name != "same_items":
            bad[f"not so: {rule.says}", rule.remedy] = rule.broken(predictions, {})
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


def _share(name: str, meaning: str) -> Column:
    return Column(name, "float", meaning, low=0, high=1, missing=True)


def _metrics_without_reason(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    lacking = table[list(METRICS_OF_ITEMS)].isna().any(axis=1)
    return table[lacking != table["reason"].notna()]


def _more_positives_than_items(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["n_positive"] > table["n_items"]]


def _not_as_predicted(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    key = [*TEST, *MODEL]
    sizes = others["predictions"].groupby(key)["label"].agg(["size", "sum"])
    expected = sizes.reindex(pd.MultiIndex.from_frame(table[key])).to_numpy()
    return table[(table[["n_items", "n_positive"]].to_numpy() != expected).any(axis=1)]


METRICS = Table(
    name="metrics",
    meaning="How good every model is in every task and condition, at its own threshold and at .5.",
    key=("task", "condition", "training_group", "repetition", "threshold_kind"),
    columns=(
        *_TEST_COLUMNS,
        Column("repetition", "int", "the training's repetition; 0 for Affect", low=0),
        _KIND,
        Column("threshold", "float", "predicted high where score >= threshold", low=0, high=1),
        _share("accuracy", "share of items predicted right"),
        _share("macro_precision", "plain mean of the classes' precision"),
        _share("macro_recall", "plain mean of the classes' recall"),
        _share("macro_f1", "plain mean of the classes' F1"),
        _share("roc_auc", "area under the ROC curve; ties count half; needs no threshold"),
        _share("pr_auc", "average precision; needs no threshold"),
        _share("brier", "mean squared distance of score and label; 0 is best"),
        _share("ece", "expected calibration error over 10 equal-width bins; 0 is best"),
        Column(
            "calibration_slope",
            "float",
            "slope of the logistic regression of the label on logit(score): 1 where calibrated, "
            "less where overconfident",
            missing=True,
        ),
        Column("calibration_intercept", "float", "its intercept: 0 where calibrated", missing=True),
        Column("n_items", "int", "frames tested", "frames", low=1),
        Column("n_positive", "int", "of these, frames with the label high", "frames", low=0),
        Column("reason", "string", "why a metric has no value", missing=True),
    ),
    rules=(
        Rule(
            name="missing_with_reason",
            says="a metric is missing where, and only where, there is a reason",
            why="a silent gap looks like a forgotten model",
            remedy=_REPEAT,
            broken=_metrics_without_reason,
        ),
        Rule(
            name="positives_are_items",
            says="n_positive is at most n_items",
            why="they are counted from the same frames",
            remedy=_REPEAT,
            broken=_more_positives_than_items,
        ),
        Rule(
            name="counts_as_predicted",
            says="n_items and n_positive are those of predictions",
            why="the sizes in the report must be those of the data",
            remedy=_REPEAT,
            broken=_not_as_predicted,
            needs=("predictions",),
        ),
    ),
)


# summary --------------------------------------------------------------------------------------


def _summary_without_reason(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table[["mean", "sd"]].isna().any(axis=1) & table["reason"].isna()]


SUMMARY = Table(
    name="summary",
    meaning="Each metric's mean and standard deviation over repetitions: Tables 2 and 3.",
    key=("task", "condition", "training_group", "threshold_kind", "metric"),
    columns=(
        *_TEST_COLUMNS,
        _KIND,
        Column("metric", "string", "which metric, as in metrics", values=METRICS_OF_ITEMS),
        Column("mean", "float", "over the repetitions that have a value", missing=True),
        Column(
            "sd",
            "float",
            "standard deviation over them (divisor n - 1): how much trainings differ, on one fixed "
            "test set; it says nothing of other people",
            low=0,
            missing=True,
        ),
        Column("n_repetitions", "int", "repetitions trained", "repetitions", low=1),
        Column("n_used", "int", "of these, with a value", "repetitions", low=0),
        Column(
            "reason",
            "string",
            "why mean or SD has no value, or does not rest on every repetition",
            missing=True,
        ),
    ),
    rules=(
        Rule(
            name="missing_with_reason",
            says="where mean or SD is missing there is a reason",
            why="a silent gap looks like a forgotten model",
            remedy=_REPEAT,
            broken=_summary_without_reason,
        ),
    ),
)
