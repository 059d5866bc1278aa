"""Table 1: group sizes and mean ratings by group and stimulus domain."""

from __future__ import annotations

import pandas as pd


def table(videos: pd.DataFrame, scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a group and domain: mean and SD of both ratings, and how many were neutral."""
    rated = videos.merge(scores[["participant_id", "group"]], on="participant_id")
    everybody = rated.assign(group="Total")
    cells = pd.concat([rated, everybody]).groupby(["group", "domain"])
    made = cells.agg(
        participants=("participant_id", "nunique"),
        videos=("video_id", "nunique"),
        arousal_mean=("arousal_rating", "mean"),
        arousal_sd=("arousal_rating", "std"),
        valence_mean=("valence_rating", "mean"),
        valence_sd=("valence_rating", "std"),
        arousal_high=("arousal_label", "sum"),
        valence_high=("valence_label", "sum"),
    )
    for task in ("arousal", "valence"):
        made[f"{task}_neutral"] = cells[f"{task}_label_source"].agg(
            lambda sources: int((sources == "stimulus").sum())
        )
    sizes = scores["group"].value_counts()
    return made.reset_index(), (
        f"Ratings (1 to 7) of {len(videos)} videos by {len(scores)} participants ({sizes['High']} "
        f"High, {sizes['Low']} Low): mean (SD), videos labelled high, and neutral ratings (4), "
        "whose label is the stimulus's."
    )
