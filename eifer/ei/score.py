"""EI scores from the answers to the EI assessment."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eifer.errors import InputError, Problem
from eifer.vocabulary import EiIndex

CATEGORIES = range(1, 5)
STIMULI = range(1, 11)
POINTS = 10
"""For a correct answer, so that an index goes up to 400 and the score to 1200."""

ANSWER = ["index", "category", "stimulus"]
ANSWERS = pd.MultiIndex.from_product([list(map(str, EiIndex)), CATEGORIES, STIMULI], names=ANSWER)


def scores(items: pd.DataFrame) -> pd.DataFrame:
    """Each participant's three indices and their sum.

    Parameters
    ----------
    items : frame
        EI_ITEMS: participant_id, index, category, stimulus, correct (0 or 1), with each of
        the 120 items answered once by every participant.

    Returns
    -------
    frame
        participant_id, ei_score (0-1200 points) and self_awareness, others_awareness,
        emotion_discrimination (0-400 points each), sorted by participant.

    Raises
    ------
    InputError
        Naming every participant with missing, repeated or unknown items, or an answer that
        is neither right nor wrong. A partial assessment is not scaled up: it would be
        another instrument's score.
    """
    nobody = np.flatnonzero(items["participant_id"].isna())
    problems = [
        Problem("answer of nobody", f"row {row}", "say whose answer it is") for row in nobody
    ] + [
        problem
        for participant, own in items.groupby("participant_id", sort=True)
        for problem in _problems(str(participant), own)
    ]
    if problems:
        raise InputError("EI assessment", problems)
    points = POINTS * items.pivot_table(
        index="participant_id", columns="index", values="correct", aggfunc="sum"
    ).astype("int64")
    indices = points[list(map(str, EiIndex))].rename_axis(columns=None)
    indices.insert(0, "ei_score", indices.sum(axis=1))
    return indices.reset_index()


def _problems(participant: str, own: pd.DataFrame) -> list[Problem]:
    given = pd.MultiIndex.from_frame(own[ANSWER])
    problems = []
    for what, items, remedy in (
        ("items missing", ANSWERS.difference(given), "add the answers, or exclude with a reason"),
        ("items unknown", given.unique().difference(ANSWERS), "see the layout for the 120 items"),
        ("items answered twice", given[given.duplicated()].unique(), "keep one answer for each"),
    ):
        if len(items):
            first = " ".join(map(str, items[0]))
            where = f"{participant} has {len(items)}, first {first}"
            problems.append(Problem(what, where, remedy))
    wrong = own.loc[~own["correct"].isin([0, 1])]
    for row in wrong.itertuples():
        where = f"{participant} {row.index} {row.category} {row.stimulus}: {row.correct}"
        problems.append(Problem("correct is neither 0 nor 1", where, "write 0 or 1"))
    return problems
