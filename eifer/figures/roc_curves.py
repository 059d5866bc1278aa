"""One model's ROC curves on the test frames, a line a condition."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, CLASS, MUTED, canvas
from eifer.vocabulary import conditions_in_order

COLOURS = (MUTED, ACCENT, CLASS[1], CLASS[0])
"""In turn, of the test conditions in their order."""


def draw(predictions: pd.DataFrame) -> tuple[Figure, str]:
    """The curve in each condition, and a mark where the model's own threshold puts it.

    It has no caption: it stands in MLflow, which shows none.
    """
    from sklearn.metrics import roc_auc_score, roc_curve

    figure, [[axes]] = canvas(4.2)
    conditions = conditions_in_order(predictions["condition"])
    for condition, colour in zip(conditions, itertools.cycle(COLOURS), strict=False):
        rows = predictions[predictions["condition"] == condition]
        label, score = rows["label"], rows["score"]
        if label.nunique() < 2:  # one class alone has no curve
            continue
        false, true, _ = roc_curve(label, score)
        area = f"{condition}: {roc_auc_score(label, score):.3f} of {len(rows)} frames"
        axes.plot(false, true, color=colour, label=area)
        called = score >= rows["threshold"]
        axes.plot(called[label == 0].mean(), called[label == 1].mean(), "o", color=colour)
    axes.plot([0, 1], [0, 1], color="black", linestyle=":", linewidth=0.8)
    axes.set_aspect("equal")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate (mark: at the model's threshold)")
    axes.legend(title="area under the curve", loc="lower right")
    return figure, ""
