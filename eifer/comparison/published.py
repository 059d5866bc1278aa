"""The models against each other, by the published procedure (protocol section 9; source: 3.4).

What it says is reproduced to the digit, and so is what it leaves out: each row carries warnings
where the procedure's assumptions fail or its numbers contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from eifer.comparison.comparable import comparable
from eifer.ranges import Number, Part
from eifer.statistics import (
    Pooled,
    benjamini_hochberg,
    delong,
    fisher,
    gee_odds_ratios,
    pool_fixed,
)
from eifer.tables.comparison import COMPARISON, CONTRAST, DELONG, OTHERS
from eifer.tables.evaluation import TEST
from eifer.vocabulary import Group

Row = dict[str, Any]


@dataclass(frozen=True)
class ComparisonSpec:
    """What is a finding, and what is warned of.

    ``alpha`` is the level of q; ``family`` names the columns that, within one method, set the
    tests of one family apart from another's (``condition``: over tasks and contrasts);
    ``few_participants`` is the number of test participants below which a warning is given.
    """

    alpha: Part
    family: tuple[str, ...]
    few_participants: Number

    def __post_init__(self) -> None:
        unknown = [name for name in self.family if name not in CONTRAST]
        if unknown or len(set(self.family)) < len(self.family):
            raise ValueError(
                f"family {list(self.family)}: name columns among {', '.join(CONTRAST)}, each once"
            )


def as_published(
    predictions: pd.DataFrame, spec: ComparisonSpec
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare High with Low and with Total in every task and condition, as the source did.

    In each repetition a paired DeLong test (delta = AUC of High less AUC of the other); over
    repetitions Fisher's combination of its p-values and the fixed-effect pooled delta; odds ratios
    of a right answer by GEE clustered on items; Benjamini-Hochberg within each family.

    Parameters
    ----------
    predictions : DataFrame
        The table ``PREDICTIONS``; rows of the affect network are left alone.
    spec : ComparisonSpec

    Returns
    -------
    tests : DataFrame
        The table ``DELONG``.
    comparison : DataFrame
        The table ``COMPARISON``. What cannot be estimated is missing, with the reason: a test
        with a single frame of one class, a group always right or always wrong.

    Raises
    ------
    InputError, DesignError
        Predictions that are not `comparable`.
    """
    trained = comparable(predictions)
    tests: list[Row] = []
    rows: list[Row] = []
    for (task, condition), part in trained.groupby(TEST, sort=True):
        which = {"task": task, "condition": condition}
        odds = _odds_ratios(part)
        counts = {
            "n_items": part["item_id"].nunique(),
            "n_positive": int(part.drop_duplicates("item_id")["label"].sum()),
            "n_participants": part["participant_id"].nunique(),
            "n_repetitions": part["repetition"].nunique(),
        }
        for other in OTHERS:
            place: Row = {**which, "contrast": f"{Group.HIGH}-{other}"}
            made = [{**place, **test} for test in _tests(part, other)]
            tests += made
            rows.append({**place, **counts, **_combined(pd.DataFrame(made)), **odds[other]})
    table = pd.DataFrame(rows)
    table["family"] = [" ".join(values) or "all" for values in table[list(spec.family)].to_numpy()]
    for method in ("fisher", "gee"):
        table[f"{method}_q"] = benjamini_hochberg(table[f"{method}_p"], table["family"])
    listed = DELONG.frame(tests)
    table["warnings"] = [
        "\n".join(_warnings(row, _of(listed, row), spec)) or None
        for row in table.to_dict("records")
    ]
    return listed, COMPARISON.conform(table)


def _of(tests: pd.DataFrame, row: Mapping[Any, Any]) -> pd.DataFrame:
    return tests[(tests[CONTRAST] == [row[name] for name in CONTRAST]).all(axis=1)]


def _tests(part: pd.DataFrame, other: str) -> Iterator[Row]:
    """The DeLong test of High and ``other`` in every repetition of one task and condition."""
    scores = part.pivot(index="item_id", columns=["training_group", "repetition"], values="score")
    labels = part.drop_duplicates("item_id").set_index("item_id")["label"].reindex(scores.index)
    for repetition in sorted(part["repetition"].unique()):
        test = delong(labels, scores[Group.HIGH, repetition], scores[other, repetition])
        answer = vars(test)
        yield {
            "repetition": repetition,
            "se_a": math.sqrt(test.var_a),
            "se_b": math.sqrt(test.var_b),
            **{name: answer[name] for name in DELONG.names if name in answer},
        }


