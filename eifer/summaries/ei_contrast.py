"""The study's question in one table: the models of High EI against those of Low."""

from __future__ import annotations

import pandas as pd

from eifer.summaries import by_participant as every


def table(by_participant: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows of `eifer.summaries.by_participant` that set High against Low."""
    made, said = every.table(by_participant)
    made = made[made["contrast"] == "High-Low"]
    n = int(by_participant["null_n"].max())
    labels = (
        f" p (labels): how rarely {n} random assignments of labels to the same people give as "
        "large a difference; better needs that too."
        if n
        else " No model was trained on random labels: a difference is one within this training."
    )
    return made, f"High less Low, {len(made)} of {said}{labels}"
