"""Tables 2, 3 and 5: mean (SD) of the metrics over repetitions, and the published ones."""

from __future__ import annotations

import pandas as pd

from eifer.vocabulary import in_order

KEY = ["task", "condition", "training_group"]


def table(summary: pd.DataFrame, published: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a task, condition and model; columns ``<metric>_mean``, ``_sd``, both published.

    Of several networks, each has rows of its own.
    """
    key = ["network"] * ("network" in summary) + KEY
    searched = summary[summary["threshold_kind"] == "searched"]
    ours = _wide(searched, key, ("mean", "sd", "n_used"))
    theirs = _wide(published, key, ("mean", "sd")).add_suffix("_published")
    trained = summary[summary["training_group"] != "Affect"]
    n = trained["n_repetitions"].max()
    return in_order(ours.join(theirs).reset_index(), key), (
        f"Mean (SD, divisor n - 1) over {n} repetition{'' if n == 1 else 's'} on one fixed test "
        "set, at the threshold found on validation data. In the report, the second line of a cell "
        "is the published mean (SD) over 5 repetitions. An SD over repetitions says how much "
        "trainings differ, not how much people do."
    )


def _wide(long: pd.DataFrame, key: list[str], kinds: tuple[str, ...]) -> pd.DataFrame:
    wide = long.pivot(index=key, columns="metric", values=list(kinds))
    wide.columns = wide.columns.to_flat_index().map(lambda name: f"{name[1]}_{name[0]}")
    return wide[sorted(wide.columns)]
