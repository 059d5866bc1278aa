"""What stats hands on: the models against each other, over participants and as published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from eifer.tables.evaluation import TEST
from eifer.tables.partitions import ASSIGNMENT
from eifer.tables.schema import Column, Rule, Table, rule
from eifer.vocabulary import Dimension, Group

OTHERS = (Group.LOW, Group.TOTAL)
"""The groups that High is compared with."""
CONTRASTS = tuple(f"{Group.HIGH}-{other}" for other in OTHERS)
CONTRAST = [*TEST, "contrast"]
FINE_TUNED, PRETRAINED = "fine-tuned", "pretrained"
STEPS = (FINE_TUNED, PRETRAINED)
"""Of each group the models trained on everybody last, as published, and those before."""
PLACE = ["models", *CONTRAST]

CONFIRMATORY, EXPLORATORY = "confirmatory", "exploratory"
ROLES = (CONFIRMATORY, EXPLORATORY)
WITHIN = "within this training"
"""No test over participants knows what other people to train on would give; the null does."""
BLOCKS = ("participants", "published")
TESTED = ("t", "sign_flip", "gee", "equivalence", "null")
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
_PLACE_COLUMNS = (
    Column(
        "models",
        "string",
        "fine-tuned: trained on a group, then on everybody (as published); pretrained: trained on "
        "the group alone",
        values=STEPS,
    ),
    *_CONTRAST_COLUMNS,
)
_ODDS_RATIO = Column(
    "gee_odds_ratio", "float? 0..", "odds(other right) / odds(High right): below 1 favours High"
)


# delong ---------------------------------------------------------------------------------------


@rule("the sign says which model is better", _REPEAT)
def delta_is_the_difference(table: pd.DataFrame) -> pd.DataFrame:
    """Delta is auc_a - auc_b."""
    gap = (table["auc_a"] - table["auc_b"] - table["delta"]).abs()
    return table[(gap > 1e-12) | (gap.isna() & table["reason"].isna())]


def _answers_or_reasons(answers: Mapping[str, str]) -> Rule:
    """The rule for a table whose methods have their answers in these columns."""

    @rule("A missing number needs a reason.", _REPEAT)
    def missing_with_reason(table: pd.DataFrame) -> pd.DataFrame:
        """Each method's answer is missing where, and only where, it gives a reason"""
        reasons = table[[f"{method}_reason" for method in answers]].notna().to_numpy()
        return table[(table[list(answers.values())].isna().to_numpy() != reasons).any(axis=1)]

    return missing_with_reason


def _corrected(methods: Sequence[str]) -> Rule:
    """The rule for a table with p and q of these methods."""

    @rule("a correction that makes findings stronger is none", _REPEAT)
    def q_is_not_below_p(table: pd.DataFrame) -> pd.DataFrame:
        """Every p has a q, and no q is below its p"""
        p, q = (table[[f"{method}_{name}" for method in methods]].to_numpy() for name in "pq")
        return table[((q < p) | (pd.isna(p) != pd.isna(q))).any(axis=1)]

    return q_is_not_below_p


@rule("A missing number needs a reason.", _REPEAT)
def missing_with_reason(table: pd.DataFrame) -> pd.DataFrame:
    """P is missing where, and only where, the test is not estimable for a reason."""
    blank = table["p"].isna()
    return table[(blank == table["estimable"]) | (blank != table["reason"].notna())]


DELONG = Table(
    name="delong",
    meaning="The paired DeLong test of every contrast in every repetition. It takes frames for "
    "independent, which frames of one video are not.",
    key=("task", "condition", "contrast", "repetition"),
    columns=(
        *_CONTRAST_COLUMNS,
        Column("repetition", "int 1..", "the same repetition of both models"),
        Column("auc_a", "float? 0..1", "ROC-AUC of High"),
        Column("auc_b", "float? 0..1", "ROC-AUC of the other model"),
        Column("se_a", "float? 0..", "standard error of auc_a"),
        Column("se_b", "float? 0..", "standard error of auc_b"),
        Column("delta", "float? -1..1", f"auc_a - auc_b: {_DIRECTION}"),
        Column(
            "se", "float? 0..", "standard error of delta; 0 where nothing varies between frames"
        ),
        Column("ci_low", "float?", "lower end of its 95 % interval, not clipped"),
        Column("ci_high", "float?", "upper end of its 95 % interval, not clipped"),
        Column("z", "float?", "delta / se; 0 where both are 0, missing where se alone is"),
        Column("p", "float? 0..1", "two-sided p-value"),
        Column("log_p", "float? ..0", "its natural logarithm, finite where p underflows"),
        Column("estimable", "bool", "whether the test has an answer"),
        Column("reason", "string?", "why it has none"),
    ),
    rules=(delta_is_the_difference, missing_with_reason),
)


