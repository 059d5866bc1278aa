"""Everything that was left out, by stage and reason."""

from __future__ import annotations

import pandas as pd


def table(attrition: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a stage, kind of thing and reason; reasons that differ in numbers alone are one."""
    reason = attrition["reason"].str.replace(r"\d+(?:\.\d+)?", "…", regex=True)
    # A recording named in a reason is in the complete list; here it would split the count.
    reason = reason.str.replace(r"\S+_run-…", "a recording", regex=True)
    rows = attrition.assign(reason=reason)
    grouped = rows.groupby(["stage", "level", "reason"], sort=False)
    made = grouped.agg(
        n=("n", "sum"), participants=("participant_id", _people), places=("what", "size")
    ).reset_index()
    if attrition.empty:
        return made, "No stage left anything out."
    return made, (
        f"{attrition['n'].sum()} things left out in {len(attrition)} places by "
        f"{attrition['stage'].nunique()} stages, with the reason each stage gave. A number within "
        "a reason is shown as …."
    )


def _people(ids: pd.Series) -> int:
    return int(ids[ids != "n/a"].nunique())
