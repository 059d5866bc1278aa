"""The HRV variables that react most to group and emotion together, at the chosen cutoff."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import GROUP, GROUP_MARK, canvas, legend_below
from eifer.physiology.hrv import VARIABLES

SHOWN = 6


def strongest(cutoff_scan: pd.DataFrame, cutoff_tests: pd.DataFrame) -> pd.DataFrame:
    """The tests at the chosen cutoff with the smallest p, the smallest first."""
    chosen = cutoff_scan.loc[cutoff_scan["chosen"], "cutoff"].iloc[0]
    tests = cutoff_tests[(cutoff_tests["cutoff"] == chosen) & cutoff_tests["estimable"]]
    return tests.sort_values(["p", "variable"]).head(SHOWN)


def draw(
    hrv: pd.DataFrame,
    videos: pd.DataFrame,
    scores: pd.DataFrame,
    cutoff_scan: pd.DataFrame,
    cutoff_tests: pd.DataFrame,
) -> tuple[Figure, str]:
    """Mean and standard error by stimulus domain, a line a group, a panel a variable."""
    tests = strongest(cutoff_scan, cutoff_tests)
    values = hrv.merge(videos[["video_id", "domain"]], on="video_id").merge(
        scores[["participant_id", "group"]], on="participant_id"
    )
    domains = sorted(values["domain"].unique())
    columns = min(3, len(tests))
    rows = -(-len(tests) // columns)
    figure, grid = canvas(2.1 * rows + 0.4, rows, columns)
    panels = [axes for row in grid for axes in row]
    for axes, test in zip(panels, tests.itertuples(), strict=False):
        of_variable = values[values["variable"] == test.variable]
        for shift, group in ((-0.07, "High"), (0.07, "Low")):
            cell = of_variable[of_variable["group"] == group].groupby("domain")["value"]
            stats = cell.agg(["mean", "sem"]).reindex(domains)
            axes.errorbar(
                [k + shift for k in range(len(domains))],
                stats["mean"],
                stats["sem"],
                color=GROUP[group],
                marker=GROUP_MARK[group],
                markersize=4,
                capsize=2,
                linestyle="-" if group == "High" else "--",
                label=f"{group} EI",
            )
        axes.set_title(f"{VARIABLES[str(test.variable)].symbol}\np = {test.p:.3f}", fontsize=8)
        axes.set_xticks(range(len(domains)), domains)
        unit = of_variable["unit"].iloc[0]
        axes.set_ylabel("no unit" if unit == "1" else unit)
    for axes in panels[len(tests) :]:
        axes.set_visible(False)
    legend_below(figure, panels[0])
    row = cutoff_scan[cutoff_scan["chosen"]].iloc[0]
    return figure, (
        f"The {len(tests)} of {row['n_estimable']} HRV variables with the smallest p of the group "
        f"× emotion interaction at the cutoff of {row['cutoff']}: mean and standard error over "
        f"{hrv['video_id'].nunique()} recordings of {hrv['participant_id'].nunique()} "
        "participants. They stand here because their p is small, and the cutoff was chosen by "
        "these p: no new evidence."
    )
