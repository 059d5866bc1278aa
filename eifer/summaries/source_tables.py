"""What the source's own tables say of each other."""

from __future__ import annotations

import pandas as pd


def table(consistency: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a check and verdict: how many figures, and which they are."""
    each = consistency["where"] + ": " + consistency["printed"] + " ↔ " + consistency["computed"]
    grouped = consistency.assign(each=each).groupby(["check", "verdict"], sort=False)
    made = grouped.agg(figures=("each", "size"), which=("each", "; ".join)).reset_index()
    counts = consistency["verdict"].value_counts()
    known = {name: counts.get(name, 0) for name in ("contradiction", "implausible", "missing")}
    return made, (
        f"{len(consistency)} checks of printed figures against what follows from other printed "
        f"figures: {known['contradiction']} contradict, {known['implausible']} hardly come about "
        f"by chance; in {known['missing']} the text gives no figure. Printed stands left of the "
        "arrow, what follows right of it."
    )
