"""Tables 4 and 6: High against Low and Total, with what was published beside it."""

from __future__ import annotations

import pandas as pd

from eifer.tables.comparison import CONTRAST
from eifer.vocabulary import in_order


def table(comparison: pd.DataFrame, published: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The comparison table, its published columns with the suffix ``_published``."""
    key = ["network"] * ("network" in comparison) + CONTRAST
    theirs = published.set_index(key).add_suffix("_published")
    made = comparison.join(theirs, on=key)
    made["n_warnings"] = [
        0 if pd.isna(text) else len(text.split("\n")) for text in made["warnings"]
    ]
    return in_order(made, key), (
        f"{len(comparison)} contrasts over {comparison['n_repetitions'].max()} repetitions, tested "
        f"on frames of {comparison['n_participants'].max()} participants. ΔAUC above 0 and an odds "
        "ratio (OR) below 1 favour High. q: Benjamini-Hochberg over tasks and contrasts of a "
        "condition. In grey: published, of another cohort; where the source gives no number, its "
        "words or nothing."
    )
