"""Whether the sign of the EI contrast survives other choices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from eifer.vocabulary import ESTIMATORS, in_order

KEY = ["models", "task", "condition"]
LEFT_OUT = "each participant left out in turn"
OTHER_LABELS = {
    "matched": "groups of equal size",
    "own": "each task's own frames in training",
    "clear": "no neutral ratings in training",
    "final": "last epoch kept",
    "tertiles": "tertiles of the EI score",
}
OTHER_ESTIMATOR = "training frames chosen by another estimator"


def table(
    participant_deltas: pd.DataFrame, by_assignment: pd.DataFrame, metrics: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """A row a test and choice: High less Low as declared and otherwise, and whether signs agree."""
    rows: list[dict[str, Any]] = []
    others = by_assignment[by_assignment["contrast"] == "High-Low"].set_index(["assignment", *KEY])
    for row in left_out_in_turn(participant_deltas[participant_deltas["contrast"] == "High-Low"]):
        place = {name: row[name] for name in KEY} | {"of": "ΔAUC", "declared": row["delta"]}
        rows.append(place | _otherwise(LEFT_OUT, row["low"], row["high"]))
        for name in dict.fromkeys(others.index.get_level_values("assignment")):
            words = OTHER_LABELS.get(name, name.replace("above", "cutoff "))
            if name in ESTIMATORS:
                words = OTHER_ESTIMATOR.replace("another estimator", name)
            key = (name, *(row[k] for k in KEY))
            if name != "ei" and not name.startswith("null") and key in others.index:
                rows.append(place | _otherwise(words, *[others.loc[key, "delta"]] * 2))
    rows += _thresholds(metrics)
    made = pd.DataFrame(rows)
    made["otherwise"] = [_ends(*row) for row in made[["low", "high"]].to_numpy()]
    made["survives"] = [_survives(*row) for row in made[["declared", "low", "high"]].to_numpy()]
    kept = int((made["survives"] == "yes").sum())
    trained = set(by_assignment["assignment"])
    left = [words for name, words in OTHER_LABELS.items() if name not in trained]
    left += [OTHER_ESTIMATOR] * trained.isdisjoint(ESTIMATORS)
    return in_order(made, KEY), (
        f"The sign of High less Low as declared survives {kept} of {len(made)} other choices. "
        "The ends are the smallest and the largest difference. Draw no conclusion from a sign "
        "that does not survive." + f" Not trained: {'; '.join(left)}." * bool(left)
    )


def left_out_in_turn(deltas: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Each test's mean difference, and its ends with one participant left out in turn."""
    for place, part in deltas.dropna(subset="delta").groupby(KEY, sort=True):
        d = part["delta"].to_numpy()
        without = (d.sum() - d) / (len(d) - 1) if len(d) > 1 else d * math.nan
        ends = {"low": float(without.min()), "high": float(without.max())}
        yield {**dict(zip(KEY, place, strict=True)), "delta": float(d.mean()), **ends}


def _otherwise(choice: str, low: float, high: float) -> dict[str, Any]:
    return {"choice": choice, "low": low, "high": high}


def _thresholds(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Macro F1 of High less Low, mean over repetitions, at the searched threshold and at .5."""
    by = ["task", "condition", "threshold_kind", "training_group"]
    means = metrics.groupby(by)["macro_f1"].mean().unstack("training_group")
    wide = (means["High"] - means["Low"]).unstack("threshold_kind").reset_index()
    return [
        {"models": "fine-tuned", "task": row["task"], "condition": row["condition"]}
        | {"of": "Δ macro F1", "declared": row["searched"]}
        | _otherwise("threshold .5", row["half"], row["half"])
        for row in wide.to_dict("records")
    ]


def _ends(*values: float) -> str:
    if any(map(math.isnan, values)):
        return "–"
    return " to ".join(dict.fromkeys(f"{v:+.4f}".replace("-", "−") for v in values))


def _survives(*values: float) -> str:
    if any(map(math.isnan, values)):
        return "–"
    return "yes" if min(values) > 0 or max(values) < 0 else "no"