def _combined(tests: pd.DataFrame) -> Row:
    """Fisher's combination and the pooled difference of one contrast's tests."""
    p = tests["p"].dropna()
    pooled: Pooled = pool_fixed(tests["delta"], tests["se"])
    left_out = [str(tests["repetition"].iloc[place]) for place in pooled.left_out]
    row: Row = {
        "mean_auc_a": tests["auc_a"].mean(),
        "mean_auc_b": tests["auc_b"].mean(),
        "mean_delta": pooled.mean,
        **dict.fromkeys(("fisher_statistic", "fisher_df", "fisher_p", "fisher_log_p"), math.nan),
        "fisher_n_used": len(p),
        "fisher_reason": None,
        "pooled_delta": pooled.estimate,
        "pooled_se": pooled.se,
        "pooled_ci_low": pooled.ci_low,
        "pooled_ci_high": pooled.ci_high,
        "pooled_p": pooled.p,
        "heterogeneity_q": pooled.q,
        "heterogeneity_p": pooled.q_p,
        "i2_pct": pooled.i2,
        "pooled_n_used": pooled.n_used,
        "pooled_left_out": ", ".join(left_out) or None,
        "sign_conflict": pooled.sign_conflict,
        "pooled_reason": pooled.reason,
    }
    if not tests["estimable"].any():
        row["fisher_reason"] = "; ".join(tests["reason"].unique())
        row["pooled_reason"] = pooled.reason and row["fisher_reason"]
    else:
        combined = fisher(p)
        for name in ("statistic", "df", "p", "log_p"):
            row[f"fisher_{name}"] = getattr(combined, name)
    return row


def _odds_ratios(part: pd.DataFrame) -> dict[str, Row]:
    """The GEE of one task and condition: what it says of each group that is not High."""
    blank = ("coef", "se", "odds_ratio", "ci_low", "ci_high", "p", "alpha")
    correct = (part["score"] >= part["threshold"]) == (part["label"] == 1)
    fit = gee_odds_ratios(part.assign(correct=correct.astype(int)), reference=Group.HIGH)
    rows: dict[str, Row] = {}
    for other in OTHERS:
        numbers = {f"gee_{name}": fit.table.loc[other, name] for name in blank[:-1]}
        reason = fit.reasons.get(other)
        alpha = math.nan if reason else fit.alpha
        rows[other] = {**numbers, "gee_alpha": alpha, "gee_reason": reason}
    return rows


# warnings -------------------------------------------------------------------------------------


def _warnings(row: Mapping[Any, Any], tests: pd.DataFrame, spec: ComparisonSpec) -> Iterator[str]:
    """What a reader has to know of one row before believing it."""
    repetitions = row["n_repetitions"]
    yield (
        f"The {repetitions} repetitions are combined as if independent, but share one test set "
        f"of {row['n_items']} frames: q and the pooled interval say how repeatable the models "
        "are, not whether other people would give the same."
    )
    if row["n_participants"] < spec.few_participants:
        yield (
            f"The frames show {row['n_participants']} people; DeLong and the GEE take them for "
            "independent, and then find differences where there are none."
        )
    yield from _contradictions(row, tests, spec)
    for side, name in (("a", Group.HIGH.value), ("b", row["contrast"].split("-")[1])):
        low = tests[f"auc_{side}"] - 1.959964 * tests[f"se_{side}"]
        chance = int((low <= 0.5).sum())
        if chance:
            yield (
                f"{name} is at chance in {chance} of {repetitions} repetitions (the 95 % interval "
                "of its AUC holds .5 or lies below it)."
            )


def _contradictions(
    row: Mapping[Any, Any], tests: pd.DataFrame, spec: ComparisonSpec
) -> Iterator[str]:
    """Where the numbers of a row do not agree with each other."""
    delta, low, high = row["pooled_delta"], row["pooled_ci_low"], row["pooled_ci_high"]
    if row["sign_conflict"]:
        yield (
            f"The pooled difference ({delta:+.4f}) and the mean difference "
            f"({row['mean_delta']:+.4f}) point in opposite directions."
        )
    if row["fisher_q"] < spec.alpha and low <= 0 <= high:
        yield (
            f"Fisher's q is below {spec.alpha:g}, yet the pooled 95 % interval "
            f"[{low:.4f}, {high:.4f}] holds 0."
        )
    significant = tests.loc[tests["p"] < spec.alpha, "delta"]
    up, down = int((significant > 0).sum()), int((significant < 0).sum())
    if up and down:
        yield (
            f"Repetitions differ significantly in both directions ({up} for High, {down} against): "
            "Fisher adds them up all the same."
        )
    if row["heterogeneity_p"] < spec.alpha:
        yield (
            f"The repetitions differ by more than sampling error (I2 = {row['i2_pct']:.0f} %): "
            "there is no one difference for a fixed effect to estimate."
        )
    for why, untested in tests[~tests["estimable"]].groupby("reason", sort=True):
        if pd.isna(row["fisher_reason"]):
            which = ", ".join(map(str, untested["repetition"]))
            yield f"Repetition {which} has no DeLong test ({why}) and is not combined by Fisher."
    if row["fisher_p"] == 0:
        yield "A p-value is 0 to the last digit of the arithmetic: Fisher's p hangs on it alone."
    if pd.notna(row["pooled_left_out"]) and pd.isna(row["pooled_reason"]):
        yield f"Repetition {row['pooled_left_out']} has a standard error of 0 and is not pooled."
    apart = (low > 0 or high < 0) and row["gee_q"] < spec.alpha
    if apart and (delta > 0) != (row["gee_odds_ratio"] < 1):
        yield "The odds ratio and the pooled difference favour different models."
