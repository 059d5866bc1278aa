"""The planted effect of EI beside what the models trained on High EI gained."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer.vocabulary import Condition


def table(truth: dict[str, Any], comparison: pd.DataFrame) -> pd.DataFrame:
    """One row a task and condition: the difference of High and Low, and whom it favours."""
    mine = comparison[comparison["contrast"] == "High-Low"]
    rows = mine[["task", "condition", "mean_delta", "pooled_ci_low", "pooled_ci_high"]].copy()
    rows["planted_effect"] = truth["spec"]["effect"]
    rows["favours"] = "neither"
    rows.loc[rows["mean_delta"] > 0, "favours"] = "High"
    rows.loc[rows["mean_delta"] < 0, "favours"] = "Low"
    place = {str(name): k for k, name in enumerate(Condition)}
    return rows.sort_values(
        ["task", "condition"],
        key=lambda c: c.map(place).fillna(len(place)) if c.name == "condition" else c,
        ignore_index=True,
    )


def caption(truth: dict[str, Any], comparison: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    effect = truth["spec"]["effect"]
    planted = (
        f"Planted: effect {effect:g}; with EI faces follow feelings more closely and ratings are "
        "less noisy, so a model that learns from High EI may learn more."
        if effect
        else "Planted: no effect, so a difference found is chance."
    )
    return (
        f"{planted} Found: mean ΔAUC of High less Low over {comparison['n_repetitions'].max()} "
        f"repetitions, on {comparison['n_participants'].max()} people. So few people can neither "
        "confirm nor refute an effect of models: what was seen, and no more."
    )