# comparison -----------------------------------------------------------------------------------

ANSWERS = {"fisher": "fisher_p", "pooled": "pooled_delta", "gee": "gee_odds_ratio"}
"""Each method with the column that holds its answer."""


@rule("the summary must be of the tests listed", _REPEAT)
def rests_on_its_tests(table: pd.DataFrame, delong: pd.DataFrame) -> pd.DataFrame:
    """n_repetitions are the contrast's rows in delong."""
    listed = delong.groupby(CONTRAST)["repetition"].size()
    counted = listed.reindex(pd.MultiIndex.from_frame(table[CONTRAST])).to_numpy()
    return table[counted != table["n_repetitions"].to_numpy()]


COMPARISON = Table(
    name="comparison",
    meaning="High against Low and against Total as published: Fisher's combination of the DeLong "
    "tests, the fixed-effect pooled difference, and odds ratios by GEE. Read the warnings: the "
    "procedure takes frames and repetitions for independent.",
    key=("task", "condition", "contrast"),
    columns=(
        *_CONTRAST_COLUMNS,
        Column("n_items", "int frames 1..", "frames tested"),
        Column("n_positive", "int frames 0..", "of these, with the label high"),
        Column("n_participants", "int participants 1..", "people they show"),
        Column("n_repetitions", "int repetitions 2..", "repetitions of each model"),
        Column("mean_auc_a", "float? 0..1", "ROC-AUC of High, mean over repetitions"),
        Column("mean_auc_b", "float? 0..1", "ROC-AUC of the other model, mean over repetitions"),
        Column("mean_delta", "float? -1..1", f"plain mean of the differences: {_DIRECTION}"),
        Column(
            "family",
            "string",
            "the tests corrected together: this, within one method",
            why="params say what makes a family",
        ),
        Column("fisher_statistic", "float? 0..", "-2 sum ln p over repetitions"),
        Column("fisher_df", "float? 2..", "its degrees of freedom: twice the repetitions used"),
        Column(
            "fisher_p",
            "float? 0..1",
            "combined p-value of the DeLong tests, blind to their direction",
        ),
        Column("fisher_log_p", "float? ..0", "its natural logarithm, finite where p underflows"),
        Column("fisher_q", "float? 0..1", "its Benjamini-Hochberg q-value"),
        Column("fisher_n_used", "int repetitions 0..", "repetitions combined"),
        Column("fisher_reason", "string?", "why there is no combined p"),
        Column(
            "pooled_delta", "float? -1..1", f"inverse-variance weighted difference: {_DIRECTION}"
        ),
        Column("pooled_se", "float? 0..", "its standard error"),
        Column("pooled_ci_low", "float?", "lower end of its 95 % interval"),
        Column("pooled_ci_high", "float?", "upper end of its 95 % interval"),
        Column("pooled_p", "float? 0..1", "its two-sided p-value"),
        Column("heterogeneity_q", "float? 0..", "Cochran's Q between repetitions"),
        Column("heterogeneity_p", "float? 0..1", "its p-value"),
        Column("i2_pct", "float? % 0..100", "I2: share of the spread that is not sampling error"),
        Column("pooled_n_used", "int repetitions 0..", "repetitions pooled"),
        Column(
            "pooled_left_out",
            "string?",
            "repetitions that have no weight because their se is 0 or missing",
        ),
        Column("sign_conflict", "bool", "pooled and plain mean difference differ in sign"),
        Column("pooled_reason", "string?", "why there is no pooled difference"),
        Column("gee_coef", "float?", "ln of the odds ratio"),
        Column("gee_se", "float? 0..", "its robust standard error, clustered on items"),
        _ODDS_RATIO,
        Column("gee_ci_low", "float? 0..", "lower end of its 95 % interval"),
        Column("gee_ci_high", "float? 0..", "upper end of its 95 % interval"),
        Column("gee_p", "float? 0..1", "its two-sided p-value"),
        Column("gee_q", "float? 0..1", "its Benjamini-Hochberg q-value"),
        Column("gee_alpha", "float? -1..1", "exchangeable correlation of answers to one item"),
        Column("gee_reason", "string?", "why there is no odds ratio"),
        Column("warnings", "string?", "what to know before believing it, one a line"),
    ),
    rules=(_answers_or_reasons(ANSWERS), _corrected(("fisher", "gee")), rests_on_its_tests),
)


