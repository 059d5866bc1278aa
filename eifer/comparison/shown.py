"""What is shown of the comparisons: in the terminal, and as numbers to record."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import asdict
from typing import Any

import pandas as pd

from eifer.comparison.participants import ParticipantSpec, smallest_p
from eifer.comparison.published import ComparisonSpec
from eifer.tables.comparison import CONFIRMATORY

Row = dict[Hashable, Any]

PRIMARY = (
    "delta",
    "ci_low",
    "ci_high",
    "t_p",
    "t_q",
    "sign_flip_p",
    "equivalence_p",
    "equivalence_q",
    "gee_odds_ratio",
    "gee_p",
    "gee_q",
    "i2_pct",
)
PUBLISHED = (
    "mean_delta",
    "pooled_delta",
    "pooled_ci_low",
    "pooled_ci_high",
    "fisher_p",
    "fisher_q",
    "gee_odds_ratio",
    "gee_p",
    "gee_q",
)


def recipe(spec: ParticipantSpec) -> dict[str, Any]:
    """What was declared, with the contrasts as ``task condition contrast``."""
    return asdict(spec) | {"confirmatory": list(map(str, spec.confirmatory))}


def numbers(primary: pd.DataFrame, comparison: pd.DataFrame) -> dict[str, float]:
    """What there is to record of the tables ``BY_PARTICIPANT`` and ``COMPARISON``.

    Named ``task condition contrast/participants/name``, and without ``participants`` as
    published; what is missing is left out.
    """
    return {
        f"{row['task']} {row['condition']} {row['contrast']}/{block}{name}": row[name]
        for table, block, names in (
            (primary, "participants/", PRIMARY),
            (comparison, "", PUBLISHED),
        )
        for row in table.to_dict("records")
        for name in names
        if not math.isnan(row[name])
    }


def findings(primary: pd.DataFrame) -> dict[str, Any]:
    """What the table ``BY_PARTICIPANT`` says in all: who was tested, what was declared, verdicts.

    ``smallest_p`` is the smallest two-sided p that so many participants allow.
    """
    words = primary["verdict"].map(_word)
    people = int(primary["n_participants"].max())
    return {
        "test_participants": people,
        "participants_used": int(primary["n_used"].min()),
        "smallest_p": smallest_p(people),
        "margin": float(primary["margin"].iloc[0]),
        "confirmatory": [
            f"{row['task']} {row['condition']} {row['contrast']}"
            for row in primary[primary["role"] == CONFIRMATORY].to_dict("records")
        ],
        "verdicts": {str(word): int(n) for word, n in words.value_counts().sort_index().items()},
    }


def findings_as_published(comparison: pd.DataFrame, spec: ComparisonSpec) -> dict[str, Any]:
    """What the table ``COMPARISON`` says in all."""
    below = {name: int((comparison[f"{name}_q"] < spec.alpha).sum()) for name in ("fisher", "gee")}
    return {
        "contrasts": len(comparison),
        "repetitions": int(comparison["n_repetitions"].max()),
        "alpha": spec.alpha,
        "family": list(spec.family),
        "fisher_q_below_alpha": below["fisher"],
        "gee_q_below_alpha": below["gee"],
        "sign_conflicts": int(comparison["sign_conflict"].sum()),
        "not_estimable": {
            name: int(comparison[f"{name}_reason"].notna().sum())
            for name in ("fisher", "pooled", "gee")
        },
        "test_participants": int(comparison["n_participants"].max()),
    }


def short_participants(primary: pd.DataFrame) -> list[dict[str, str]]:
    """The primary analysis in short: a row per task, condition and contrast, as text.

    K participants are used; q is that of the declared test. An em dash stands where there is no
    value; what follows a verdict's first words is left to the table.
    """
    return [
        {
            "task": row["task"],
            "condition": row["condition"],
            "contrast": row["contrast"],
            "role": row["role"],
            "K": str(row["n_used"]),
            "dAUC [95 % CI]": _interval(row, "", "delta", "+.4f"),
            "q": _q(row[f"{row['test']}_q"]),
            "sign-flip p": _q(row["sign_flip_p"]),
            "verdict": _word(row["verdict"]),
        }
        for row in primary.to_dict("records")
    ]


def short_table(comparison: pd.DataFrame) -> list[dict[str, str]]:
    """The source's Table 4 in short: a row per task, condition and contrast, everything as text.

    An em dash stands where there is no value; ``warnings`` counts them.
    """
    return [
        {
            "task": row["task"],
            "condition": row["condition"],
            "contrast": row["contrast"],
            "mean dAUC": _text(row["mean_delta"], "+.4f"),
            "pooled dAUC [95 % CI]": _interval(row, "pooled_", "delta", "+.4f"),
            "Fisher q": _q(row["fisher_q"]),
            "OR [95 % CI]": _interval(row, "gee_", "odds_ratio", ".3f"),
            "GEE q": _q(row["gee_q"]),
            "warnings": str(len(row["warnings"].splitlines()) if pd.notna(row["warnings"]) else 0),
        }
        for row in comparison.to_dict("records")
    ]


def _word(verdict: str) -> str:
    return re.split("[:,(]", verdict)[0].strip()


def _text(value: float, form: str) -> str:
    return "—" if math.isnan(value) else format(value, form)


def _interval(row: Row, method: str, answer: str, form: str) -> str:
    names = (answer, "ci_low", "ci_high")
    value, low, high = (_text(row[f"{method}{name}"], form) for name in names)
    return value if value == "—" else f"{value} [{low}, {high}]"


def _q(value: float) -> str:
    return "< .001" if value < 0.001 else _text(value, ".3f")
