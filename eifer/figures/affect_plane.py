"""The arousal-valence plane of the selected frames, by group and label."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import CLASS, CLASS_MARK, canvas, legend_below

WORD = {0: "low", 1: "high"}


def draw(selection: pd.DataFrame, scores: pd.DataFrame) -> tuple[Figure, str]:
    """A column a group, a row a dimension, whose label colours the frames ranked for it."""
    kept = selection["arousal_rank"].notna() | selection["valence_rank"].notna()
    frames = selection[kept].merge(scores[["participant_id", "group"]], on="participant_id")
    figure, grid = canvas(6.4, 2, 2, sharex=True, sharey=True)
    for row, dimension in zip(grid, ("arousal", "valence"), strict=True):
        for axes, group in zip(row, ("High", "Low"), strict=True):
            chosen = frames[(frames["group"] == group) & frames[f"{dimension}_rank"].notna()]
            for label in (0, 1):
                of = chosen[chosen[f"{dimension}_label"] == label]
                axes.plot(
                    of["valence_estimate"],
                    of["arousal_estimate"],
                    linestyle="",
                    marker=CLASS_MARK[label],
                    markersize=2.5,
                    markeredgewidth=0,
                    alpha=0.45,
                    color=CLASS[label],
                    label=f"label {WORD[label]}",
                    # A point each would make the file grow with the cohort.
                    rasterized=True,
                )
            axes.axhline(0, color="black", linewidth=0.6)
            axes.axvline(0, color="black", linewidth=0.6)
            axes.set_xlim(-1.05, 1.05)
            axes.set_ylim(-1.05, 1.05)
            axes.set_aspect("equal")
            axes.set_title(f"{group} EI, {dimension} label (n = {len(chosen)})")
        row[0].set_ylabel("estimated arousal (-1 to 1)")
    for axes in grid[1]:
        axes.set_xlabel("estimated valence (-1 to 1)")
    legend_below(figure, grid[0][0])
    for handle in figure.legends[0].get_lines():
        handle.set(markersize=6, alpha=1)
    return figure, (
        f"{len(frames)} frames selected from {frames['video_id'].nunique()} videos of "
        f"{frames['participant_id'].nunique()} participants, where the estimator puts them. "
        "Above: those ranked for arousal, below: for valence (n in each title; a frame may be "
        "ranked for both). The two sides of an axis hold one class each because selection keeps "
        "only frames whose sign agrees with the label: the picture shows the rule, not a finding."
    )
