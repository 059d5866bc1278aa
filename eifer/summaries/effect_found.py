"""What the planted effect of EI truly does to models, beside what the study found."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer.vocabulary import in_order

KEYS = ["models", "task", "condition"]


def table(truth: dict[str, Any], by_participant: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One row a kind of models, task and condition: High less Low, true and found, with verdict.

    What is true is missing where nobody measured it.
    """
    rows = by_participant[by_participant["contrast"] == "High-Low"]
    found = [*KEYS, "role", "delta", "ci_low", "ci_high", "verdict"]
    known = {"value": "true_delta", "se": "true_se"}
    true = pd.DataFrame(truth["auc_differences"], columns=[*KEYS, *known]).rename(columns=known)
    rows = rows[found].merge(true, on=KEYS, how="left", validate="many_to_one")
    effect = truth["spec"]["effect"]
    planted = (
        f"Planted: effect {effect:g}; with EI faces follow feelings more closely, and ratings are "
        "less noisy and less often wrong, so a model that learns from High EI learns more."
        if effect
        else "Planted: no effect, so the true difference is 0 and a difference found is chance."
    )
    if effect and true.empty:
        planted += " How much more was not measured for what was planted here."
    elif effect:
        planted += (
            " How much more was measured once, with its standard error: many simulated people "
            "and trainings of the demo's size and recipe (benchmarks/planted_truth.py)."
        )
    people = int(by_participant["n_participants"].max())
    differ = int(by_participant["n_differ"].max())
    return in_order(rows, KEYS), (
        f"{planted} Found: mean over {people} people of ΔAUC of High less Low, averaged over "
        f"{by_participant['n_repetitions'].max()} repetitions. In at most {differ} people the "
        f"models differ, which allows no p below {min(1.0, 2 / 2**differ):.3g}: an inconclusive "
        "verdict neither confirms nor refutes."
    )
