"""How often each test claims a difference where there is none."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, canvas, legend_below
from eifer.tables.calibration import BLOCKS, NAMES, PUBLISHED, people

LEFT_OUT = "equivalence"
"""It claims the opposite: that there is none."""


def draw(rates: pd.DataFrame) -> tuple[Figure, str]:
    """A line a test and design with Wilson's interval, and the level it should reject at."""
    null = rates[(rates["true_effect"] == 0) & (rates["training"] == 0)]
    null = null[null["test"] != LEFT_OUT]
    rows = null.assign(place=null["test"].map([*BLOCKS].index), people=people(null)).sort_values(
        ["place", "ease", "participants", "frames"], ignore_index=True
    )
    figure, [[axes]] = canvas(1.2 + 0.19 * len(rows))
    for block, colour in ((PUBLISHED, GROUP["Low"]), (None, GROUP["High"])):
        shown = rows[rows["block"] == block] if block else rows[rows["block"] != PUBLISHED]
        rate, low, high = (100 * shown[name] for name in ("rate", "ci_low", "ci_high"))
        axes.errorbar(
            rate,
            shown.index,
            xerr=[(rate - low).clip(lower=0), (high - rate).clip(lower=0)],
            linestyle="",
            marker="o",
            markersize=4,
            capsize=2,
            color=colour,
            label=block or "at the participant level",
        )
    level = 100 * rows["alpha"].iloc[0]
    axes.axvline(level, color="black", linewidth=0.8, linestyle=":", label=f"level, {level:g} %")
    names = [
        f"{NAMES[row['test']]}: {row['people']}, {row['frames']} frames a video"
        for row in rows.to_dict("records")
    ]
    axes.set_yticks(rows.index, names, fontsize=7)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(-2, 102)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("a difference claimed (% of cohorts)")
    legend_below(figure, axes)
    return figure, (
        f"{rows['n_simulations'].min()} to {rows['n_simulations'].max()} drawn cohorts of each "
        "design in which no model is better; bars are the simulation's own 95 % intervals. "
        "With few people the participant level is cautious: the sign-flip test, and the stage's "
        "verdict, then cannot claim anything. Of uneven people most are read without error. "
        "Random effects over repetitions are about "
        "other trainings on the same people; they need not hold the level over people."
    )
