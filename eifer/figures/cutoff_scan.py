"""How the EI cutoff was chosen: significant HRV variables and group sizes at every candidate."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import ACCENT, GROUP, MUTED, canvas, whole_numbers


def draw(cutoff_scan: pd.DataFrame) -> tuple[Figure, str]:
    """Count of significant variables above, sizes of both groups below, over all cutoffs."""
    scan = cutoff_scan.sort_values("cutoff")
    row = scan[scan["chosen"]].iloc[0]
    chosen = row["cutoff"]
    split = scan[(scan["n_high"] > 0) & (scan["n_low"] > 0)]
    figure, [[top], [bottom]] = canvas(4.2, 2, 1, sharex=True)
    top.step(scan["cutoff"], scan["n_significant"], where="mid", color=MUTED, label="any cutoff")
    able = scan[scan["acceptable"]]
    top.plot(
        able["cutoff"],
        able["n_significant"],
        "o",
        color=GROUP["High"],
        markersize=4,
        label="groups balanced enough",
    )
    top.set_ylabel("HRV variables with\ninteraction p < alpha")
    whole_numbers(top.yaxis)
    top.set_ylim(bottom=-0.2, top=max(1, scan["n_significant"].max()) * 1.25)
    for group in ("High", "Low"):
        bottom.step(
            scan["cutoff"],
            scan[f"n_{group.lower()}"],
            where="mid",
            color=GROUP[group],
            linestyle="-" if group == "High" else "--",
            label=f"{group} EI",
        )
    if len(able):
        bottom.axvspan(
            able["cutoff"].min() - 5,
            able["cutoff"].max() + 5,
            color=ACCENT,
            alpha=0.12,
            linewidth=0,
            label="balanced enough",
        )
    bottom.set_ylabel("participants")
    bottom.set_xlabel("EI cutoff (points); High is above it")
    for axes in (top, bottom):
        axes.axvline(chosen, color="black", linewidth=1, linestyle=":", label=f"chosen: {chosen}")
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    margin = 60
    bottom.set_xlim(split["cutoff"].min() - margin, split["cutoff"].max() + margin)
    return figure, (
        f"Candidates from {cutoff_scan['cutoff'].min()} to {cutoff_scan['cutoff'].max()} points "
        f"({len(cutoff_scan)} cutoffs, {row['n_high'] + row['n_low']} participants); shown where "
        "both groups have members. Above: HRV variables whose group × emotion interaction has p "
        f"below alpha, of {row['n_estimable']} that could be tested at the chosen cutoff. Below: "
        f"participants in each group. Chosen: {row['cutoff']} ({row['n_high']} High, "
        f"{row['n_low']} Low, {row['n_significant']} significant)."
    )
