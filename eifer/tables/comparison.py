"""What stats hands on: the models against each other, over participants and as published."""

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

CONFIRMATORY, EXPLORATORY = "confirmatory", "exploratory"
ROLES = (CONFIRMATORY, EXPLORATORY)
BLOCKS = ("participants", "published")
TESTED = ("t", "sign_flip", "gee", "equivalence")
"""The tests over participants that have a q."""
METHODS = {
    "participants": (*TESTED, "pooled", "random"),
    "published": ("fisher", "pooled", "gee"),
}
"""Every way in which a contrast is looked at, by block."""

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
        _number("se", "standard error of delta; 0 where nothing varies between frames", low=0),
        _number("ci_low", "lower end of its 95 % interval, not clipped"),
        _number("ci_high", "upper end of its 95 % interval, not clipped"),
        _number("z", "delta / se; 0 where both are 0, missing where se alone is"),
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
            why="A missing number needs a reason.",
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
        Column("n_repetitions", "int", "repetitions of each model", "repetitions", low=2),
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
            why="A missing number needs a reason.",
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


# declared -------------------------------------------------------------------------------------

_ROLE = Column(
    "role",
    "string",
    "confirmatory: declared in params before the run; exploratory: everything else",
    values=ROLES,
    why="a hypothesis chosen after the results is confirmed by them, always",
)

DECLARED = Table(
    name="declared",
    meaning="Every test of every contrast, and whether params declared it confirmatory.",
    key=("task", "condition", "contrast", "block", "method"),
    columns=(
        *_CONTRAST_COLUMNS,
        Column("block", "string", "over participants, or as published", values=BLOCKS),
        Column(
            "method",
            "string",
            "the test: a column's first word in by_participant or in comparison",
            values=tuple(dict.fromkeys(name for names in METHODS.values() for name in names)),
        ),
        _ROLE,
    ),
    rules=(
        Rule(
            name="published_confirms_nothing",
            says="tests as published are exploratory",
            why="they take frames for independent and so do not hold their error rate",
            remedy=_REPEAT,
            broken=lambda table, others: table[
                (table["block"] == "published") & (table["role"] == CONFIRMATORY)
            ],
        ),
    ),
)


# participant deltas ---------------------------------------------------------------------------


def _two_classes(table: pd.DataFrame) -> pd.Series:
    return (table["n_positive"] > 0) & (table["n_positive"] < table["n_items"])


