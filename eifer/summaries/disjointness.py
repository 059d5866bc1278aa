"""The proof that nothing leaks: who and what the partitions share."""

from __future__ import annotations

from typing import Any

import pandas as pd


def table(disjointness: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    """A row a rotation and pair of sets: those that must share nothing, and those that may."""
    rows = [
        {
            "rotation": rotation,
            "may_share": may,
            "of": pair["of"],
            "a": pair["a"],
            "b": pair["b"],
            "n": pair["shared"],
        }
        for rotation, proof in disjointness.items()
        for may, pairs in (("no", proof["pairs"]), ("yes", proof["overlaps"]))
        for pair in pairs
    ]
    made = pd.DataFrame(rows)
    pairs = [pair for proof in disjointness.values() for pair in proof["pairs"]]
    empty = sum(pair["shared"] == 0 for pair in pairs)
    return made, (
        f"{len(pairs)} pairs of sets that must not share a participant, a frame or a picture; "
        f"{empty} share none. Pictures are the stored crops: compared to the bit, and for videos "
        "that look the same (encoded again, or trimmed). The test conditions are drawn from the "
        "same test frames and may share some. "
        "data/split/disjointness.json holds the sha256 of every set."
    )
