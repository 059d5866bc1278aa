"""Videos that could not give as many frames as asked for."""

from __future__ import annotations

import pandas as pd


def table(shortfall: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a video and dimension that fell short."""
    short = shortfall[shortfall["kept"] < shortfall["asked"]]
    made = short[["participant_id", "video_id", "dimension", "matching", "kept", "asked"]]
    return made, (
        f"{len(short)} of {len(shortfall)} rankings (videos × dimensions) have fewer matching "
        f"frames than the {shortfall['asked'].max()} asked for: "
        f"{(short['asked'] - short['kept']).sum()} frames short, not filled up with mismatches."
    )
