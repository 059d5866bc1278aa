"""Every data check, word for word."""

from __future__ import annotations

import pandas as pd


def table(checks: pd.DataFrame) -> pd.DataFrame:
    """One row a check; the same check on several parts of a table stands once."""
    same = ["stage", "table", "about", "expectation"]
    made = checks.groupby(same, sort=False).agg(
        times=("times", "sum"), success=("success", "all"), n_unexpected=("n_unexpected", "sum")
    )
    return made.reset_index().assign(
        outcome=lambda rows: rows["success"].map({True: "passed", False: "FAILED"})
    )


def caption(checks: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    rows = table(checks)
    return f"All {len(rows)} checks, each with how often it ran (once for each part of a table)."
