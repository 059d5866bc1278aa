"""Pooled differences in ROC-AUC between the models, with the published ones beside them."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, MUTED, canvas, legend_below
from eifer.tables.comparison import CONTRAST
from eifer.vocabulary import in_order

VALUE = ("pooled_delta", "pooled_ci_low", "pooled_ci_high")


def draw(comparison: pd.DataFrame, published: pd.DataFrame) -> tuple[Figure, str]:
    """A line a task, condition and contrast: ours filled, published hollow; right favours High."""
    rows = in_order(comparison, CONTRAST)
    theirs = published.set_index(CONTRAST)[list(VALUE)].reindex(
        pd.MultiIndex.from_frame(rows[CONTRAST])
    )
    figure, [[axes]] = canvas(1.3 + 0.3 * len(rows))
    for shift, drawn, colour, filling, name in (
        (-0.15, rows, GROUP["High"], GROUP["High"], "this study"),
        (0.15, theirs.reset_index(), MUTED, "white", "published"),
    ):
        delta, low, high = (drawn[name] for name in VALUE)
        axes.errorbar(
            delta,
            drawn.index + shift,
            xerr=[delta - low, high - delta],
            linestyle="",
            marker="o",
            markersize=5,
            capsize=2.5,
            color=colour,
            markerfacecolor=filling,
            label=name,
        )
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(rows.index, rows["task"] + ", " + rows["condition"] + ": " + rows["contrast"])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("pooled difference in ROC-AUC with 95 % interval (right of 0: High better)")
    legend_below(figure, axes)
    there = comparison.merge(published.dropna(subset="pooled_delta"), on=CONTRAST)
    blank = int(comparison["pooled_delta"].isna().sum())
    gaps = f" {blank} could not be pooled." * bool(blank)
    return figure, (
        f"Fixed-effect pooled ΔAUC of {len(comparison)} contrasts over "
        f"{comparison['n_repetitions'].max()} repetitions.{gaps} {len(there)} of "
        "the published intervals are known, of another cohort. All take frames and repetitions "
        "for independent, which they are not, so the intervals of both studies are too narrow."
    )
