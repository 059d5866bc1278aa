"""What became of every frame: accepted, or why not."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import REASON, canvas, legend_below
from eifer.tables.faces import REASONS


def draw(counts: pd.DataFrame) -> tuple[Figure, str]:
    """One bar a participant, all of their videos together."""
    parts = ["frames_accepted", *(f"rejected_{reason}" for reason in REASONS)]
    people = counts.groupby("participant_id")[["frames_decoded", *parts]].sum()
    share = 100 * people[parts].div(people["frames_decoded"], axis=0)
    names = people.index.str.removeprefix("sub-")
    figure, [[axes]] = canvas(1.0 + 0.17 * len(people))
    left = pd.Series(0.0, index=people.index)
    for part, kind in zip(parts, ("accepted", *REASONS), strict=True):
        axes.barh(names, share[part], left=left, color=REASON[kind], label=kind.replace("_", " "))
        left += share[part]
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_ylim(len(people) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("frames (%)")
    axes.set_ylabel("participant")
    legend_below(figure, axes)
    total = counts["frames_decoded"].sum()
    kept = counts["frames_accepted"].sum()
    return figure, (
        f"All {total} decoded frames of {len(counts)} videos of "
        f"{counts['participant_id'].nunique()} participants: {kept} accepted "
        f"({100 * kept / total:.1f} %), each other frame with the first reason that held. In "
        f"{counts['frames_several_faces'].sum()} frames several faces showed, of which the "
        f"participant's was taken; in {counts['frames_switched'].sum()} it was at another place "
        "than the last, perhaps another person's."
    )
