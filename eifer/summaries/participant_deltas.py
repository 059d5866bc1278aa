"""Each test participant's difference between the models: the sample of the primary analysis."""

from __future__ import annotations

import pandas as pd


def table(participant_deltas: pd.DataFrame) -> pd.DataFrame:
    """The table as it is."""
    return participant_deltas


def caption(participant_deltas: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    people = participant_deltas["participant_id"].nunique()
    blank = participant_deltas[participant_deltas["delta"].isna()]
    who = ", ".join(sorted(set(blank["participant_id"])))
    gaps = f" Without a difference somewhere, because all frames are of one class: {who}."
    return (
        f"ROC-AUC of both models among each of {people} participants' own frames, mean over "
        f"repetitions.{gaps * bool(who)}"
    )
