"""Precision-recall curves of the models on the test frames: a panel a test."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.roc import panels_by_test, sample, with_curves
from eifer.metrics import precision_recall


def draw(predictions: pd.DataFrame) -> tuple[Figure, str]:
    """Precision by recall of the class high, a line a model, mean over its repetitions."""
    figure, panels = panels_by_test(predictions, "recall", "precision")
    for (task, condition), rows in predictions.groupby(["task", "condition"]):
        panels[f"{task} {condition}"].axhline(rows["label"].mean(), color="black", linewidth=0.6)
    with_curves(figure, panels, predictions, precision_recall)
    return figure, (
        f"Precision by recall of the class high {sample(predictions)} The thin line is the share "
        "of high frames, which chance reaches."
    )
