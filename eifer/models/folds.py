"""Stratified group folds: people who are not tested validate once each (protocol section 10)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from eifer.errors import DesignError
from eifer.tables.partitions import GROUPS
from eifer.vocabulary import Partition

DRAWS = 100
"""Divisions that are tried: few people of one class may all be drawn into one fold."""


def fold_of_people(samples: pd.DataFrame, n: int, seed: int, subject: str) -> pd.Series:
    """Divide the people of each EI group into ``n`` folds with alike shares of the classes.

    High, Low and Total are divided alike: a person's fold is the same in all three.

    Parameters
    ----------
    samples : DataFrame
        Rows of the table ``SAMPLES`` of one rotation and task.
    n : int
        Folds.
    seed : int
    subject : str
        What errors call the training.

    Returns
    -------
    Series of int
        The fold, from 1, by ``participant_id``.

    Raises
    ------
    DesignError
        If a group has fewer people than folds, or no division of ``DRAWS`` gives every fold, and
        the rest, frames of both classes.
    """
    parts = []
    for group in GROUPS:
        own = samples[samples["group"] == group]
        people = own["participant_id"].nunique()
        if people < n:
            raise DesignError(
                f"{subject}: {people} {group} participants can be trained on, fewer than "
                f"external.folds {n}: lower it, or add participants."
            )
        drawn = (_divided(own, n, seed + k) for k in range(DRAWS))
        fits = next((folds for folds in drawn if _both_classes(own, folds)), None)
        if fits is None:
            counts = own.groupby("participant_id")["label"].nunique()
            lone = ", ".join(map(str, counts.index[counts < 2])) or "none"
            raise DesignError(
                f"{subject}: none of {DRAWS} divisions of {people} {group} participants into {n} "
                f"folds has frames of both classes in every fold (of one class alone: {lone}). "
                "Lower external.folds, or add participants."
            )
        parts.append(fits)
    return pd.concat(parts).sort_index()


def in_fold(samples: pd.DataFrame, folds: pd.Series, fold: int) -> pd.DataFrame:
    """``samples`` with the people of ``fold`` as validation, and all others to train on."""
    validates = samples["participant_id"].map(folds) == fold
    part = np.where(validates, Partition.VALIDATION, Partition.TRAIN)
    return samples.assign(partition=part)


def _divided(own: pd.DataFrame, n: int, seed: int) -> pd.Series:
    splitter = StratifiedGroupKFold(n, shuffle=True, random_state=seed % 2**32)
    who = own["participant_id"].to_numpy()
    folds: dict[str, int] = {}
    for k, (_, validates) in enumerate(splitter.split(who, own["label"], who), start=1):
        folds |= dict.fromkeys(who[validates], k)
    return pd.Series(folds, name="fold").rename_axis("participant_id")


def _both_classes(own: pd.DataFrame, folds: pd.Series) -> bool:
    counts = pd.crosstab(own["participant_id"].map(folds), own["label"])
    counts = counts.reindex(columns=[0, 1], fill_value=0)
    every = len(counts) == folds.nunique() and (counts > 0).all(axis=None)
    return bool(every and ((counts.sum() - counts) > 0).all(axis=None))