# declared -------------------------------------------------------------------------------------

_ROLE = Column(
    "role",
    "string",
    "confirmatory: declared in params before the run; exploratory: everything else",
    values=ROLES,
    why="a hypothesis chosen after the results is confirmed by them, always",
)


@rule("they take frames for independent and so do not hold their error rate", _REPEAT)
def published_confirms_nothing(table: pd.DataFrame) -> pd.DataFrame:
    """Tests as published are exploratory."""
    return table[(table["block"] == "published") & (table["role"] == CONFIRMATORY)]


DECLARED = Table(
    name="declared",
    meaning="Every test of every contrast, and whether params declared it confirmatory.",
    key=(*PLACE, "block", "method"),
    columns=(
        *_PLACE_COLUMNS,
        Column("block", "string", "over participants, or as published", values=BLOCKS),
        Column(
            "method",
            "string",
            "the test: a column's first word in by_participant or in comparison",
            values=tuple(dict.fromkeys(name for names in METHODS.values() for name in names)),
        ),
        _ROLE,
    ),
    rules=(published_confirms_nothing,),
)


# participant deltas ---------------------------------------------------------------------------


@rule("one class cannot be ranked, and nobody is left out without a word", _REPEAT)
def both_classes_or_a_reason(table: pd.DataFrame) -> pd.DataFrame:
    """Delta is there where, and only where, a participant has frames of both classes."""
    both = (table["n_positive"] > 0) & (table["n_positive"] < table["n_items"])
    return table[(both != table["delta"].notna()) | (both == table["reason"].notna())]


PARTICIPANT_DELTAS = Table(
    name="participant_deltas",
    meaning="How much better High ranks each participant's own frames: the sample of the primary "
    "analysis. A participant whose frames are all of one class has none, and is listed.",
    key=(*PLACE, "participant_id"),
    columns=(
        *_PLACE_COLUMNS,
        Column("participant_id", "string", "whose frames"),
        Column("n_items", "int frames 1..", "frames of that participant"),
        Column("n_positive", "int frames 0..", "of these, with the label high"),
        Column("auc_a", "float? 0..1", "ROC-AUC of High among them, mean over repetitions"),
        Column("auc_b", "float? 0..1", "ROC-AUC of the other model, mean over repetitions"),
        Column("delta", "float? -1..1", f"auc_a - auc_b: {_DIRECTION}"),
        Column("auc_a_sd", "float? 0..", "SD of High's over repetitions (divisor n - 1)"),
        Column("auc_b_sd", "float? 0..", "the same of the other model's"),
        Column("delta_sd", "float? 0..", "its standard deviation over repetitions (divisor n - 1)"),
        Column("reason", "string?", "why there is no difference"),
    ),
    rules=(both_classes_or_a_reason, delta_is_the_difference),
)


# by participant -------------------------------------------------------------------------------

ANSWERS_BY_PARTICIPANT = {
    "t": "t_p",
    "sign_flip": "sign_flip_p",
    "equivalence": "equivalence_p",
    "pooled": "pooled_p",
    "gee": "gee_odds_ratio",
    "random": "random_delta",
    "null": "null_p",
}


@rule("K signs can be turned in 2^K ways only", _REPEAT)
def p_is_possible(table: pd.DataFrame) -> pd.DataFrame:
    """No sign-flip p is below smallest_p, nor that below 2 / 2^K."""
    least = (2.0 / 2.0 ** table["n_used"]).clip(upper=1)
    exact = table["n_used"] <= 16
    return table[
        (table["sign_flip_p"] < table["smallest_p"]) | (exact & (table["smallest_p"] < least))
    ]


