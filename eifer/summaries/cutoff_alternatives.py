"""Which cutoff the scan would have chosen otherwise, and whether that could change anything."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

WORDS = {
    ("other model", "mixed"): "participants as repeated measures (mixed)",
    ("other model", "between"): "recordings as independent (between)",
}


def table(
    cutoff_alternatives: pd.DataFrame,
    cutoff_scan: pd.DataFrame,
    by_assignment: pd.DataFrame,
    least_people: int,
) -> tuple[pd.DataFrame, str]:
    """A row an alternative, in words."""
    trained = set(by_assignment["assignment"])
    rows = []
    for row in cutoff_alternatives.to_dict("records"):
        copies = f"copies (|Spearman r| from {row['copies_from']:g}) counted once"
        words = WORDS.get((row["scan"], row["model"]), copies)
        rows.append({"otherwise": words, **_answer(row, trained, least_people)})
    chosen = cutoff_scan[cutoff_scan["chosen"]].iloc[0]
    return pd.DataFrame(rows), (
        f"The study's scan chose {chosen['cutoff']}, where {chosen['n_significant']} of "
        f"{chosen['n_estimable']} HRV variables react. Each row is the same scan with one choice "
        "made otherwise. An assignment is trained by its name in split.assignments."
    )


def _answer(row: dict[Hashable, Any], trained: set[str], least: int) -> dict[str, str]:
    if pd.isna(row["cutoff"]):
        return {"answer": f"could choose none: {row['reason']}", "react": "–", "see": "–"}
    cutoff, moved = row["cutoff"], row["n_moved"]
    name = f"above{cutoff}"
    if not moved:
        who, see = "nobody changes group", "nothing to train: the groups are the same"
    else:
        who = f"{moved} participants change group" if moved > 1 else "1 participant changes group"
        who = f"fewer than {least} participants change group" if moved < least else who
        see = f"trained: cutoff {cutoff} above" if name in trained else f"train {name}"
    react = f"{row['n_significant']} of {row['n_counted']}"
    return {"answer": f"would choose {cutoff}; {who}", "react": react, "see": see}
