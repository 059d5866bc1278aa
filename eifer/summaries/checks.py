"""The data checks, counted by stage."""

from __future__ import annotations

import pandas as pd


def table(checks: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a stage: its tables, how many checks they have, how often run, how many failed."""
    made = (
        checks.groupby("stage", sort=False)
        .agg(
            tables=("table", lambda names: ", ".join(dict.fromkeys(names))),
            checks=("about", "size"),
            run=("times", "sum"),
            failed=("success", lambda success: int((~success).sum())),
        )
        .reset_index()
    )
    failed = int((~checks["success"]).sum())
    return made, (
        f"{len(checks)} checks by {checks['stage'].nunique()} stages, run "
        f"{checks['times'].sum()} times; {failed} failed. A stage whose check fails stops and "
        "leaves its former output alone, so a finished study holds none."
    )
