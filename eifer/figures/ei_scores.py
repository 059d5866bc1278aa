"""Everybody's EI score, and the cutoff between the groups."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, GROUP_MARK, canvas, count
from eifer.vocabulary import EiIndex


def draw(scores: pd.DataFrame, cutoff_scan: pd.DataFrame) -> tuple[Figure, str]:
    """Total score on the left, the three indices on the right; one mark a participant."""
    cutoff = cutoff_scan.loc[cutoff_scan["chosen"], "cutoff"].iloc[0]
    figure, [[total, indices]] = canvas(2.9, 1, 2, width_ratios=[1, 1.6])
    for place, group in enumerate(("High", "Low")):
        members = scores[scores["group"] == group].sort_values("ei_score")
        spread = [(k % 5 - 2) * 0.09 for k in range(len(members))]
        style: dict[str, Any] = {
            "color": GROUP[group],
            "marker": GROUP_MARK[group],
            "linestyle": "",
            "alpha": 0.75,
            "markersize": 5,
        }
        total.plot([place + s for s in spread], members["ei_score"], **style)
        for at, index in enumerate(EiIndex):
            indices.plot(
                [at + (place - 0.5) * 0.4 + s * 0.5 for s in spread],
                members[index],
                label=f"{group} EI" if at == 0 else None,
                **style,
            )
    total.axhline(cutoff, color="black", linestyle=":", linewidth=1)
    total.annotate(f"cutoff {cutoff}", (-0.45, cutoff - 4), va="top", ha="left", fontsize=7.5)
    total.set_xticks([0, 1], ["High", "Low"])
    total.set_xlim(-0.5, 1.5)
    total.set_ylabel("EI score (points, 0 to 1200)")
    indices.set_xticks(range(len(EiIndex)), [index.replace("_", "\n") for index in EiIndex])
    indices.set_ylabel("index (points, 0 to 400)")
    indices.legend(loc="best")
    sizes = scores["group"].value_counts()
    return figure, (
        f"EI scores of {count(len(scores), 'participant')} ({sizes['High']} High, {sizes['Low']} "
        "Low), one mark each: the sum on the left, its three indices on the right. Marks are "
        "spread sideways only to be seen."
    )
