"""The paired DeLong tests that the comparisons rest on."""

from __future__ import annotations

import pandas as pd


def table(delong: pd.DataFrame) -> pd.DataFrame:
    """One row a repetition of a contrast."""
    return delong


def caption(delong: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    return (
        f"All {len(delong)} paired DeLong tests, one a repetition: AUC of High and of the other "
        "model on the same frames, their difference with 95 % interval. The test takes frames for "
        "independent, which frames of one video are not."
    )
