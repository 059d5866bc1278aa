"""What to know of the comparisons before believing them."""

from __future__ import annotations

import re

import pandas as pd

NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")


def table(comparison: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a kind of warning, with every contrast it is about; its numbers are one example."""
    rows = comparison.dropna(subset="warnings")
    where = rows["task"] + ", " + rows["condition"] + ", " + rows["contrast"]
    each = rows.assign(warning=rows["warnings"].astype("str").str.split("\n"), where=where)
    each = each.explode("warning")
    kind = each["warning"].str.replace(NUMBER, "…", regex=True)
    grouped = each.groupby(kind, sort=False)
    made = grouped.agg(
        warning=("warning", "first"), contrasts=("where", "size"), where=("where", "; ".join)
    )
    everywhere = made["contrasts"] == len(comparison)
    made["where"] = made["where"].mask(everywhere, "all")
    made = made.sort_values("contrasts", ascending=False, kind="stable", ignore_index=True)
    return made, (
        f"Warnings of the {len(comparison)} contrasts. Where the same warning stands for several, "
        "its numbers are those of the first."
    )
