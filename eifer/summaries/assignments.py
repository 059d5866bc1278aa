"""The contrasts in each assignment of labels that is no random one."""

from __future__ import annotations

import pandas as pd

from eifer.tables.comparison import PLACE
from eifer.vocabulary import in_order


def table(by_assignment: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a contrast and assignment; of the random ones their mean and range."""
    null = by_assignment["assignment"].str.startswith("null")
    named = by_assignment[~null].assign(low=float("nan"), high=float("nan"), n=1)
    spread = by_assignment[null].groupby(PLACE)["delta"]
    drawn = spread.agg(delta="mean", low="min", high="max", n="size").reset_index()
    made = in_order(pd.concat([named, drawn.assign(assignment="random labels")]), PLACE)
    names = by_assignment["assignment"].unique()
    n = sum(name.startswith("null") for name in names)
    return made, (
        f"Mean ΔAUC over participants in {len(names)} assignments of labels to the same people, "
        f"{n} of them random (their mean, smallest and largest). ei: the cutoff. matched: the same "
        "groups cut to equal sizes. own, clear, final: the same groups, trained on each task's own "
        "frames, trained without neutral ratings, with the last epoch kept. An estimator's name: "
        "the same groups, trained on frames that this estimator chose. above: another cutoff. "
        "tertiles: the upper third of the EI scores against the lower."
    )
