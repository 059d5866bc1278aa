"""Every single thing that was left out, with its place and reason."""

from __future__ import annotations

import pandas as pd


def table(attrition: pd.DataFrame) -> pd.DataFrame:
    """The stages' own attrition tables, one below the other."""
    return attrition


def caption(attrition: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    return f"All {len(attrition)} entries of the stages' attrition tables."