@rule("they are one test", _REPEAT)
def interval_agrees_with_p(table: pd.DataFrame) -> pd.DataFrame:
    """The 95 % interval holds delta, and leaves out 0 where t_p is below .05."""
    holds_0 = (table["ci_low"] <= 0) & (table["ci_high"] >= 0)
    outside = (table["delta"] < table["ci_low"]) | (table["delta"] > table["ci_high"])
    near = (table["t_p"] - 0.05).abs() < 1e-9
    return table[outside | (table["t_p"].notna() & ~near & (holds_0 == (table["t_p"] < 0.05)))]


@rule("the summary must be of the people listed", _REPEAT)
def rests_on_its_participants(
    table: pd.DataFrame, participant_deltas: pd.DataFrame
) -> pd.DataFrame:
    """Delta is the mean of the differences in participant_deltas, n_used their number, n_differ
    that of those other than 0 (1e-12 or less is 0).
    """
    listed = participant_deltas.groupby(PLACE)["delta"]
    place = pd.MultiIndex.from_frame(table[PLACE])
    counted = listed.agg(["size", "count", "mean"]).reindex(place)
    wrong = (counted["size"].to_numpy() != table["n_participants"].to_numpy()) | (
        counted["count"].to_numpy() != table["n_used"].to_numpy()
    )
    apart = participant_deltas["delta"].abs() > 1e-12
    differ = apart.groupby([participant_deltas[name] for name in PLACE]).sum().reindex(place)
    wrong |= differ.to_numpy() != table["n_differ"].to_numpy()
    gap = (counted["mean"].to_numpy() - table["delta"]).abs()
    return table[wrong | (gap > 1e-12) | (table["delta"].isna() != (table["n_used"] == 0))]


@rule("params are the preregistration", _REPEAT)
def role_as_declared(table: pd.DataFrame, declared: pd.DataFrame) -> pd.DataFrame:
    """The role is the one that declared gives this contrast and test."""
    people = declared[declared["block"] == "participants"]
    roles = people.set_index([*PLACE, "method"])["role"]
    place = pd.MultiIndex.from_frame(table[[*PLACE, "test"]])
    return table[roles.reindex(place).to_numpy() != table["role"].to_numpy()]


@rule("a difference may exist although none was shown; few people cannot show any", _REPEAT)
def verdict_is_earned(table: pd.DataFrame) -> pd.DataFrame:
    """Better needs q < alpha and 2 / 2^K < alpha (K: people who differ), and where random
    assignments were trained also null_q < alpha; equivalent needs a q of equivalence below alpha
    and 1 / 2^K < alpha; all else is inconclusive or not estimable.
    """
    q = pd.Series(
        [row[f"{row['test']}_q"] for row in table.to_dict("records")],
        index=table.index,
        dtype=float,
    )
    people = table["n_differ"].where(table["test"] != "gee", table["gee_n_used"])
    shown = (q < table["alpha"]) & (2.0 / 2.0**people < table["alpha"])
    same = (table["equivalence_q"] < table["alpha"]) & (0.5 ** table["n_used"] < table["alpha"])
    asked = table["null_n"] > 0
    earned = shown & (~asked | (table["null_q"] < table["alpha"]))
    verdict = table["verdict"].str.split(r"[:,(]", n=1, regex=True).str[0].str.strip()
    better = verdict.str.endswith(" better").where(asked, verdict.str.endswith(f" better {WITHIN}"))
    equivalent = verdict == "equivalent"
    neither = verdict.isin(["inconclusive", "not estimable"])
    # A rare difference may still lie on the other side of the random assignments' mean than of 0.
    wrong = (better & ~earned) | (earned & ~better & ~asked)
    return table[wrong | (equivalent != (same & ~better)) | ~(better | equivalent | neither)]


@rule("with n random assignments no p is below 1 / (n + 1)", _REPEAT)
def null_p_is_possible(table: pd.DataFrame) -> pd.DataFrame:
    """No null_p is below null_smallest_p, which is 1 / (null_n + 1)."""
    least = 1.0 / (table["null_n"] + 1)
    low = table["null_p"] < table["null_smallest_p"]
    return table[low | ((table["null_smallest_p"] - least).abs() > 1e-12)]


@rule("the null is the distribution of what was trained", _REPEAT)
def null_as_listed(table: pd.DataFrame, by_assignment: pd.DataFrame) -> pd.DataFrame:
    """null_n is the number of random assignments that by_assignment has a difference of."""
    null = by_assignment[by_assignment["assignment"].str.startswith("null")]
    counted = null.groupby(PLACE)["delta"].count()
    counted = counted.reindex(pd.MultiIndex.from_frame(table[PLACE]), fill_value=0)
    return table[counted.to_numpy() != table["null_n"].to_numpy()]


