"""How far face and rating agree in people of High and of Low EI: the mechanism that is claimed."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from statsmodels.stats.weightstats import CompareMeans

from eifer.vocabulary import Dimension


def table(
    shortfall: pd.DataFrame, counts: pd.DataFrame, videos: pd.DataFrame, scores: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """A row a dimension, with and without neutrally rated videos: shares, their difference, p."""
    accepted = counts.set_index("video_id")["frames_accepted"]
    rows = shortfall.assign(
        share=shortfall["matching"] / shortfall["video_id"].map(accepted),
        group=shortfall["participant_id"].map(scores.set_index("participant_id")["group"]),
    ).dropna(subset=["share", "group"])
    by_video = videos.set_index("video_id")
    made = []
    for dimension in Dimension:
        of = rows[rows["dimension"] == dimension]
        rated = of["video_id"].map(by_video[f"{dimension}_label_source"]) == "rating"
        for kind, part in (("all", of), ("rated other than neutral", of[rated])):
            made.append({"dimension": dimension.value, "videos": kind, **_compared(part)})
    return pd.DataFrame(made), (
        "Congruence: the share of a video's accepted frames whose estimate has the sign of the "
        "label, mean over a participant's videos, then over participants; Welch's t over "
        "participants, uncorrected. Neutral ratings (4) take the stimulus's label, so they say "
        "nothing of what the person felt. The estimates are no ground truth."
    )


def _compared(rows: pd.DataFrame) -> dict[str, Any]:
    people = rows.groupby(["group", "participant_id"])["share"].mean()
    high, low = (people.xs(g) if g in people.index else people.head(0) for g in ("High", "Low"))
    made: dict[str, Any] = {"n_high": len(high), "n_low": len(low)}
    made |= {"high": high.mean(), "low": low.mean(), "difference": high.mean() - low.mean()}
    if min(len(high), len(low)) < 2 or high.std() + low.std() == 0:
        return made | dict.fromkeys(("ci_low", "ci_high", "p"), math.nan)
    test = CompareMeans.from_data(high.to_numpy(), low.to_numpy())
    ends = test.tconfint_diff(usevar="unequal")
    p = test.ttest_ind(usevar="unequal")[1]
    return made | {"ci_low": ends[0], "ci_high": ends[1], "p": p}
