"""Who and what was left at each step, from recruitment to the test, as a flow diagram."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, MUTED, canvas, count

WIDE = 46
"""Characters in a line of a box."""
LINE_IN = 0.16
"""Height of a line of text, in inches."""


def steps(
    participants: pd.DataFrame,
    videos: pd.DataFrame,
    counts: pd.DataFrame,
    selection: pd.DataFrame,
    samples: pd.DataFrame,
    conditions: pd.DataFrame,
    attrition: pd.DataFrame,
    least_people: int,
) -> list[tuple[str, str]]:
    """The text of each step's box, and of the box beside it: what comes in or goes out there.

    Where fewer than ``least_people`` would be counted, reasons are left to the tables, and
    partitions are told without their people.
    """
    excluded = participants["excluded"].dropna()
    n_included = len(participants) - len(excluded)
    decoded, accepted = int(counts["frames_decoded"].sum()), int(counts["frames_accepted"].sum())
    ranked = selection["arousal_rank"].notna() | selection["valence_rank"].notna()
    chosen = set(selection.loc[ranked, "item_id"])
    used = set(samples["item_id"]) | set(conditions["item_id"])
    recordings = attrition[attrition["level"].isin(["video", "ecg"])]
    parts = [
        (name, samples[samples["partition"] == part])
        for name, part in (("trained", "train"), ("validated", "validation"))
    ]
    parts.append(("tested", conditions))
    people = [rows["participant_id"].nunique() for _, rows in parts]
    ends = [
        f"{name} on: {count(rows['item_id'].nunique(), 'frame')}"
        + f" of {count(n, 'participant')}" * (min(people) >= least_people)
        for (name, rows), n in zip(parts, people, strict=True)
    ]
    return [
        (
            f"{count(len(participants), 'participant')} recruited",
            _out(excluded.value_counts(), least_people),
        ),
        (
            f"{count(n_included, 'participant')} included: "
            f"{count(int(videos['video_path'].notna().sum()), 'face video')}, "
            f"{count(int(videos['ecg_path'].notna().sum()), 'ECG recording')}",
            _out(recordings.groupby("reason")["n"].sum(), least_people),
        ),
        (f"{count(decoded, 'frame')} decoded", _out(_rejected(counts))),
        (
            f"{count(accepted, 'frame')} with an accepted face",
            f"not selected: {accepted - len(chosen)} (estimate nearer to the middle, or of the "
            "other sign than the label)",
        ),
        (
            f"{count(len(chosen), 'frame')} selected for a task",
            f"added for test conditions alone: {len(used - chosen)}; "
            f"not in use: {len(chosen - used)}",
        ),
        (f"{count(len(used), 'frame')} in use", "; ".join(ends)),
    ]


def draw(*sources: Any) -> tuple[Figure, str]:
    """The `steps` of the same sources below each other; beside each, what comes in or goes out."""
    every = [[textwrap.fill(text, WIDE) for text in step] for step in steps(*sources)]
    heights = [LINE_IN * (2 + max(text.count("\n") for text in step)) + 0.25 for step in every]
    figure, [[axes]] = canvas(sum(heights))
    axes.set_axis_off()
    axes.grid(visible=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(sum(heights), 0)
    middles = [sum(heights[:k]) + height / 2 for k, height in enumerate(heights)]
    for k, ((left, right), y) in enumerate(zip(every, middles, strict=True)):
        _box(axes, 0.24, y, left, ACCENT)
        if k + 1 < len(every):
            _arrow(
                axes, (0.24, y + heights[k] * 0.3), (0.24, middles[k + 1] - heights[k + 1] * 0.3)
            )
        if right:
            _box(axes, 0.76, y, right, MUTED)
            _arrow(axes, (0.46, y), (0.52, y))
    return figure, (
        "Participants, recordings and frames from recruitment to the test. Frames are selected for "
        "training and for the baseline condition; the other test conditions take frames of test "
        "participants that were not selected, so that more frames can be in use than were "
        "selected."
    )


def _out(reasons: pd.Series[int], least: int = 1) -> str:
    listed = [f"{n} {reason}" for reason, n in reasons.items() if n]
    if reasons[reasons > 0].min() < least:
        listed = ["the tables say why"]
    return f"left out: {sum(reasons)} ({', '.join(listed)})" if listed else "left out: none"


def _rejected(counts: pd.DataFrame) -> pd.Series[int]:
    sums = counts.filter(like="rejected_").sum()
    sums.index = sums.index.str.removeprefix("rejected_").str.replace("_", " ")
    return sums


def _box(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    frame = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": colour}
    axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=frame)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": "black"})