def _one_class_with_a_number(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    both = _two_classes(table)
    return table[(both != table["delta"].notna()) | (both == table["reason"].notna())]


PARTICIPANT_DELTAS = Table(
    name="participant_deltas",
    meaning="How much better High ranks each participant's own frames: the sample of the primary "
    "analysis. A participant whose frames are all of one class has none, and is listed.",
    key=("task", "condition", "contrast", "participant_id"),
    columns=(
        *_CONTRAST_COLUMNS,
        Column("participant_id", "string", "whose frames"),
        Column("n_items", "int", "frames of that participant", "frames", low=1),
        Column("n_positive", "int", "of these, with the label high", "frames", low=0),
        _number("auc_a", "ROC-AUC of High among them, mean over repetitions", low=0, high=1),
        _number("auc_b", "ROC-AUC of the other model, mean over repetitions", low=0, high=1),
        _number("delta", f"auc_a - auc_b: {_DIRECTION}", low=-1, high=1),
        _number("delta_sd", "its standard deviation over repetitions (divisor n - 1)", low=0),
        Column("reason", "string", "why there is no difference", missing=True),
    ),
    rules=(
        Rule(
            name="both_classes_or_a_reason",
            says="delta is there where, and only where, a participant has frames of both classes",
            why="one class cannot be ranked, and nobody is left out without a word",
            remedy=_REPEAT,
            broken=_one_class_with_a_number,
        ),
        Rule(
            name="delta_is_the_difference",
            says="delta is auc_a - auc_b",
            why="the sign says which model is better",
            remedy=_REPEAT,
            broken=lambda table, others: table[
                (table["auc_a"] - table["auc_b"] - table["delta"]).abs() > 1e-12
            ],
        ),
    ),
)


# by participant -------------------------------------------------------------------------------

ANSWERS_BY_PARTICIPANT = {
    "t": "t_p",
    "sign_flip": "sign_flip_p",
    "equivalence": "equivalence_p",
    "pooled": "pooled_p",
    "gee": "gee_odds_ratio",
    "random": "random_delta",
}


def _unanswered(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad = pd.Series(False, index=table.index)
    for method, answer in ANSWERS_BY_PARTICIPANT.items():
        bad |= table[answer].isna() != table[f"{method}_reason"].notna()
    return table[bad]


def _corrected_downwards(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    bad = pd.Series(False, index=table.index)
    for method in TESTED:
        p, q = table[f"{method}_p"], table[f"{method}_q"]
        bad |= (q < p) | (p.isna() != q.isna())
    return table[bad]


def _impossible_p(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    least = (2.0 / 2.0 ** table["n_used"]).clip(upper=1)
    exact = table["n_used"] <= 16
    return table[
        (table["sign_flip_p"] < table["smallest_p"]) | (exact & (table["smallest_p"] < least))
    ]


def _interval_against_p(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    holds_0 = (table["ci_low"] <= 0) & (table["ci_high"] >= 0)
    outside = (table["delta"] < table["ci_low"]) | (table["delta"] > table["ci_high"])
    near = (table["t_p"] - 0.05).abs() < 1e-9
    return table[outside | (table["t_p"].notna() & ~near & (holds_0 == (table["t_p"] < 0.05)))]


def _not_of_its_participants(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    listed = others["participant_deltas"].groupby(CONTRAST)["delta"]
    mine = pd.MultiIndex.from_frame(table[CONTRAST])
    found = listed.agg(["size", "count", "mean"]).reindex(mine)
    wrong = (found["size"].to_numpy() != table["n_participants"].to_numpy()) | (
        found["count"].to_numpy() != table["n_used"].to_numpy()
    )
    gap = (found["mean"].to_numpy() - table["delta"]).abs()
    return table[wrong | (gap > 1e-12) | (table["delta"].isna() != (table["n_used"] == 0))]


def _not_as_declared(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    listed = others["declared"]
    mine = listed[listed["block"] == "participants"].set_index([*CONTRAST, "method"])["role"]
    place = pd.MultiIndex.from_frame(table[[*CONTRAST, "test"]])
    return table[mine.reindex(place).to_numpy() != table["role"].to_numpy()]


def _unearned(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    """Verdicts that say more than q, and the number of participants, allow."""
    q = pd.Series(
        [row[f"{row['test']}_q"] for row in table.to_dict("records")],
        index=table.index,
        dtype=float,
    )
    people = table["n_used"].where(table["test"] != "gee", table["gee_n_used"])
    shown = (q < table["alpha"]) & (2.0 / 2.0**people < table["alpha"])
    same = (table["equivalence_q"] < table["alpha"]) & (0.5 ** table["n_used"] < table["alpha"])
    said = table["verdict"].str.split(r"[:,(]", n=1, regex=True).str[0].str.strip()
    better = said.str.endswith(" better")
    equivalent = said == "equivalent"
    neither = said.isin(["inconclusive", "not estimable"])
    return table[
        (better != shown) | (equivalent != (same & ~shown)) | ~(better | equivalent | neither)
    ]


BY_PARTICIPANT = Table(
    name="by_participant",
    meaning="High against Low and against Total with people as the sample: the primary analysis. "
    "What it can show hangs on the number of test participants, not on that of frames.",
    key=("task", "condition", "contrast"),
    columns=(
        *_CONTRAST_COLUMNS,
        _ROLE,
        Column("test", "string", "the test that speaks, as declared", values=TESTED[:3]),
        Column("alpha", "float", "level of q", low=0, high=1),
        Column("margin", "float", "smallest difference in ROC-AUC that would matter", "", 0, 1),
        Column("family", "string", "the tests corrected together: this, within one test"),
        Column("verdict", "string", "what may be said: better, equivalent, or inconclusive"),
        Column("n_participants", "int", "people tested", "participants", low=1),
        Column("n_used", "int", "of these, with frames of both classes", "participants", low=0),
        Column("left_out", "string", "the others and why, one a line", missing=True),
        Column("n_repetitions", "int", "repetitions of each model", "repetitions", low=2),
        _number("delta", f"mean over participants of their differences: {_DIRECTION}", "", -1, 1),
        _number("se", "its standard error, over participants", low=0),
        _number("ci_low", "lower end of its 95 % interval, by t"),
        _number("ci_high", "upper end of its 95 % interval, by t"),
        _number("t", "delta / se"),
        _number("df", "its degrees of freedom: participants used less 1", low=1),
        _p("t_p", "two-sided p of the t-test"),
        _p("t_q", "its Benjamini-Hochberg q-value"),
        Column("t_reason", "string", "why there is no t-test", missing=True),
        _p("sign_flip_p", "two-sided p of turning signs: assumes symmetry alone"),
        _p("sign_flip_q", "its Benjamini-Hochberg q-value"),
        _p("smallest_p", "the smallest it can be: 2 / 2^K for K differences other than 0"),
        Column("sign_flip_reason", "string", "why there is no sign-flip test", missing=True),
        _p("equivalence_p", "larger p of two one-sided tests against -margin and margin"),
        _p("equivalence_q", "its Benjamini-Hochberg q-value"),
        _number("equivalence_ci_low", "lower end of the interval of level 1 - 2 alpha"),
        _number("equivalence_ci_high", "its upper end; within the margins where equivalent"),
        Column("equivalence_reason", "string", "why there is no such test", missing=True),
        _number("pooled_delta", f"difference over everybody's frames together: {_DIRECTION}"),
        _number("pooled_ci_low", "lower end of its 95 % interval: jackknife over participants"),
        _number("pooled_ci_high", "upper end of its 95 % interval"),
        _p("pooled_p", "its two-sided p-value, t with participants less 1 degrees of freedom"),
        Column("pooled_reason", "string", "why it has none", missing=True),
        _number(
            "gee_odds_ratio", "odds(other right) / odds(High right): below 1 favours High", "", 0
        ),
        _number("gee_ci_low", "lower end of its 95 % interval (Mancl-DeRouen)", low=0),
        _number("gee_ci_high", "upper end of its 95 % interval", low=0),
        _number("gee_df", "degrees of freedom: participants less 1", low=1),
        Column(
            "gee_n_used",
            "int",
            "people in whom the models are not right equally often: they alone speak",
            "participants",
            low=0,
        ),
        _p("gee_p", "its two-sided p-value, clustered on participants"),
        _p("gee_q", "its Benjamini-Hochberg q-value"),
        Column("gee_reason", "string", "why there is no odds ratio", missing=True),
        _number("random_delta", f"mean over repetitions with random effects: {_DIRECTION}"),
        _number("random_ci_low", "lower end of its 95 % interval (Knapp-Hartung): of trainings"),
        _number("random_ci_high", "upper end of its 95 % interval"),
        _p("random_p", "its two-sided p-value: of other trainings, not of other people"),
        _number("tau2", "variance between repetitions, beyond sampling error", low=0),
        _number("i2_pct", "I2: share of the spread that is not sampling error", "%", 0, 100),
        Column("random_reason", "string", "why there is no such mean", missing=True),
    ),
    rules=(
        Rule(
            name="missing_with_reason",
            says="each method's answer is missing where, and only where, it gives a reason",
            why="A missing number needs a reason.",
            remedy=_REPEAT,
            broken=_unanswered,
        ),
        Rule(
            name="q_is_not_below_p",
            says="every p has a q, and no q is below its p",
            why="a correction that makes findings stronger is none",
            remedy=_REPEAT,
            broken=_corrected_downwards,
        ),
        Rule(
            name="p_is_possible",
            says="no sign-flip p is below smallest_p, nor that below 2 / 2^K",
            why="K signs can be turned in 2^K ways only",
            remedy=_REPEAT,
            broken=_impossible_p,
        ),
        Rule(
            name="interval_agrees_with_p",
            says="the 95 % interval holds delta, and leaves out 0 where t_p is below .05",
            why="they are one test",
            remedy=_REPEAT,
            broken=_interval_against_p,
        ),
        Rule(
            name="verdict_is_earned",
            says="better needs q < alpha and 2 / 2^K < alpha (K: people who speak), equivalent a q "
            "of equivalence below alpha and 1 / 2^K < alpha; all else is inconclusive or not "
            "estimable",
            why="no difference shown is not no difference, and few people show nothing",
            remedy=_REPEAT,
            broken=_unearned,
        ),
        Rule(
            name="rests_on_its_participants",
            says="delta is the mean of the differences in participant_deltas, n_used their number",
            why="the summary must be of the people listed",
            remedy=_REPEAT,
            broken=_not_of_its_participants,
            needs=("participant_deltas",),
        ),
        Rule(
            name="role_as_declared",
            says="the role is the one that declared gives this contrast and test",
            why="params are the preregistration",
            remedy=_REPEAT,
            broken=_not_as_declared,
            needs=("declared",),
        ),
    ),
)
