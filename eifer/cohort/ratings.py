"""Ratings to labels: 1-3 low, 5-7 high, 4 taken from the stimulus (Kim et al. 2026, 2.2.3)."""

from __future__ import annotations

import pandas as pd

from eifer.errors import InputError, Problem, did_you_mean
from eifer.tables.cohort import DOMAINS, HIGHEST_RATING, LOWEST_RATING, NEUTRAL_RATING
from eifer.vocabulary import Dimension, Domain, LabelSource

LEGAL = range(LOWEST_RATING, HIGHEST_RATING + 1)


def labelled(rated: pd.DataFrame) -> pd.DataFrame:
    """Ratings with the labels that follow from them.

    Parameters
    ----------
    rated
        Columns ``participant_id``, ``video_id``, ``domain``, ``arousal_rating``
        and ``valence_rating``; others are kept.

    Returns
    -------
    pandas.DataFrame
        ``rated`` with ``<dimension>_label`` and ``<dimension>_label_source``,
        the ratings as int64.

    Raises
    ------
    InputError
        Naming participant, video and value of every rating that is none of
        1..7, and every unknown domain.
    """
    table = rated.copy()
    problems = [
        unknown_domain(f"{video}: {domain!r}", str(domain))
        for video, domain in zip(table["video_id"], table["domain"], strict=True)
        if domain not in DOMAINS
    ]
    for dimension in Dimension:
        column = f"{dimension}_rating"
        wrong = table[~pd.to_numeric(table[column], errors="coerce").isin(LEGAL)]
        problems += [
            illegal(f"{participant} {video} {dimension}", value)
            for participant, video, value in zip(
                wrong["participant_id"], wrong["video_id"], wrong[column].tolist(), strict=True
            )
        ]
    if problems:
        raise InputError("ratings", problems)
    for dimension in Dimension:
        rating = pd.to_numeric(table[f"{dimension}_rating"]).astype("int64")
        neutral = rating == NEUTRAL_RATING
        weak = table["domain"].map({d.value: d.label(dimension) for d in Domain})
        table[f"{dimension}_rating"] = rating
        table[f"{dimension}_label"] = (
            (rating > NEUTRAL_RATING).astype("int64").mask(neutral, weak).astype("int64")
        )
        table[f"{dimension}_label_source"] = neutral.map(
            {True: LabelSource.STIMULUS.value, False: LabelSource.RATING.value}
        ).astype("str")
    return table


def unknown_domain(where: str, domain: str) -> Problem:
    """The problem of a stimulus of no domain, at ``where``."""
    remedy = f"use one of {', '.join(DOMAINS)}"
    return Problem("unknown domain", where + did_you_mean(domain, DOMAINS), remedy)


def illegal(where: str, value: object) -> Problem:
    """The problem of a rating off the scale, at ``where`` (participant, video, dimension)."""
    return Problem(
        f"rating that is not an integer from {LOWEST_RATING} to {HIGHEST_RATING}",
        f"{where} {value!r}",
        "correct the rating, or exclude the run with a reason (study.exclude in params.yaml)",
    )
