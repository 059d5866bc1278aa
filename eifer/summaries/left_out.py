"""Everything that was left out, by stage and reason."""

from __future__ import annotations

import pandas as pd


def table(attrition: pd.DataFrame) -> pd.DataFrame:
    """One row a stage, kind of thing and reason; reasons that differ in numbers alone are one."""
    reason = attrition["reason"].str.replace(r"\d+(?:\.\d+)?", "…", regex=True)
    # A recording named in a reason is in the complete list; here it would split the count.
    reason = reason.str.replace(r"sub-\S+_run-…", "a recording", regex=True)
    rows = attrition.assign(reason=reason)
    grouped = rows.groupby(["stage", "level", "reason"], sort=False)
    return grouped.agg(
        n=("n", "sum"), participants=("participant_id", "nunique"), places=("what", "size")
    ).reset_index()


def caption(attrition: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    if attrition.empty:
        return "No stage left anything out."
    people = attrition.loc[attrition["level"] == "participant", "participant_id"].nunique()
    return (
        f"{attrition['n'].sum()} things left out in {len(attrition)} places by "
        f"{attrition['stage'].nunique()} stages, with the reason each stage gave; {people} "
        "participants are named at participant level. A number within a reason is shown as …; "
        "the complete list is a table of its own."
    )
