"""Videos that could not give as many frames as asked for."""

from __future__ import annotations

import pandas as pd


def table(shortfall: pd.DataFrame) -> pd.DataFrame:
    """One row a video and dimension that fell short."""
    short = shortfall[shortfall["kept"] < shortfall["asked"]]
    return short[["participant_id", "video_id", "dimension", "matching", "kept", "asked"]]


def caption(shortfall: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    short = shortfall[shortfall["kept"] < shortfall["asked"]]
    return (
        f"{len(short)} of {len(shortfall)} rankings (videos × dimensions) have fewer matching "
        f"frames than the {shortfall['asked'].max()} asked for: "
        f"{(short['asked'] - short['kept']).sum()} frames short, not filled up with mismatches."
    )
