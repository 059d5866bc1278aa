"""The labels that relabelling doubts most, for somebody to look at."""

from __future__ import annotations

import pandas as pd

MOST = 20
"""Images that are listed; the table relabelled has all."""


def table(relabelled: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The doubted labels, those first whose network is surest of another one."""
    doubted = relabelled[relabelled["flagged"]]
    order = doubted.sort_values(["probability", "image_id"], ascending=[False, True])
    made = order.head(MOST).reset_index(drop=True)
    n = len(doubted)
    return (
        made,
        f"The {min(n, MOST)} surest of {n} doubted among {len(relabelled)} training labels.",
    )
