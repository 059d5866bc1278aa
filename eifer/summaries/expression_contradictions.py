"""What the sources of the expressions study say of themselves and of each other."""

from __future__ import annotations

import pandas as pd

from eifer.summaries import source_tables


def table(expression_consistency: pd.DataFrame) -> pd.DataFrame:
    """As `source_tables`, after the column ``source``: a row a check and verdict."""
    return pd.concat(
        [
            source_tables.table(rows).assign(source=source)
            for source, rows in expression_consistency.groupby("source", sort=False)
        ],
        ignore_index=True,
    )[["source", "check", "verdict", "figures", "which"]]


def caption(expression_consistency: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    return (
        f"{source_tables.caption(expression_consistency)} S2: Mejia-Escobar et al. 2023; S3: "
        "Kausar et al.; S4: Choudhari et al."
    )
