"""How far scores are probabilities, and what the fixed threshold of .5 gives."""

from __future__ import annotations

import pandas as pd

from eifer.summaries.scores import KEY
from eifer.vocabulary import in_order

SHOWN = ("brier", "ece", "calibration_slope", "macro_f1", "accuracy")


def table(summary: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a task, condition and model; metrics that need a threshold take .5."""
    half = summary[(summary["threshold_kind"] == "half") & summary["metric"].isin(SHOWN)]
    wide = half.pivot(index=KEY, columns="metric", values=["mean", "sd"])
    wide.columns = wide.columns.to_flat_index().map(lambda name: f"{name[1]}_{name[0]}")
    return in_order(wide.reset_index(), KEY), (
        "Mean (SD) over repetitions. Brier score and expected calibration error: 0 is best; "
        "calibration slope: 1 is calibrated, less is overconfident; – where it has no finite "
        "value. Macro F1 and accuracy with the threshold fixed at .5."
    )
