"""The numbers by which studies are compared: declared contrasts, cutoff, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from eifer.tables.comparison import CONFIRMATORY

SHOWN = {"difference": "delta", "low": "ci_low", "high": "ci_high", "verdict": "verdict"}
"""What is given of a contrast, by the columns of BY_PARTICIPANT."""


def outcomes(sources: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of a study, for `dvc metrics`; what it does not have yet is left out.

    So is what was left out of fewer people than ``sources["least_people"]``.
    """
    compared, attrition = sources["by_participant"], sources["attrition"]
    made: dict[str, Any] = {}
    if compared is not None:
        for row in compared[compared["role"] == CONFIRMATORY].to_dict("records"):
            place = " ".join(row[name] for name in ("models", "task", "condition", "contrast"))
            q = {"q": _plain(row[f"{row['test']}_q"])}
            made[place] = {name: _plain(row[column]) for name, column in SHOWN.items()} | q
    made["cutoff"] = {
        name: sources["cutoff"][name] for name in ("cutoff", "n_significant", "permutation_p")
    }
    if not attrition.empty:
        people = attrition.groupby(["stage", "level"])["participant_id"].transform("nunique")
        attrition = attrition[
            (people >= sources["least_people"]) | (attrition["participant_id"] == "n/a")
        ]
    lost = {} if attrition.empty else attrition.groupby(["stage", "level"])["n"].sum().to_dict()
    made["left out"] = {f"{stage}: {level}": int(n) for (stage, level), n in lost.items()}
    return made


def _plain(value: Any) -> Any:
    return None if pd.isna(value) else value
