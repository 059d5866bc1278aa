"""The faces that the report may show: of those participants who allowed it, and of nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from eifer.errors import StudyError, did_you_mean, examples

WHO = ["participant_id", "excluded"]
NEEDED = ["item_id", "video_id", "participant_id", "arousal_rank", "valence_rank"]
"""The columns that are needed of the participants, and of the selection: which frame is shown."""


def allowed(
    named: Sequence[str],
    participants: pd.DataFrame,
    selection: pd.DataFrame,
    folders: Sequence[Path],
) -> pd.DataFrame | None:
    """A crop of each video of those named: of its selected frames the one of the best rank.

    Parameters
    ----------
    named
        ``report.faces``: who allowed it.
    participants, selection
        The tables of these names.
    folders
        Where the crops lie, a file a video. Only files of those named are read.

    Returns
    -------
    DataFrame
        ``person`` (place among those named, from 0), ``height_px``, ``width_px``, ``crop``; None
        where nobody is named. It has no id: a face stands beside no code.

    Raises
    ------
    StudyError
        If somebody is named who is not in the study, or is excluded.
    """
    there = sorted(participants.loc[participants["excluded"].isna(), "participant_id"])
    if strange := [who for who in named if who not in there]:
        raise StudyError(
            f"report.faces names {examples(strange)}, not among the {len(there)} participants of "
            f"the study ({examples(there)}){did_you_mean(strange[0], there)}: correct it or take "
            "it out of report.faces"
        )
    if not named:
        return None
    mine = selection[selection["participant_id"].isin(named)]
    best = mine[["arousal_rank", "valence_rank"]].min(axis=1)
    mine = mine.assign(best=best).dropna(subset="best").sort_values(["best", "item_id"])
    first = mine.groupby("video_id").head(1).sort_values("video_id")
    files = {path.stem: path for folder in folders for path in folder.glob("*.parquet")}
    crops = [
        pd.read_parquet(files[row["video_id"]], filters=[("item_id", "==", row["item_id"])]).assign(
            person=named.index(row["participant_id"])
        )
        for row in first.to_dict("records")
    ]
    columns = ["person", "height_px", "width_px", "crop"]
    return pd.concat(crops, ignore_index=True)[columns] if crops else pd.DataFrame(columns=columns)
