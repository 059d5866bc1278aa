"""What stands beside the contrasts: do they differ between conditions, and how steady are models?

All of it is exploratory, and all of it takes people for the sample.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import pearsonr

from eifer.statistics import benjamini_hochberg, t_paired
from eifer.tables.comparison import INTERACTION, PLACE, STABILITY
from eifer.vocabulary import conditions_in_order

Row = dict[str, Any]
Floats = NDArray[np.float64]


def interaction(deltas: pd.DataFrame) -> pd.DataFrame:
    """Compare a contrast's differences in one condition with those in another, within people.

    A contrast that is found "at baseline" alone must be larger there: that one p is small and
    another is not shows no such thing (Gelman & Stern 2006, Am. Stat. 60:328).

    Parameters
    ----------
    deltas : DataFrame
        The table ``PARTICIPANT_DELTAS``.

    Returns
    -------
    DataFrame
        The table ``INTERACTION``: every two conditions; q by Benjamini and Hochberg over all.
    """
    by = [name for name in PLACE if name != "condition"]
    rows: list[Row] = []
    for place, part in deltas.groupby(by, sort=True):
        wide = part.pivot(index="participant_id", columns="condition", values="delta")
        for a, b in itertools.combinations(conditions_in_order(part["condition"]), 2):
            both = wide[[a, b]].dropna()
            known = {**dict(zip(by, place, strict=True)), "condition": a, "other_condition": b}
            rows.append({**known, **_tested((both[a] - both[b]).to_numpy())})
    table = pd.DataFrame(rows, columns=[c for c in INTERACTION.names if c != "q"])
    return INTERACTION.conform(table.assign(q=benjamini_hochberg(table["p"])))


def stability(deltas: pd.DataFrame) -> pd.DataFrame:
    """Compare how much High and the other model vary over trainings, and over people.

    Over trainings: each participant's SD of the AUC over repetitions, High less the other, by a
    paired t-test. Over people: the variances of the participants' mean AUC, which are paired, by
    the test of Pitman and Morgan (the correlation of sum and difference).

    Parameters
    ----------
    deltas : DataFrame
        The table ``PARTICIPANT_DELTAS``.

    Returns
    -------
    DataFrame
        The table ``STABILITY``; q by Benjamini and Hochberg over all rows, each test by itself.

    References
    ----------
    Pitman 1939, Biometrika 31:9; Morgan 1939, Biometrika 31:13.
    """
    rows = []
    for place, part in deltas.dropna(subset="delta").groupby(PLACE, sort=True):
        a, b = (part[f"auc_{side}"].to_numpy() for side in "ab")
        rows.append(
            {
                **dict(zip(PLACE, place, strict=True)),
                "over_trainings_sd_a": part["auc_a_sd"].mean(),
                "over_trainings_sd_b": part["auc_b_sd"].mean(),
                **_tested((part["auc_a_sd"] - part["auc_b_sd"]).to_numpy()),
                "over_people_sd_a": part["auc_a"].std(),
                "over_people_sd_b": part["auc_b"].std(),
                **_pitman_morgan(a, b),
            }
        )
    table = pd.DataFrame(rows, columns=[c for c in STABILITY.names if not c.endswith("q")])
    for test in ("", "people_"):
        table[f"{test}q"] = benjamini_hochberg(table[f"{test}p"])
    return STABILITY.conform(table)


def _tested(difference: Floats) -> Row:
    names = ("estimate", "ci_low", "ci_high", "p")
    row: Row = {"n_used": len(difference), "reason": "nobody has both"}
    if not len(difference):
        return row | dict.fromkeys(names, math.nan)
    test = t_paired(difference)
    values = (float(difference.mean()), test.ci_low, test.ci_high, test.p)
    return row | dict(zip(names, values, strict=True)) | {"reason": test.reason}


def _pitman_morgan(a: Floats, b: Floats) -> Row:
    total, difference = a + b, a - b
    n = len(a)
    spread = min(total.std(), difference.std()) if n else 0.0
    if n < 3 or spread < 1e-12:
        why = f"{n} participants" if n < 3 else "sums or differences do not vary"
        return {"people_p": math.nan, "people_reason": why}
    return {"people_p": float(pearsonr(total, difference).pvalue), "people_reason": None}
