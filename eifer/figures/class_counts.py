"""How many images each corpus has of each class, and what they serve for."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import canvas, legend_below
from eifer.tables.expressions import PARTS
from eifer.vocabulary import Expression

# By lightness and by hatching, so that they differ in grey print too.
LOOK = {
    "train": ("#0072B2", ""),
    "validation": ("#56B4E9", ""),
    "test": ("#F0E442", "///"),
    "evaluator": ("#E69F00", "xxx"),
    "left_out": ("#E3E3E3", "..."),
}
ACROSS = 3
"""Panels side by side."""


def draw(division: pd.DataFrame) -> tuple[Figure, str]:
    """A panel a corpus, a bar a class with its count, in it the parts."""
    corpora = sorted(division["corpus"].unique())
    rows = -(-len(corpora) // ACROSS)
    figure, grid = canvas(0.8 + 1.9 * rows, rows, min(ACROSS, len(corpora)), sharey=True)
    panels = [axes for row in grid for axes in row]
    classes = list(Expression)
    for axes, corpus in zip(panels, corpora, strict=False):
        of = division[division["corpus"] == corpus]
        counts = pd.crosstab(of["label"], of["part"])
        counts = counts.reindex(index=classes, columns=PARTS, fill_value=0)
        left = pd.Series(0, index=counts.index)
        for part, (colour, hatch) in LOOK.items():
            axes.barh(
                classes,
                counts[part],
                left=left,
                color=colour,
                hatch=hatch,
                edgecolor="#4D4D4D",
                linewidth=0.4,
                label=part.replace("_", " "),
            )
            left += counts[part]
        for label, n in left.items():
            axes.annotate(
                str(n), (n, label), (3, 0), textcoords="offset points", va="center", fontsize=7.5
            )
        axes.set_xlim(0, 1.22 * max(left.max(), 1))
        axes.set_ylim(len(classes) - 0.4, -0.6)
        axes.grid(axis="y", visible=False)
        axes.locator_params(axis="x", nbins=4)
        axes.set_title(f"{corpus} (n = {len(of)})")
        axes.set_xlabel("images")
    for axes in panels[len(corpora) :]:
        axes.set_visible(False)
    legend_below(figure, panels[0])
    by_part = division["part"].value_counts()
    parts = ", ".join(
        f"{part.replace('_', ' ')} {by_part[part]}" for part in PARTS if part in by_part
    )
    sizes = division.groupby("corpus")["label"].value_counts()
    least, most = (sizes.index[int(k)] for k in (sizes.argmin(), sizes.argmax()))
    return figure, (
        f"{len(division)} images of {division['corpus'].nunique()} corpora: {parts}. The number "
        f"at a bar is all of its images. Fewest: {least[1]} in {least[0]} ({sizes.min()}); most: "
        f"{most[1]} in {most[0]} ({sizes.max()})."
    )
