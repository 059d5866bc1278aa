"""The differences that random labels of the same people give, and that of the EI groups."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, GROUP, MUTED, canvas, legend_below
from eifer.vocabulary import ESTIMATORS, in_order

KEY = ["models", "task", "condition"]
OTHERS = {
    "matched": ("D", ACCENT),
    "own": ("s", ACCENT),
    "clear": ("P", ACCENT),
    "final": ("X", ACCENT),
    **dict.fromkeys(ESTIMATORS, ("*", ACCENT)),
    "tertiles": ("^", "black"),
}


def draw(by_assignment: pd.DataFrame) -> tuple[Figure, str]:
    """A line a task and condition: High less Low of random labels hollow, of EI filled."""
    contrast = by_assignment[by_assignment["contrast"] == "High-Low"]
    places = in_order(contrast[KEY].drop_duplicates(), KEY)
    lines = pd.Series(places.index, index=pd.MultiIndex.from_frame(places[KEY]))
    figure, [[axes]] = canvas(1.3 + 0.3 * len(places))
    null = contrast["assignment"].str.startswith("null")
    above = {name: ("v", MUTED) for name in contrast["assignment"] if name.startswith("above")}
    marks = {"random labels": ("o", MUTED), "ei": ("o", GROUP["High"]), **OTHERS, **above}
    for name, (mark, colour) in marks.items():
        rows = contrast[null if name == "random labels" else contrast["assignment"] == name]
        if rows.empty:  # no entry in the legend either
            continue
        axes.plot(
            rows["delta"],
            lines.reindex(pd.MultiIndex.from_frame(rows[KEY])),
            linestyle="",
            marker=mark,
            markersize=4 if name == "random labels" else 6,
            color=colour,
            markerfacecolor="white" if name == "random labels" else colour,
            label="EI groups" if name == "ei" else name,
        )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(
        places.index, places["models"] + ": " + places["task"] + ", " + places["condition"]
    )
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("mean over participants of ΔAUC, High less Low (right of 0: High better)")
    legend_below(figure, axes)
    names = by_assignment["assignment"].unique()
    n = sum(name.startswith("null") for name in names)
    if not n:
        return figure, "No random assignment of High and Low was trained."
    return figure, (
        f"Each of {n} random assignments of High and Low to the same people was trained and tested "
        "as the EI groups were. If EI does not matter, the mark of the EI groups lies "
        "anywhere among the others."
    )
