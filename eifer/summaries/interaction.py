"""Whether a difference between models is larger in one condition than in another."""

from __future__ import annotations

import pandas as pd

from eifer.vocabulary import in_order


def table(interaction: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The contrast of High and Low, every two conditions."""
    rows = interaction[interaction["contrast"] == "High-Low"]
    return in_order(rows, ["models", "task", "condition"]), (
        "ΔAUC (High less Low) in one condition less that in another, within "
        f"{interaction['n_used'].max()} participants (t); q over all {len(interaction)} "
        "comparisons, those with Total among them. To call an effect one of a condition needs "
        "this: a small p there and a large one elsewhere do not show a difference."
    )
