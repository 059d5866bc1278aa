"""Accuracy by gender, age and ethnicity, with what so few images can say of it."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.corpora.evaluation import worst_cells
from eifer.figures.confusion_matrix import of_merged
from eifer.figures.style import GROUP, MUTED, canvas
from eifer.tables.expressions import AGES, ETHNICITIES, GENDERS, UNKNOWN

CELL = ["gender", "age", "ethnicity"]
_ORDER = {
    name: k for k, name in enumerate((*dict.fromkeys((*GENDERS, *AGES, *ETHNICITIES)), UNKNOWN))
}


def chosen(by_cell: pd.DataFrame) -> pd.DataFrame:
    """The rows that are shown: `of_merged`, on real images."""
    rows = of_merged(by_cell[by_cell["images"] == "real"])
    return rows.sort_values(CELL, key=lambda names: names.map(_ORDER), ignore_index=True)


def draw(by_cell: pd.DataFrame) -> tuple[Figure, str]:
    """A line a cell, a panel a network; the dashed line is the accuracy of all cells together."""
    rows = chosen(by_cell)
    networks = sorted(rows["network"].unique())
    cells = rows[CELL].drop_duplicates(ignore_index=True)
    height = 1.1 + 0.17 * len(cells)
    figure, [panels] = canvas(height, 1, len(networks), sharey=True, sharex=True)
    worst = worst_cells(rows).set_index("network", drop=False)
    for axes, network in zip(panels, networks, strict=True):
        of = cells.merge(rows[rows["network"] == network], how="left", on=CELL)
        lowest = (of[CELL] == worst.loc[network, CELL]).all(axis=1)
        for part, marker, colour in ((~lowest, "o", GROUP["High"]), (lowest, "s", GROUP["Low"])):
            axes.errorbar(
                of["accuracy"][part],
                of.index[part],
                xerr=[(of["accuracy"] - of["low"])[part], (of["high"] - of["accuracy"])[part]],
                linestyle="",
                marker=marker,
                markersize=4,
                capsize=2,
                linewidth=1,
                color=colour,
            )
        for k, n in of["n"].dropna().items():
            axes.annotate(
                f"{n:.0f}",
                (1.0, k),
                (12, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=7,
                annotation_clip=False,
            )
        axes.annotate(
            "n", (1.0, 1.0), (12, 3), xycoords="axes fraction", textcoords="offset points",
            ha="center", fontsize=7.5,
        )  # fmt: skip
        axes.axvline(of["right"].sum() / of["n"].sum(), color=MUTED, linestyle="--", linewidth=1)
        axes.set_title(network)
        axes.set_xlabel("accuracy with Wilson's interval")
        axes.set_xlim(-0.02, 1.02)
        axes.grid(axis="y", visible=False)
    names = [", ".join(cell) for cell in cells.itertuples(index=False)]
    panels[0].set_yticks(cells.index, names, fontsize=7.5)
    panels[0].set_ylim(len(cells) - 0.4, -0.6)
    first = rows[rows["network"] == rows["network"].min()]
    named = "; ".join(
        f"{row['network']}: {row['gender']}, {row['age']}, {row['ethnicity']}, {row['right']} of "
        f"{row['n']} ({row['low']:.2f} to {row['high']:.2f})"
        for row in worst.to_dict("records")
    )
    return figure, (
        f"Trained on {rows['trained_on'].iloc[0]}, {first['n'].sum()} real images in {len(first)} "
        f"cells; repetitions' mean probabilities. Worst (square): {named}. Of so many cells one is "
        "always worst: its interval says how far that may be chance. Where gender and age are "
        "predicted, they are often wrong (age by 9.5 years, SD within a person)."
    )
