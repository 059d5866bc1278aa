"""The data checks of every stage, counted by table."""

from __future__ import annotations

import pandas as pd


def table(checks: pd.DataFrame) -> pd.DataFrame:
    """One row a stage and table: how many checks, how often they ran, how many failed."""
    return (
        checks.groupby(["stage", "table"], sort=False)
        .agg(
            checks=("about", "nunique"),
            run=("times", "sum"),
            passed=("success", "sum"),
            failed=("success", lambda success: int((~success).sum())),
        )
        .reset_index()
    )


def caption(checks: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    failed = int((~checks["success"]).sum())
    return (
        f"{len(checks)} checks by {checks['stage'].nunique()} stages, run "
        f"{checks['times'].sum()} times; {failed} failed. A stage whose check fails stops and "
        "leaves its former output alone, so a finished study holds none."
    )
