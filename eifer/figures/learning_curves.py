"""Learning curves of every repetition, by task and model."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, canvas, count, legend_below, whole_numbers
from eifer.vocabulary import Group


def draw(curves: pd.DataFrame) -> tuple[Figure, str]:
    """Training and validation loss above, validation macro F1 below; a column a task."""
    tasks = sorted(curves["task"].unique())
    figure, grid = canvas(4.6, 2, len(tasks), sharex="col", sharey="row")
    for column, task in enumerate(tasks):
        loss, score = grid[0][column], grid[1][column]
        for group in Group:
            rows = curves[(curves["task"] == task) & (curves["training_group"] == group)]
            if rows.empty:  # no entry in the legend either
                continue
            for (name, style), axes in (
                (("train_loss", ":"), loss),
                (("validation_loss", "-"), loss),
                (("validation_macro_f1", "-"), score),
            ):
                for _, repetition in rows.groupby(["rotation", "repetition"]):
                    axes.plot(
                        repetition["epoch"],
                        repetition[name],
                        style,
                        color=GROUP[group],
                        alpha=0.35,
                        linewidth=0.8,
                    )
                mean = rows.groupby("epoch")[name].mean()
                part = " (training)" if style == ":" else " (validation)"
                axes.plot(
                    mean.index, mean, style, color=GROUP[group], label=f"{group}{part}", linewidth=2
                )
        frozen = curves.loc[(curves["task"] == task) & (curves["phase"] == "heads"), "epoch"]
        if len(frozen):
            for axes in (loss, score):
                axes.axvline(frozen.max() + 0.5, color="black", linestyle="--", linewidth=0.8)
        loss.set_title(task)
        score.set_xlabel("epoch")
        whole_numbers(score.xaxis)
        score.set_ylim(0, 1.02)
    grid[0][0].set_ylabel("loss")
    grid[1][0].set_ylabel("validation macro F1")
    legend_below(figure, grid[0][0], columns=3)
    repetitions = curves["repetition"].nunique()
    return figure, (
        f"{count(repetitions, 'repetition')} of each model (thin) and their mean (thick), by what "
        "the backbone was pretrained on. The dashed line parts the epochs that train the heads "
        "alone from those that train everything. Validation frames come from participants whom no "
        "model is trained on; the epoch of best validation macro F1 after that line is kept."
    )
