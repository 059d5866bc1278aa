"""What the sources of the expressions study say of themselves and of each other."""

from __future__ import annotations

import pandas as pd

from eifer.summaries import source_tables


def table(expression_consistency: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """As `source_tables`, after the column ``source``: a row a check and verdict."""
    made = pd.concat(
        [
            source_tables.table(rows)[0].assign(source=source)
            for source, rows in expression_consistency.groupby("source", sort=False)
        ],
        ignore_index=True,
    )[["source", "check", "verdict", "figures", "which"]]
    return made, (
        f"{source_tables.table(expression_consistency)[1]} S2: Mejia-Escobar et al. 2023; S3: "
        "Kausar et al.; S4: Choudhari et al."
    )
