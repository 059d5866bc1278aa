"""Every HRV variable at the chosen cutoff: its values by group, and the test that was counted."""

from __future__ import annotations

import pandas as pd

from eifer.physiology.hrv import VARIABLES


def table(
    hrv: pd.DataFrame, scores: pd.DataFrame, cutoff_scan: pd.DataFrame, cutoff_tests: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """One row a variable, the smallest p first."""
    row = cutoff_scan[cutoff_scan["chosen"]].iloc[0]
    tests = cutoff_tests[cutoff_tests["cutoff"] == row["cutoff"]].drop(columns="cutoff")
    values = hrv.merge(scores[["participant_id", "group"]], on="participant_id")
    form = values.groupby("variable").agg(
        family=("family", "first"), unit=("unit", "first"), n=("value", "count")
    )
    for group, rows in values.groupby("group"):
        stats = rows.groupby("variable")["value"].agg(mean="mean", sd="std")
        form = form.join(stats.add_prefix(f"{str(group).lower()}_"))
    made = form.reset_index().merge(tests, on="variable", how="left")
    made["symbol"] = [VARIABLES[name].symbol for name in made["variable"]]
    made["meaning"] = [VARIABLES[name].meaning for name in made["variable"]]
    return made.sort_values(["p", "variable"], ignore_index=True), (
        f"{hrv['variable'].nunique()} HRV variables of {hrv['video_id'].nunique()} recordings: "
        "mean (SD) by group, and the F test of the group × emotion interaction at the cutoff of "
        f"{row['cutoff']}, for this variable alone and uncorrected ({row['n_significant']} below "
        f"alpha of {row['n_estimable']} that could be tested)."
    )
