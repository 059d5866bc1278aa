"""The planted effect of EI beside what the models trained on High EI gained."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer.vocabulary import in_order


def table(truth: dict[str, Any], by_participant: pd.DataFrame) -> pd.DataFrame:
    """One row a task and condition: the difference of High and Low over people, and the verdict."""
    contrast = by_participant[by_participant["contrast"] == "High-Low"]
    rows = contrast[["task", "condition", "role", "delta", "ci_low", "ci_high", "verdict"]].copy()
    rows["planted_effect"] = truth["spec"]["effect"]
    return in_order(rows, ["task", "condition"])


def caption(truth: dict[str, Any], by_participant: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    effect = truth["spec"]["effect"]
    planted = (
        f"Planted: effect {effect:g}; with EI faces follow feelings more closely and ratings are "
        "less noisy, so a model that learns from High EI may learn more."
        if effect
        else "Planted: no effect, so a difference found is chance."
    )
    people = int(by_participant["n_participants"].max())
    return (
        f"{planted} Found: mean over {people} people of ΔAUC of High less Low, averaged over "
        f"{by_participant['n_repetitions'].max()} repetitions. {people} people allow no p below "
        f"{min(1.0, 2 / 2**people):.3g}: an inconclusive verdict neither confirms nor refutes."
    )
