"""What the source's own tables say of each other."""

from __future__ import annotations

import pandas as pd


def table(consistency: pd.DataFrame) -> pd.DataFrame:
    """One row a check and verdict: how many figures, and which they are."""
    each = consistency["where"] + ": " + consistency["printed"] + " ↔ " + consistency["computed"]
    grouped = consistency.assign(each=each).groupby(["check", "verdict"], sort=False)
    return grouped.agg(figures=("each", "size"), which=("each", "; ".join)).reset_index()


def caption(consistency: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    against = int((consistency["verdict"] != "agrees").sum())
    return (
        f"{len(consistency)} checks of printed figures against what follows from other printed "
        f"figures; {against} contradict. Printed stands left of the arrow, what follows right of "
        "it. Where the text gives no figure there is no check."
    )
