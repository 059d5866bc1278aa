"""ROC curves of the models on the test frames: a panel a test."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, canvas, count, legend_below
from eifer.metrics import Curve, averaged, roc
from eifer.vocabulary import Dimension, conditions_in_order

DASHES = {"High": "-", "Low": "--", "Total": "-.", "Affect": ":"}
STEPS = 50
"""Equal distances at which a curve is drawn."""


def draw(predictions: pd.DataFrame) -> tuple[Figure, str]:
    """True by false positive rate, a line a model, mean over its repetitions."""
    figure, panels = panels_by_test(predictions, "false positive rate", "true positive rate")
    for axes in panels.values():
        axes.plot([0, 1], [0, 1], color="black", linewidth=0.6)
    with_curves(figure, panels, predictions, roc)
    return figure, f"True by false positive rate {sample(predictions)} The thin line is chance."


def panels_by_test(predictions: pd.DataFrame, x: str, y: str) -> tuple[Figure, dict[str, Axes]]:
    """Square panels, a row a task and a column a condition, by "task condition"."""
    tasks = [t for t in Dimension if t in set(predictions["task"])]
    conditions = conditions_in_order(predictions["condition"])
    height = 2.2 * len(tasks) + 0.5
    figure, grid = canvas(height, len(tasks), len(conditions), sharex=True, sharey=True)
    for row, task in zip(grid, tasks, strict=True):
        row[0].set_ylabel(f"{task}\n{y}")
        for axes, condition in zip(row, conditions, strict=True):
            axes.set_title(condition if row is grid[0] else "")
            axes.set(xlim=(0, 1), ylim=(0, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
            axes.set_xlabel(x if row is grid[-1] else "")
    places = [f"{task} {condition}" for task in tasks for condition in conditions]
    return figure, dict(zip(places, [axes for row in grid for axes in row], strict=True))


def with_curves(
    figure: Figure, panels: dict[str, Axes], predictions: pd.DataFrame, curve: Curve
) -> None:
    """Draw a line a model into each panel, and say below whose they are."""
    for (task, condition), wide in averaged(predictions, curve, STEPS):
        for model in filter(wide.columns.__contains__, GROUP):
            style: Any = {"color": GROUP[model], "linestyle": DASHES[model], "label": model}
            panels[f"{task} {condition}"].plot(wide.index, wide[model], **style)
    legend_below(figure, next((a for a in panels.values() if len(a.lines) > 1), figure.axes[0]))


def sample(predictions: pd.DataFrame) -> str:
    """Of how many models, trainings and frames curves are."""
    n = predictions.loc[predictions["training_group"] != "Affect", "repetition"].nunique()
    frames = predictions.groupby("condition")["item_id"].nunique()
    sizes = ", ".join(f"{name} {frames[name]}" for name in conditions_in_order(frames.index))
    return (
        f"of each model, mean over {count(n, 'repetition')}, on the same frames "
        f"(of both tasks: {sizes}). Frames of one person are alike, so that a curve says less than "
        "its number of frames suggests."
    )
