"""Every data check, word for word."""

from __future__ import annotations

import pandas as pd


def table(checks: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a check; the same check on several parts of a table stands once."""
    same = ["stage", "table", "about", "expectation"]
    by = checks.groupby(same, sort=False)
    made = by.agg(
        times=("times", "sum"), success=("success", "all"), n_unexpected=("n_unexpected", "sum")
    ).reset_index()
    made["outcome"] = made["success"].map({True: "passed", False: "FAILED"})
    return (
        made,
        f"All {len(made)} checks, each with how often it ran (once for each part of a table).",
    )
