"""What stats hands on: the models against each other, as the source compared them (its Table 4)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.tables.evaluation import TEST
from eifer.tables.schema import Column, Rule, Table
from eifer.vocabulary import Dimension, Group

Others = Mapping[str, pd.DataFrame]

OTHERS = (Group.LOW, Group.TOTAL)
"""The groups that High is compared with."""
CONTRASTS = tuple(f"{Group.HIGH}-{other}" for other in OTHERS)
CONTRAST = [*TEST, "contrast"]

_REPEAT = "repeat stats; if it stays, eifer.comparison is wrong"
_DIRECTION = "above 0 favours High"

_CONTRAST_COLUMNS = (
    Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
    Column("condition", "string", "the set of test frames"),
    Column("contrast", "string", "which model less which other", values=CONTRASTS),
)


def _number(
    name: str, meaning: str, unit: str = "", low: float | None = None, high: float | None = None
) -> Column:
    return Column(name, "float", meaning, unit, low, high, missing=True)


def _p(name: str, meaning: str) -> Column:
    return _number(name, meaning, low=0, high=1)


# delong ---------------------------------------------------------------------------------------


def _not_the_difference(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    gap = (table["auc_a"] - table["auc_b"] - table["delta"]).abs()
    return table[table["estimable"] & ~(gap < 1e-12)]


def _numbers_without_reason(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    blank = table["p"].isna()
    return table[(blank == table["estimable"]) | (blank != table["reason"].notna())]


DELONG = Table(
    name="delong",
    meaning="The paired DeLong test of every contrast in every repetition. It takes frames for "
    "independent, which frames of one video are not.",
    key=("task", "condition", "contrast", "repetition"),
    columns=(
        *_CONTRAST_COLUMNS,
        Column("repetition", "int", "the same repetition of both models", low=1),
        _number("auc_a", "ROC-AUC of High", low=0, high=1),
        _number("auc_b", "ROC-AUC of the other model", low=0, high=1),
        _number("se_a", "standard error of auc_a", low=0),
        _number("se_b", "standard error of auc_b", low=0),
        _number("delta", f"auc_a - auc_b: {_DIRECTION}", low=-1, high=1),
        _number("se", "standard error of delta; 0 where both rank the frames alike", low=0),
        _number("ci_low", "lower end of its 95 % interval, not clipped"),
        _number("ci_high", "upper end of its 95 % interval, not clipped"),
        _number("z", "delta / se; infinite where se alone is 0, 0 where both are"),
        _p("p", "two-sided p-value"),
        _number("log_p", "its natural logarithm, finite where p underflows", high=0),
        Column("estimable", "bool", "whether the test has an answer"),
        Column("reason", "string", "why it has none", missing=True),
    ),
    rules=(
        Rule(
            name="delta_is_the_difference",
            says="delta is auc_a - auc_b",
            why="the sign says which model is better",
            remedy=_REPEAT,
            broken=_not_the_difference,
        ),
        Rule(
            name="missing_with_reason",
            says="p is missing where, and only where, the test is not estimable for a reason",
            why="no number is better than a guess, but not without a word",
            remedy=_REPEAT,
            broken=_numbers_without_reason,
        ),
    ),
)


# comparison -----------------------------------------------------------------------------------

ANSWERS = {"fisher": "fisher_p", "pooled": "pooled_delta", "gee": "gee_odds_ratio"}
"""Each method with the column that holds its answer."""


def _answers_without_reason(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad = pd.Series(False, index=table.index)
    for method, answer in ANSWERS.items():
        bad |= table[answer].isna() != table[f"{method}_reason"].notna()
    return table[bad]


def _q_below_p(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad = pd.Series(False, index=table.index)
    for method in ("fisher", "gee"):
        p, q = table[f"{method}_p"], table[f"{method}_q"]
        bad |= (q < p) | (p.isna() != q.isna())
    return table[bad]


def _tests_not_listed(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    tests = others["delong"]
    listed = tests.groupby(CONTRAST)["repetition"].size()
    found = listed.reindex(pd.MultiIndex.from_frame(table[CONTRAST])).to_numpy()
    return table[found != table["n_repetitions"].to_numpy()]


COMPARISON = Table(
    name="comparison",
    meaning="High against Low and against Total as published: Fisher's combination of the DeLong "
    "tests, the fixed-effect pooled difference, and odds ratios by GEE. Read the warnings: the "
    "procedure takes frames and repetitions for independent.",
    key=("task", "condition", "contrast"),
    columns=(
        *_CONTRAST_COLUMNS,
        Column("n_items", "int", "frames tested", "frames", low=1),
        Column("n_positive", "int", "of these, with the label high", "frames", low=0),
        Column("n_participants", "int", "people they show", "participants", low=1),
        Column("n_repetitions", "int", "repetitions of each model", "repetitions", low=1),
        _number("mean_auc_a", "ROC-AUC of High, mean over repetitions", low=0, high=1),
        _number("mean_auc_b", "ROC-AUC of the other model, mean over repetitions", low=0, high=1),
        _number("mean_delta", f"plain mean of the differences: {_DIRECTION}", low=-1, high=1),
        Column(
            "family",
            "string",
            "the tests corrected together: this, within one method",
            why="params say what makes a family",
        ),
        _number("fisher_statistic", "-2 sum ln p over repetitions", low=0),
        _number("fisher_df", "its degrees of freedom: twice the repetitions used", low=2),
        _p("fisher_p", "combined p-value of the DeLong tests, blind to their direction"),
        _number("fisher_log_p", "its natural logarithm, finite where p underflows", high=0),
        _p("fisher_q", "its Benjamini-Hochberg q-value"),
        Column("fisher_n_used", "int", "repetitions combined", "repetitions", low=0),
        Column("fisher_reason", "string", "why there is no combined p", missing=True),
        _number("pooled_delta", f"inverse-variance weighted difference: {_DIRECTION}", "", -1, 1),
        _number("pooled_se", "its standard error", low=0),
        _number("pooled_ci_low", "lower end of its 95 % interval"),
        _number("pooled_ci_high", "upper end of its 95 % interval"),
        _p("pooled_p", "its two-sided p-value"),
        _number("heterogeneity_q", "Cochran's Q between repetitions", low=0),
        _p("heterogeneity_p", "its p-value"),
        _number("i2_pct", "I2: share of the spread that is not sampling error", "%", 0, 100),
        Column("pooled_n_used", "int", "repetitions pooled", "repetitions", low=0),
        Column(
            "pooled_left_out",
            "string",
            "repetitions that have no weight because their se is 0 or missing",
            missing=True,
        ),
        Column("sign_conflict", "bool", "pooled and plain mean difference differ in sign"),
        Column("pooled_reason", "string", "why there is no pooled difference", missing=True),
        _number("gee_coef", "ln of the odds ratio"),
        _number("gee_se", "its robust standard error, clustered on items", low=0),
        _number(
            "gee_odds_ratio", "odds(other right) / odds(High right): below 1 favours High", "", 0
        ),
        _number("gee_ci_low", "lower end of its 95 % interval", low=0),
        _number("gee_ci_high", "upper end of its 95 % interval", low=0),
        _p("gee_p", "its two-sided p-value"),
        _p("gee_q", "its Benjamini-Hochberg q-value"),
        _number("gee_alpha", "exchangeable correlation of answers to one item", "", -1, 1),
        Column("gee_reason", "string", "why there is no odds ratio", missing=True),
        Column("warnings", "string", "what to know before believing it, one a line", missing=True),
    ),
    rules=(
        Rule(
            name="missing_with_reason",
            says="each method's answer is missing where, and only where, it gives a reason",
            why="no number is better than a guess, but not without a word",
            remedy=_REPEAT,
            broken=_answers_without_reason,
        ),
        Rule(
            name="q_is_not_below_p",
            says="every p has a q, and no q is below its p",
            why="a correction that makes findings stronger is none",
            remedy=_REPEAT,
            broken=_q_below_p,
        ),
        Rule(
            name="rests_on_its_tests",
            says="n_repetitions are the contrast's rows in delong",
            why="the summary must be of the tests listed",
            remedy=_REPEAT,
            broken=_tests_not_listed,
            needs=("delong",),
        ),
    ),
)
