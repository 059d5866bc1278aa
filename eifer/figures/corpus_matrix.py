"""Accuracy of every training set on every corpus's evaluator."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from eifer.figures.style import canvas, count
from eifer.tables.expressions import ALL, DRAWN, place

DARK = 0.7
"""Accuracies above it stand on a dark ground."""


def draw(matrix: pd.DataFrame) -> tuple[Figure, str]:
    """A panel a network: a row a training set, a column what it is tested on.

    Scores are on original labels: of real images, and of the fill-ins by themselves.
    """
    kinds = (matrix["images"] == "real") | (matrix["tested_on"] == DRAWN)
    rows = matrix[kinds & (matrix["target"] == "original")]
    networks = sorted(rows["network"].unique())
    tested = sorted(rows["tested_on"].unique(), key=place)
    trained = sorted(rows["trained_on"].unique(), key=place)
    height = 1.1 + 0.42 * len(trained)
    figure, grid = canvas(height * len(networks), len(networks))
    sizes = rows.groupby("tested_on")["n"].max()
    for [axes], network in zip(grid, networks, strict=True):
        of = rows[rows["network"] == network].groupby(["trained_on", "tested_on"])["accuracy"]
        mean = of.mean().unstack().reindex(index=trained, columns=tested)
        sd = of.std().unstack().reindex(index=trained, columns=tested)
        axes.imshow(mean, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        best = mean.to_numpy() == mean.max().to_numpy()
        for i, j in np.ndindex(mean.shape):
            value, spread = mean.iloc[i, j], sd.iloc[i, j]
            if np.isnan(value):
                words = "–"
            else:
                words = f"{value:.3f}" + ("" if np.isnan(spread) else f" ({spread:.3f})")
            axes.text(
                j,
                i,
                words,
                ha="center",
                va="center",
                color="white" if value > DARK else "black",
                fontweight="bold" if best[i, j] else "normal",
            )
            if trained[i] == tested[j]:
                axes.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, linewidth=1.4))
        if ALL in tested:
            axes.axvline(tested.index(ALL) - 0.5, color="black", linewidth=0.8)
        axes.set_xticks(range(len(tested)), [f"{name}\nn = {sizes[name]}" for name in tested])
        axes.set_yticks(range(len(trained)), trained)
        axes.grid(visible=False)
        axes.set_title(network)
        axes.set_ylabel("trained on")
    grid[-1][0].set_xlabel("tested on (evaluator, real images; drawn: its fill-ins)")
    repetitions = rows["repetition"].nunique()
    return figure, (
        f"Accuracy on original labels, mean (SD) over {count(repetitions, 'repetition')}. Framed: "
        "tested on images of the corpus that it was trained on. Bold: the best of the column. "
        "Specialists: each image by its own corpus's network; merging must beat them. Chance is "
        "1/7 = 0.143 where all seven classes are there, as often as each other; else it is more."
    )
