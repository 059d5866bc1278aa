"""The study's question in one table: the models of High EI against those of Low."""

from __future__ import annotations

import pandas as pd

from eifer.summaries import by_participant as every


def table(by_participant: pd.DataFrame) -> pd.DataFrame:
    """The rows of `eifer.summaries.by_participant` that set High against Low."""
    made = every.table(by_participant)
    return made[made["contrast"] == "High-Low"]


def caption(by_participant: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    n = int(by_participant["null_n"].max())
    labels = (
        f" p (labels): how rarely {n} random assignments of labels to the same people give as "
        "large a difference; better needs that too."
        if n
        else " No model was trained on random labels: a difference is one within this training."
    )
    shown = f"High less Low, {len(table(by_participant))} of"
    return f"{shown} {every.caption(by_participant)}{labels}"