BY_PARTICIPANT = Table(
    name="by_participant",
    meaning="High against Low and against Total with people as the sample: the primary analysis. "
    "What it can show hangs on the number of test participants, not on that of frames.",
    key=tuple(PLACE),
    columns=(
        *_PLACE_COLUMNS,
        _ROLE,
        Column("test", "string", "the test that speaks, as declared", values=TESTED[:3]),
        Column("alpha", "float 0..1", "level of q"),
        Column("margin", "float 0..1", "smallest difference in ROC-AUC that would matter"),
        Column("family", "string", "tests corrected together, by Holm if confirmatory, else by BH"),
        Column("verdict", "string", "what may be said: better, equivalent, or inconclusive"),
        Column("n_participants", "int participants 1..", "people tested"),
        Column("n_used", "int participants 0..", "of these, with frames of both classes"),
        Column("left_out", "string?", "the others and why, one a line"),
        Column("n_differ", "int participants 0..", "those used whose difference is other than 0"),
        Column("n_repetitions", "int repetitions 2..", "repetitions of each model"),
        Column(
            "delta", "float? -1..1", f"mean over participants of their differences: {_DIRECTION}"
        ),
        Column("se", "float? 0..", "its standard error, over participants"),
        Column("ci_low", "float?", "lower end of its 95 % interval, by t"),
        Column("ci_high", "float?", "upper end of its 95 % interval, by t"),
        Column("t", "float?", "delta / se"),
        Column("df", "float? 1..", "its degrees of freedom: participants used less 1"),
        Column("t_p", "float? 0..1", "two-sided p of the t-test"),
        Column("t_q", "float? 0..1", "its corrected p-value"),
        Column("t_reason", "string?", "why there is no t-test"),
        Column(
            "sign_flip_p", "float? 0..1", "two-sided p of turning signs: assumes symmetry alone"
        ),
        Column("sign_flip_q", "float? 0..1", "its Benjamini-Hochberg q-value"),
        Column(
            "smallest_p",
            "float? 0..1",
            "the smallest it can be: 2 / 2^K for K differences other than 0",
        ),
        Column("sign_flip_reason", "string?", "why there is no sign-flip test"),
        Column(
            "equivalence_p",
            "float? 0..1",
            "larger p of two one-sided tests against -margin and margin",
        ),
        Column("equivalence_q", "float? 0..1", "its Benjamini-Hochberg q-value"),
        Column("equivalence_ci_low", "float?", "lower end of the interval of level 1 - 2 alpha"),
        Column(
            "equivalence_ci_high", "float?", "its upper end; within the margins where equivalent"
        ),
        Column("equivalence_reason", "string?", "why there is no such test"),
        Column(
            "pooled_delta", "float?", f"difference over everybody's frames together: {_DIRECTION}"
        ),
        Column(
            "pooled_ci_low", "float?", "lower end of its 95 % interval: jackknife over participants"
        ),
        Column("pooled_ci_high", "float?", "upper end of its 95 % interval"),
        Column(
            "pooled_p",
            "float? 0..1",
            "its two-sided p-value, t with participants less 1 degrees of freedom",
        ),
        Column("pooled_reason", "string?", "why it has none"),
        _ODDS_RATIO,
        Column("gee_ci_low", "float? 0..", "lower end of its 95 % interval (Mancl-DeRouen)"),
        Column("gee_ci_high", "float? 0..", "upper end of its 95 % interval"),
        Column("gee_df", "float? 1..", "degrees of freedom: participants less 1"),
        Column(
            "gee_n_used",
            "int participants 0..",
            "people in whom the models are not right equally often: they alone speak",
        ),
        Column("gee_p", "float? 0..1", "its two-sided p-value, clustered on participants"),
        Column("gee_q", "float? 0..1", "its Benjamini-Hochberg q-value"),
        Column("gee_reason", "string?", "why there is no odds ratio"),
        Column("random_n_used", "int repetitions 0..", "repetitions in the mean that follows"),
        Column(
            "random_left_out",
            "string?",
            "repetitions that have no weight because their se is 0 or missing",
        ),
        Column(
            "random_delta", "float?", f"mean over repetitions with random effects: {_DIRECTION}"
        ),
        Column(
            "random_ci_low",
            "float?",
            "lower end of its 95 % interval (Knapp-Hartung): of trainings",
        ),
        Column("random_ci_high", "float?", "upper end of its 95 % interval"),
        Column(
            "random_p",
            "float? 0..1",
            "its two-sided p-value: of other trainings, not of other people",
        ),
        Column("tau2", "float? 0..", "variance between repetitions, beyond sampling error"),
        Column("i2_pct", "float? % 0..100", "I2: share of the spread that is not sampling error"),
        Column("random_reason", "string?", "why there is no such mean"),
        Column("null_n", "int assignments 0..", "random assignments of labels trained as well"),
        Column(
            "null_p",
            "float? 0..1",
            "share of all assignments, ei among them, whose difference is at least as far from "
            "their mean as that of ei",
        ),
        Column("null_q", "float? 0..1", "its corrected p-value"),
        Column("null_smallest_p", "float 0..1", "the smallest it can be: 1 / (null_n + 1)"),
        Column("null_mean", "float? -1..1", "mean of the random assignments' differences"),
        Column("null_low", "float?", "2.5 % quantile of the random assignments' differences"),
        Column("null_high", "float?", "their 97.5 % quantile"),
        Column("null_reason", "string?", "why there is no such p"),
    ),
    rules=(
        _answers_or_reasons(ANSWERS_BY_PARTICIPANT),
        _corrected(TESTED),
        p_is_possible,
        interval_agrees_with_p,
        verdict_is_earned,
        rests_on_its_participants,
        role_as_declared,
        null_p_is_possible,
        null_as_listed,
    ),
)


