"""Predictions that can be compared: everything wrong with them is said at once, by name."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from eifer.errors import DesignError, InputError, Problem
from eifer.tables.comparison import OTHERS
from eifer.tables.evaluation import REFERENCE, TEST, incomparable
from eifer.vocabulary import Group

GROUPS = (Group.HIGH, *OTHERS)


def comparable(predictions: pd.DataFrame) -> pd.DataFrame:
    """The predictions of the trained models, if they can be compared.

    Raises
    ------
    InputError
        Different items, labels or repetitions, duplicate rows, missing scores, an item of two
        participants; a test of one class, or with fewer than two repetitions: all of it at once.
    DesignError
        A group without predictions.
    """
    trained = predictions[predictions["training_group"] != REFERENCE]
    if trained.empty:
        raise DesignError(f"stats: no predictions of {', '.join(GROUPS)}; run evaluate first")
    problems = [*incomparable(trained), *_untestable(trained)]
    if problems:
        raise InputError("stats", problems)
    absent = [
        f"{group} in {task} {condition}"
        for (task, condition), part in trained.groupby(TEST, sort=True)
        for group in GROUPS
        if group not in set(part["training_group"])
    ]
    if absent:
        raise DesignError(
            f"stats: no predictions of {', '.join(absent)}; train and evaluate all three groups"
        )
    return trained


def _untestable(trained: pd.DataFrame) -> Iterator[Problem]:
    people = trained.groupby("item_id")["participant_id"].nunique(dropna=False)
    for item in people.index[people > 1]:
        yield Problem(
            "item of two participants",
            str(item),
            "repeat evaluate; if it stays, eifer.evaluation joins wrongly",
        )
    for (task, condition), part in trained.groupby(TEST, sort=True):
        labels = part.drop_duplicates("item_id")["label"]
        if labels.nunique() == 1:
            level = "high" if labels.iloc[0] else "low"
            yield Problem(
                "test of one class: an AUC needs both",
                f"{task} {condition} (all {len(labels)} items are {level})",
                "choose test participants who have both (split.design), or leave the condition out",
            )
        repetitions = part["repetition"].unique()
        if len(repetitions) < 2:
            yield Problem(
                "fewer than two repetitions: another training may differ as much as another group",
                f"{task} {condition} (repetition {repetitions[0]})",
                "name one more repetition in training.blocks; finished ones stay",
            )
