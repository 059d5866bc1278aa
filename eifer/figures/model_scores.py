"""Test scores of every model and repetition, by task and condition."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, GROUP_MARK, canvas, count, legend_below
from eifer.vocabulary import conditions_in_order

METRICS = {"macro_f1": "macro F1", "roc_auc": "ROC-AUC"}


def draw(metrics: pd.DataFrame) -> tuple[Figure, str]:
    """A mark a repetition, a bar for their mean; a column a task, a row a metric."""
    searched = metrics[metrics["threshold_kind"] == "searched"]
    tasks = sorted(searched["task"].unique())
    conditions = conditions_in_order(searched["condition"])
    figure, grid = canvas(4.8, len(METRICS), len(tasks), sharex=True, sharey="row")
    for row, (metric, name) in zip(grid, METRICS.items(), strict=True):
        for axes, task in zip(row, tasks, strict=True):
            for shift, group in enumerate(GROUP):
                for place, condition in enumerate(conditions):
                    values = searched.loc[
                        (searched["task"] == task)
                        & (searched["condition"] == condition)
                        & (searched["training_group"] == group),
                        metric,
                    ]
                    x = place + (shift - 1.5) * 0.2
                    axes.plot(
                        [x] * len(values),
                        values,
                        linestyle="",
                        marker=GROUP_MARK[group],
                        markersize=4,
                        alpha=0.6,
                        color=GROUP[group],
                        label=group if place == 0 else None,
                    )
                    if len(values):
                        mean = values.mean()
                        axes.plot([x - 0.08, x + 0.08], [mean, mean], color="black", linewidth=1.2)
            axes.set_xticks(range(len(conditions)), conditions)
            axes.grid(axis="x", visible=False)
            axes.set_title(task if row is grid[0] else "")
        row[0].set_ylabel(name)
    legend_below(figure, grid[0][0])
    repetitions = searched.loc[searched["training_group"] != "Affect", "repetition"].nunique()
    sizes = searched.groupby("condition")["n_items"].max()
    items = ", ".join(f"{name} {sizes[name]}" for name in conditions)
    return figure, (
        "Macro F1 at the threshold found on validation, and ROC-AUC, of "
        f"{count(repetitions, 'repetition')} of each model (marks) with their mean (bar), on the "
        f"same test frames (of both tasks: {items}). Affect is "
        "the network that estimated arousal and valence, untouched: its estimates chose the test "
        "frames, so it is right by construction where they are unambiguous and mostly wrong where "
        "they are ambiguous."
    )
