"""How often each test claims an effect in drawn predictions whose truth is known."""

from __future__ import annotations

import pandas as pd

from eifer.tables.calibration import BLOCKS, DESIGN, NAMES, people


def table(rates: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Rates in percent, those without a true difference first; tests in the order of the blocks."""
    place = rates["test"].map([*BLOCKS].index)
    rows = rates.assign(place=place, test=rates["test"].map(NAMES))
    rows = rows.sort_values(
        ["training", "ease", "true_effect", "participants", "frames", *DESIGN, "place"],
        ignore_index=True,
    )
    percent = {name: 100 * rows[name] for name in ("rate", "ci_low", "ci_high", "alpha")}
    luck = (rows["training"] > 0).map({True: "differ by luck", False: "alike"})
    return rows.assign(**percent, trainings=luck, people=people(rows)), (
        f"{rates['n_simulations'].min()} to {rates['n_simulations'].max()} cohorts of each design. "
        "True ΔAUC 0: the share claimed is an error, to be set against the level. Equivalence "
        "claims that there is no difference that matters: at ΔAUC 0 its share is its power; its "
        "error is the share at a difference as large as the margin. Where one training is better "
        "by luck, for everybody alike, no test over participants can tell that from a better "
        "training set. Of uneven people most are read without error; few people hold all errors. "
        "Intervals are Wilson's, of the simulation alone."
    )
