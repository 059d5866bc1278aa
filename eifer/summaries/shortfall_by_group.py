"""Frames that were short, by EI group."""

from __future__ import annotations

import pandas as pd


def table(shortfall: pd.DataFrame, scores: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a dimension and group."""
    rows = shortfall.merge(scores[["participant_id", "group"]], on="participant_id")
    rows["missing"] = rows["asked"] - rows["kept"]
    cells = rows.assign(short=rows["missing"] > 0).groupby(["dimension", "group"])
    made = cells.agg(
        videos=("video_id", "size"), short=("short", "sum"), missing=("missing", "sum")
    )
    made["share"] = 100 * made["missing"] / cells["asked"].sum()
    return made.reset_index(), (
        f"Of {len(shortfall)} rankings (videos × dimensions): how many fell short, and of how many "
        "frames. Models of a group with fewer frames learn from less."
    )
