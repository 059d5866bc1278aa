"""How much the models vary: over trainings, and over people (the source's second hypothesis)."""

from __future__ import annotations

import pandas as pd

from eifer.tables.comparison import PLACE
from eifer.vocabulary import in_order


def table(stability: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a contrast."""
    return in_order(stability, PLACE), (
        "SD of ROC-AUC over repetitions, mean over participants, and SD over participants of their "
        f"mean ROC-AUC: High, then the other model. {stability['n_used'].max()} participants; "
        "t-test of the paired SDs, Pitman and Morgan's test of paired variances; q within each "
        "test. Below 0: High varies less."
    )
