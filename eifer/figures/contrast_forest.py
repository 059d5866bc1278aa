"""Differences of accuracy and macro F1 between training sets, with their intervals."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, canvas, legend_below
from eifer.tables.expressions import place

KEY = ["network", "first", "second", "tested_on"]
KINDS = {"real": "evaluator, real images", "test": "test part"}
LOOK = {
    "accuracy": (-0.16, "o", GROUP["High"], "accuracy"),
    "macro_f1": (0.16, "s", GROUP["Low"], "macro F1"),
}
CLAIMED = 0.05
"""The q below which a difference is marked."""


def _lines(contrasts: pd.DataFrame) -> list[tuple[str, ...]]:
    rows = contrasts[contrasts["images"].isin(KINDS)]
    keys = {tuple(map(str, key)) for key in rows[KEY].itertuples(index=False)}
    return sorted(keys, key=lambda k: (k[0], place(k[1]), k[3] == "all", *map(place, k[2:])))


def draw(contrasts: pd.DataFrame) -> tuple[Figure, str]:
    """A line a contrast, a panel a kind of images; right of 0 the first is better."""
    lines = _lines(contrasts)
    kinds = [kind for kind in KINDS if (contrasts["images"] == kind).any()]
    if not lines:
        figure, [[axes]] = canvas(0.6)
        axes.set_axis_off()
        axes.text(0.5, 0.5, "no two training sets were compared", ha="center", va="center")
        return figure, (
            "Differences need networks of merged corpora, or of all but one, beside their own."
        )
    several = len({line[0] for line in lines}) > 1
    figure, [panels] = canvas(1.2 + 0.34 * len(lines), 1, len(kinds), sharey=True, sharex=True)
    for axes, kind in zip(panels, kinds, strict=True):
        for metric, (shift, marker, colour, words) in LOOK.items():
            of = contrasts[(contrasts["images"] == kind) & (contrasts["metric"] == metric)]
            rows = of.set_index(KEY).reindex(pd.MultiIndex.from_tuples(lines, names=KEY))
            where = pd.Series(range(len(lines)), index=rows.index) + shift
            axes.errorbar(
                rows["difference"],
                where,
                xerr=[rows["difference"] - rows["low"], rows["high"] - rows["difference"]],
                linestyle="",
                marker=marker,
                markersize=4.5,
                capsize=2.5,
                color=colour,
                markerfacecolor=colour if metric == "accuracy" else "white",
                label=words,
            )
            for key in rows.index[rows["q"] < CLAIMED]:
                axes.annotate(
                    "*",
                    (rows.loc[key, "high"], where[key]),
                    (3, -4),
                    textcoords="offset points",
                    color=colour,
                    fontweight="bold",
                )
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_title(KINDS[kind])
        axes.grid(axis="y", visible=False)
        axes.set_xlabel("difference")
    names = [
        f"{network + ': ' * several if several else ''}{first} − {second}, on {tested_on}"
        for network, first, second, tested_on in lines
    ]
    panels[0].set_yticks(range(len(lines)), names)
    panels[0].set_ylim(len(lines) - 0.5, -0.5)
    legend_below(figure, panels[0])
    shown = contrasts[contrasts["images"].isin(KINDS)]
    claimed = int((shown["q"] < CLAIMED).sum())
    return figure, (
        f"{len(shown)} differences with their intervals (right of 0 the first is better), by "
        f"bootstrap over "
        f"{shown['atoms'].min()} to {shown['atoms'].max()} atoms (copies of a picture and "
        f"pictures of a person stay together). * {claimed} have q < {CLAIMED:g}, by Benjamini and "
        f"Hochberg over all {len(contrasts)} contrasts. They say how other images would "
        "change the difference, of these trainings; how trainings differ is in the table of the "
        "matrix."
    )
