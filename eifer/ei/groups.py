"""High and Low: which side of the cutoff a participant is on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eifer.errors import DesignError, examples
from eifer.tables.ei import EI_SCORES
from eifer.vocabulary import Group


def assign(scores: pd.DataFrame, cutoff: int, *, min_per_group: int) -> pd.DataFrame:
    """EI_SCORES: the scores with each participant's group, High where score > cutoff.

    Parameters
    ----------
    scores : frame
        From `eifer.ei.score.scores`.
    cutoff : int
        In points.
    min_per_group : int
        How many participants each group needs for what comes after.

    Raises
    ------
    DesignError
        If a group is smaller than that, a score is missing, or a participant stands twice.
    """
    bad = scores["ei_score"].isna() | scores["participant_id"].duplicated(keep=False)
    if bad.any():
        who = list(dict.fromkeys(scores.loc[bad, "participant_id"]))
        raise DesignError(
            f"{len(who)} participants have no score, or several ({examples(who)}): "
            "score the assessment again from its items"
        )
    group = np.where(scores["ei_score"] > cutoff, Group.HIGH, Group.LOW)
    n_high, n_low = ((group == side).sum() for side in (Group.HIGH, Group.LOW))
    if min(n_high, n_low) < min_per_group:
        raise DesignError(
            f"cutoff {cutoff} puts {n_high} of {len(scores)} participants in group High and "
            f"{n_low} in Low, and each needs at least {min_per_group}: choose another cutoff "
            "(params: the allowed imbalance and the steps), or add participants"
        )
    return EI_SCORES.conform(scores.assign(group=group))
