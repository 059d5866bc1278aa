"""What the external check hands on: folds, the model of each, its answers, and comparisons."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from eifer.tables import comparison, evaluation, training
from eifer.tables.partitions import ROTATION
from eifer.tables.schema import Column, Table, rule
from eifer.tables.selection import keyed
from eifer.vocabulary import Dimension, Group, Partition

NETWORK = Column("network", "string", "the backbone, named as in params")
_REPEAT = "repeat train_external; if it stays, eifer.models.folds divides wrongly"
_PLACE = ["network", "rotation", "task", "training_group"]
_LEAK = "a face seen in training makes the test measure memory, not recognition"


# folds ----------------------------------------------------------------------------------------


@rule("neither a classifier nor a threshold can be had from one class", _REPEAT)
def both_classes_in_every_fold(table: pd.DataFrame) -> pd.DataFrame:
    """Every fold holds frames of both classes, and so do the other folds together."""
    counts = table.groupby([*_PLACE, "fold"])[["low_frames", "high_frames"]].transform("sum")
    rest = table.groupby(_PLACE)[["low_frames", "high_frames"]].transform("sum") - counts
    return table[(counts == 0).any(axis=1) | (rest == 0).any(axis=1)]


@rule(_LEAK, _REPEAT)
def nobody_tested(table: pd.DataFrame, partitions: pd.DataFrame) -> pd.DataFrame:
    """Nobody in a fold is tested in that rotation."""
    part = keyed(partitions, "rotation", "participant_id")["partition"]
    where = pd.MultiIndex.from_frame(table[["rotation", "participant_id"]])
    return table[part.reindex(where).eq(Partition.TEST).to_numpy()]


@rule("folds stand in the place of repetitions, which count from 1", _REPEAT)
def folds_count_up(table: pd.DataFrame) -> pd.DataFrame:
    """The folds of a model count 1, 2, 3 ... without gap."""
    folds = table.groupby(_PLACE)["fold"]
    return table[folds.transform("nunique") != folds.transform("max")]


FOLDS = Table(
    name="folds",
    meaning="Who validates in which fold of the external check; in the other folds they are "
    "trained on. One row a person and model, so that everybody validates once.",
    key=(*_PLACE, "participant_id"),
    columns=(
        NETWORK,
        ROTATION,
        Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
        Column("training_group", "string", "whose data it is", values=tuple(Group)),
        Column("participant_id", "string", "who is not tested in this rotation"),
        Column("fold", "int 1..", "the fold in which the person validates"),
        Column("low_frames", "int frames 0..", "the person's frames with the label low"),
        Column("high_frames", "int frames 0..", "of these, with the label high"),
    ),
    rules=(both_classes_in_every_fold, nobody_tested, folds_count_up),
)


# models ---------------------------------------------------------------------------------------


@rule("the learning curve must show the weights that are used", _REPEAT)
def kept_epoch_exists(table: pd.DataFrame, fold_curves: pd.DataFrame) -> pd.DataFrame:
    """The kept epoch is one of those trained."""
    return training.kept_epoch_exists.check(table, fold_curves)


@rule("any other choice of epoch is not the one the study declares", _REPEAT)
def kept_epoch_is_best(table: pd.DataFrame, fold_curves: pd.DataFrame) -> pd.DataFrame:
    """The kept epoch is that of best validation macro F1, of equals that of lowest loss."""
    return training.not_the_best(table, fold_curves)


@rule(_LEAK, _REPEAT)
def people_of_the_fold(table: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """A fold's model is validated on the people of that fold, and trained on all others."""
    key = ["rotation", "task", "training_group"]
    validate = folds.groupby([*key, "fold"]).size()
    everybody = folds.groupby(key).size()
    own = validate.reindex(pd.MultiIndex.from_frame(table[[*key, "repetition"]])).to_numpy()
    of_all = everybody.reindex(pd.MultiIndex.from_frame(table[key])).to_numpy()
    wrong = (table["n_validation_participants"].to_numpy() != own) | (
        table["n_train_participants"].to_numpy() != of_all - own
    )
    return table[wrong]


FOLD_MODELS = replace(
    training.REPETITIONS,
    name="fold_models",
    meaning="One model of the external check a row; its repetition is the fold that validates it.",
    rules=(kept_epoch_exists, kept_epoch_is_best, people_of_the_fold),
)
FOLD_CURVES = replace(
    training.CURVES,
    name="fold_curves",
    meaning="How each training of the external check went: one row an epoch.",
    columns=tuple(
        replace(
            column,
            values=(),
            meaning="what learns: the heads alone, or also the backbone from this block upward",
        )
        if column.name == "phase"
        else column
        for column in training.CURVES.columns
    ),
    rules=(training.epochs_count_up,),
)


# answers --------------------------------------------------------------------------------------


@rule("a threshold chosen on test data would be a leak", "repeat evaluate_external")
def threshold_as_searched(table: pd.DataFrame, fold_models: pd.DataFrame) -> pd.DataFrame:
    """The threshold is the one that training found."""
    return evaluation.threshold_as_searched.check(table, fold_models)


@rule(_LEAK, "repeat split, then everything after it")
def nobody_learnt_from(table: pd.DataFrame, folds: pd.DataFrame) -> pd.DataFrame:
    """Nobody who is tested in a rotation is in one of its folds."""
    key = ["rotation", "participant_id"]
    return table[pd.MultiIndex.from_frame(table[key]).isin(pd.MultiIndex.from_frame(folds[key]))]


ANSWERS = replace(
    evaluation.PREDICTIONS,
    name="external_predictions",
    meaning="Every test frame's score by each fold's model of a network of the external check.",
    rules=(*evaluation.PREDICTIONS.rules[:-1], threshold_as_searched, nobody_learnt_from),
)
MEASURED = replace(evaluation.METRICS, name="external_metrics", rules=evaluation.METRICS.rules[:-1])


def _of_network(table: Table, name: str, meaning: str) -> Table:
    """A table of the study's own models, of a network of the external check.

    Rules between tables were held where they were made of them.
    """
    return replace(
        table,
        name=name,
        meaning=meaning,
        key=("network", *table.key),
        columns=(NETWORK, *table.columns),
        rules=tuple(rule for rule in table.rules if not rule.needs),
    )


PERFORMANCE = _of_network(
    evaluation.SUMMARY,
    "external_summary",
    "How good the models of the other networks are: mean and SD over folds (the source's Table 5).",
)
CONTRASTED = _of_network(
    comparison.COMPARISON,
    "external_comparison",
    "High against Low and against Total of the other networks, as published (the source's "
    "Table 6). It takes frames and folds for independent.",
)


def _named(table: Table, name: str, meaning: str) -> Table:
    """A table over participants, whose column ``models`` has the network."""
    columns = (replace(NETWORK, name="models"), *table.columns[1:])
    rules = tuple(rule for rule in table.rules if not rule.needs)
    return replace(table, name=name, meaning=meaning, columns=columns, rules=rules)


DIFFERENCES = _named(
    comparison.PARTICIPANT_DELTAS,
    "external_deltas",
    "How much better High of another network ranks each participant's own frames.",
)
OVER_PEOPLE = _named(
    comparison.BY_PARTICIPANT,
    "external_by_participant",
    "High against Low and against Total of the other networks, with people as the sample. All of "
    "it is exploratory.",
)
