"""Whether scores are probabilities: how many frames are high among those with a score."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.roc import DASHES, panels_by_test, sample
from eifer.figures.style import GROUP, GROUP_MARK, legend_below
from eifer.metrics import ECE_BINS

LEAST = 10
"""Scores in a bin that is drawn."""


def draw(predictions: pd.DataFrame) -> tuple[Figure, str]:
    """Share of high frames by mean score in bins of equal width, a line a model."""
    figure, panels = panels_by_test(predictions, "mean score", "share of high frames")
    edges = np.arange(1, ECE_BINS) / ECE_BINS
    for axes in panels.values():
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.6)
    for (task, condition), rows in predictions.groupby(["task", "condition"]):
        for model in GROUP:
            own = rows[rows["training_group"] == model]
            bins = np.digitize(own["score"], edges, right=True)
            means = own.groupby(bins)[["score", "label"]].agg(["mean", "size"])
            shown = means[means["score", "size"] >= LEAST]
            panels[f"{task} {condition}"].plot(
                shown["score", "mean"],
                shown["label", "mean"],
                color=GROUP[model],
                linestyle=DASHES[model],
                marker=GROUP_MARK[model],
                markersize=3,
                label=model,
            )
    legend_below(figure, figure.axes[0])
    return figure, (
        f"Share of high frames by mean score, in {ECE_BINS} bins of equal width with at least "
        f"{LEAST} scores, {sample(predictions)} On the thin line a score is a probability; below "
        "it a model is too sure of high. ECE and slope in the table are of single trainings."
    )