# by assignment --------------------------------------------------------------------------------

BY_ASSIGNMENT = Table(
    name="by_assignment",
    meaning="The mean difference over participants in each assignment: the EI groups, and what "
    "other labels of the same people give.",
    key=("assignment", *PLACE),
    columns=(
        ASSIGNMENT,
        *_PLACE_COLUMNS,
        Column("n_participants", "int participants 1..", "people tested"),
        Column("n_used", "int participants 0..", "of these, with frames of both classes"),
        Column("delta", "float? -1..1", f"mean over them: {_DIRECTION}"),
    ),
)


# beside them ----------------------------------------------------------------------------------

_TEST_OVER_PEOPLE = (
    Column("n_used", "int participants 0..", "people in it"),
    Column("estimate", "float?", "mean over them of the difference"),
    Column("ci_low", "float?", "lower end of its 95 % interval, by t"),
    Column("ci_high", "float?", "upper end of its 95 % interval"),
    Column("p", "float? 0..1", "two-sided p of the t-test over people"),
    Column("q", "float? 0..1", "its Benjamini-Hochberg q-value over the whole table"),
    Column("reason", "string?", "why there is no test"),
)

INTERACTION = Table(
    name="interaction",
    meaning="Whether a contrast is larger in one condition than in another: the difference of the "
    "participants' differences. Exploratory.",
    key=(*PLACE, "other_condition"),
    columns=(
        *_PLACE_COLUMNS,
        Column("other_condition", "string", "whose difference is taken from condition's"),
        *_TEST_OVER_PEOPLE,
    ),
    may_be_empty=True,  # where there is one condition
)

STABILITY = Table(
    name="stability",
    meaning="How much High (a) and the other model (b) vary over trainings and over people. "
    "Exploratory.",
    key=tuple(PLACE),
    columns=(
        *_PLACE_COLUMNS,
        Column("over_trainings_sd_a", "float? 0..", "SD of AUC over repetitions, mean over people"),
        Column("over_trainings_sd_b", "float? 0..", "the same of the other model"),
        *_TEST_OVER_PEOPLE,
        Column("over_people_sd_a", "float? 0..", "SD over people of their mean AUC"),
        Column("over_people_sd_b", "float? 0..", "the same of the other model"),
        Column("people_p", "float? 0..1", "two-sided p that both are the same (Pitman-Morgan)"),
        Column("people_q", "float? 0..1", "its Benjamini-Hochberg q-value over the whole table"),
        Column("people_reason", "string?", "why there is no such test"),
    ),
    may_be_empty=True,  # where nobody has frames of both classes
)
