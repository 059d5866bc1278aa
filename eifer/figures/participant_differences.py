"""Each test participant's difference in ROC-AUC, and what their mean can be."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, GROUP, MUTED, canvas, legend_below
from eifer.tables.comparison import PLACE
from eifer.vocabulary import in_order


def draw(by_participant: pd.DataFrame, participant_deltas: pd.DataFrame) -> tuple[Figure, str]:
    """A line a task, condition and contrast: people hollow, their mean filled, margins shaded."""
    rows = in_order(by_participant, PLACE)
    where = pd.Series(rows.index, index=pd.MultiIndex.from_frame(rows[PLACE]))
    lines = where.reindex(pd.MultiIndex.from_frame(participant_deltas[PLACE])).to_numpy()
    figure, [[axes]] = canvas(1.3 + 0.3 * len(rows))
    margin = rows["margin"].iloc[0]
    axes.axvspan(-margin, margin, color=ACCENT, alpha=0.18, linewidth=0, label="would not matter")
    axes.plot(
        participant_deltas["delta"],
        lines + 0.18,
        linestyle="",
        marker="o",
        markersize=4,
        color=MUTED,
        markerfacecolor="white",
        label="one participant",
    )
    axes.errorbar(
        rows["delta"],
        rows.index - 0.12,
        xerr=[rows["delta"] - rows["ci_low"], rows["ci_high"] - rows["delta"]],
        linestyle="",
        marker="o",
        markersize=5,
        capsize=2.5,
        color=GROUP["High"],
        label="mean",
    )
    axes.axvline(0, color="black", linewidth=0.8)
    starred = rows["role"].map({"confirmatory": " *", "exploratory": ""})
    places = rows[PLACE].itertuples(index=False)
    names = [f"{models}: {', '.join(place)}" for models, *place in places] + starred
    axes.set_yticks(rows.index, names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(
        "difference in ROC-AUC with 95 % interval over people (right of 0: High better)"
    )
    legend_below(figure, axes)
    people = participant_deltas["participant_id"].nunique()
    blank = int(participant_deltas["delta"].isna().sum())
    gaps = f" {blank} have none (frames of one class)." * bool(blank)
    return figure, (
        f"Mean over repetitions of the difference among each of {people} participants' own frames, "
        f"in {len(by_participant)} contrasts.{gaps} Shaded: less than "
        f"{margin:g} apart, the margin of equivalence. "
        "* declared confirmatory before the run."
    )
