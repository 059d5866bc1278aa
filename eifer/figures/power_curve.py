"""How often a difference that is there is found, by its size and the number of people tested."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, CLASS, GROUP, MUTED, canvas, legend_below
from eifer.tables.calibration import people

TEST = "t"
COLOURS = (GROUP["Low"], CLASS[0], ACCENT, GROUP["High"], GROUP["Affect"])


def draw(power: pd.DataFrame) -> tuple[Figure, str]:
    """A curve a number of participants, with Wilson's intervals: the t-test over participants."""
    rows = power[power["test"] == TEST]
    figure, [[axes]] = canvas(2.9)
    order = ["ease", "participants"]
    for place, (_, part) in enumerate(rows.assign(people=people(rows)).groupby(order)):
        curve = part.sort_values("true_effect")
        rate, low, high = (100 * curve[name] for name in ("rate", "ci_low", "ci_high"))
        axes.errorbar(
            curve["true_effect"],
            rate,
            yerr=[rate - low, high - rate],
            marker="o",
            markersize=4,
            capsize=2,
            color=COLOURS[place % len(COLOURS)],
            label=part["people"].iloc[0],
        )
    wanted = 100 * rows["wanted"].iloc[0]
    axes.axhline(wanted, color=MUTED, linestyle=":", label=f"{wanted:g} %")
    axes.set_ylim(0, 102)
    axes.set_xlim(left=0)
    axes.set_xlabel("true difference in ROC-AUC, within a person")
    axes.set_ylabel("cohorts in which it is found (%)")
    legend_below(figure, axes)
    return figure, (
        f"The t-test over participants at level {rows['alpha'].iloc[0]:g}; "
        f"{rows['n_simulations'].max()} drawn cohorts of each point, "
        f"{rows['frames'].iloc[0]} frames of each of {rows['videos'].iloc[0]} videos, "
        f"{rows['repetitions'].iloc[0]} trainings of each model. The same draws at every "
        "difference, so that a curve rises."
    )
