"""Which class is taken for which, by the network of all corpora together."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eifer.figures.style import canvas, count
from eifer.tables.expressions import ALL, MERGED
from eifer.vocabulary import Expression

CLASSES = [str(name) for name in Expression]
ACROSS = 2
"""Panels side by side."""
DARK = 0.7
"""Shares above it stand on a dark ground."""


def of_merged(rows: pd.DataFrame) -> pd.DataFrame:
    """What was trained on all corpora together, else on the first training set."""
    known = set(rows["trained_on"])
    return rows[rows["trained_on"] == (MERGED if MERGED in known else min(known))]


def draw(confusion: pd.DataFrame) -> tuple[Figure, str]:
    """A panel a network; a row a class: of its images, the share and number of each answer."""
    rows = of_merged(
        confusion[
            (confusion["tested_on"] == ALL)
            & (confusion["images"] == "real")
            & (confusion["target"] == "original")
        ]
    )
    networks = sorted(rows["network"].unique())
    down, across = -(-len(networks) // ACROSS), min(ACROSS, len(networks))
    size = 8.0 if across == 1 else 5.5
    figure, grid = canvas(5.2 if across == 1 else 3.6 * down, down, across, sharex=True)
    panels = [axes for row in grid for axes in row]
    for axes, network in zip(panels, networks, strict=False):
        of = rows[rows["network"] == network]
        counts = of.groupby(["label", "answer"])["n"].sum().unstack().loc[CLASSES, CLASSES]
        n = counts.sum(axis=1)
        share = counts.div(n.where(n > 0), axis=0).fillna(0).to_numpy()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for i, j in ((i, j) for i in range(len(CLASSES)) for j in range(len(CLASSES))):
            axes.text(
                j,
                i,
                f"{share[i, j]:.2f}\n{counts.iloc[i, j]}",
                ha="center",
                va="center",
                fontsize=size,
                color="white" if share[i, j] > DARK else "black",
                fontweight="bold" if i == j else "normal",
            )
        for k in range(len(CLASSES)):
            axes.add_patch(Rectangle((k - 0.5, k - 0.5), 1, 1, fill=False, linewidth=1.2))
        axes.set_xticks(range(len(CLASSES)), CLASSES, rotation=40, ha="right")
        names = [f"{name} ({n[name]})" for name in CLASSES]
        axes.set_yticks(range(len(CLASSES)), names)
        axes.grid(visible=False)
        axes.set_title(network)
        axes.set_xlabel("answer")
    for axes in panels[len(networks) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel("label (images)")
    repetitions = rows["repetition"].nunique()
    images = rows[rows["network"] == rows["network"].iloc[0]]["n"].sum() // repetitions
    apart = rows[rows["label"] != rows["answer"]].groupby(["label", "answer"])["n"].sum()
    label, answer = apart.index[int(apart.argmax())]
    return figure, (
        f"Trained on {rows['trained_on'].iloc[0]}, tested on {images} real images of the "
        f"evaluator, answers of {count(repetitions, 'repetition')} added up. In each cell the "
        f"share of the row and the number; right answers are framed. Most often {label} is taken "
        f"for {answer} ({apart.max()})."
    )
