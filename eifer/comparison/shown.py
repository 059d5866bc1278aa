"""What is said of the comparisons: findings, and numbers to record."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from eifer.comparison.participants import smallest_p
from eifer.comparison.published import ComparisonSpec
from eifer.tables.comparison import CONFIRMATORY, FINE_TUNED

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
    "null_p",
    "null_q",
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


def numbers(primary: pd.DataFrame, comparison: pd.DataFrame) -> dict[str, float]:
    """What there is to record of the tables ``BY_PARTICIPANT`` and ``COMPARISON``.

    Named ``task condition contrast/participants/name``, and without ``participants`` as
    published; what is missing is left out, and so are models that were not trained on everybody.
    """
    return {
        f"{row['task']} {row['condition']} {row['contrast']}/{block}{name}": row[name]
        for table, block, names in (
            (primary[primary["models"] == FINE_TUNED], "participants/", PRIMARY),
            (comparison, "", PUBLISHED),
        )
        for row in table.to_dict("records")
        for name in names
        if not math.isnan(row[name])
    }


def findings(primary: pd.DataFrame) -> dict[str, Any]:
    """What the table ``BY_PARTICIPANT`` says in all: who was tested, what was declared, verdicts.

    ``smallest_p`` is the smallest two-sided p that any contrast allows, by the people in whom its
    models differ.
    """
    words = primary["verdict"].str.split("[:,(]", regex=True).str[0].str.strip()
    differ = int(primary["n_differ"].max())
    return {
        "test_participants": int(primary["n_participants"].max()),
        "participants_used": int(primary["n_used"].min()),
        "participants_differ": differ,
        "smallest_p": smallest_p(differ),
        "margin": float(primary["margin"].iloc[0]),
        "confirmatory": [
            f"{row['models']} {row['task']} {row['condition']} {row['contrast']}"
            for row in primary[primary["role"] == CONFIRMATORY].to_dict("records")
        ],
        "random_assignments": int(primary["null_n"].max()),
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
