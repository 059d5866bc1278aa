"""Learning curves of the networks that recognise expressions, and the epoch that is kept."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, GROUP, canvas, count, whole_numbers
from eifer.tables.expressions import place

ACROSS = 4
"""Panels side by side."""
LINES = {
    "train_loss": (":", GROUP["Low"], "training loss"),
    "validation_loss": ("-", GROUP["Low"], "validation loss"),
    "validation_accuracy": ("-", GROUP["High"], "validation accuracy"),
}


def _networks(curves: pd.DataFrame) -> list[tuple[str, str]]:
    pairs = set(zip(curves["network"], curves["trained_on"], strict=True))
    return sorted(pairs, key=lambda pair: (pair[0], place(pair[1])))


def draw(expression_curves: pd.DataFrame, trained_networks: pd.DataFrame) -> tuple[Figure, str]:
    """A column a network and training set: loss above, validation accuracy below."""
    networks = _networks(expression_curves)
    several = expression_curves["network"].nunique() > 1
    blocks, across = -(-len(networks) // ACROSS), min(ACROSS, len(networks))
    figure, grid = canvas(0.6 + 3.2 * blocks, 2 * blocks, across, sharey="row")
    kept = trained_networks.set_index(["network", "trained_on", "repetition"])["kept_epoch"]
    for k, (network, trained_on) in enumerate(networks):
        row, column = divmod(k, ACROSS)
        loss, score = grid[2 * row][column], grid[2 * row + 1][column]
        of = (expression_curves["network"] == network) & (
            expression_curves["trained_on"] == trained_on
        )
        for n, (repetition, rows) in enumerate(expression_curves[of].groupby("repetition")):
            curve = rows.set_index("epoch").sort_index()
            for name, (style, colour, words) in LINES.items():
                axes = score if name == "validation_accuracy" else loss
                label = "" if n else words
                axes.plot(curve[name], style, color=colour, linewidth=1, alpha=0.8, label=label)
            epoch = kept[network, trained_on, repetition]
            score.plot(
                epoch,
                curve.loc[epoch, "validation_accuracy"],
                "D",
                markersize=5,
                color=ACCENT,
                markeredgecolor="black",
                label="" if n else "kept epoch",
            )
        title = f"{trained_on}\n{network}" if several else trained_on
        loss.set_title(title, fontsize=7.5 if several else None)
        score.set_ylim(0, 1.02)
        score.set_xlabel("epoch")
        for axes in (loss, score):
            whole_numbers(axes.xaxis)
        loss.tick_params(labelbottom=False)
    for k in range(len(networks), blocks * ACROSS if blocks > 1 else 0):
        row, column = divmod(k, ACROSS)
        grid[2 * row][column].set_visible(False)
        grid[2 * row + 1][column].set_visible(False)
    for row in range(blocks):
        grid[2 * row][0].set_ylabel("loss")
        grid[2 * row + 1][0].set_ylabel("accuracy")
    above, below = (axes.get_legend_handles_labels() for axes in (grid[0][0], grid[1][0]))
    handles, labels = ([*first, *second] for first, second in zip(above, below, strict=True))
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    low, high = trained_networks["kept_epoch"].min(), trained_networks["kept_epoch"].max()
    last = int((trained_networks["kept_epoch"] == trained_networks["epochs"]).sum())
    return figure, (
        f"{count(len(trained_networks), 'network')} on "
        f"{count(trained_networks['trained_on'].nunique(), 'training set')}; a line a repetition. "
        f"Kept epochs (diamonds) lie from {low} to {high}; in {last} it is the last one, so that "
        "more epochs might have helped."
    )
