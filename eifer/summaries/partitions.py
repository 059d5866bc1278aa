"""Who trains, validates and tests."""

from __future__ import annotations

import pandas as pd

ORDER = ("train", "validation", "test")


def table(partitions: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a partition and group, with its people, frames and classes."""
    cells = partitions.assign(
        partition=pd.Categorical(partitions["partition"], ORDER, ordered=True),
        who=partitions["participant_id"].str.removeprefix("sub-"),
    ).groupby(["rotation", "partition", "group"], observed=True)
    made = cells.agg(
        participants=("participant_id", "size"),
        videos=("n_videos", "sum"),
        frames=("n_frames", "sum"),
        arousal_low=("arousal_low_frames", "sum"),
        arousal_high=("arousal_high_frames", "sum"),
        valence_low=("valence_low_frames", "sum"),
        valence_high=("valence_high_frames", "sum"),
        who=("who", ", ".join),
    ).reset_index()
    rotations = partitions["rotation"].nunique()
    each = f" in each of {rotations} rotations, tested in one;" * (rotations > 1) or ";"
    return made, (
        f"{partitions['participant_id'].nunique()} participants, each in one partition only{each} "
        "frames are those selected "
        "for either task, by class. The same assignment serves the High, Low and Total models."
    )
