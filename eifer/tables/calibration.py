"""What calibrate hands on: how often each test claims an effect, and what it could have found."""

from __future__ import annotations

import pandas as pd

from eifer.tables.schema import Column, Table, rule

PUBLISHED, PARTICIPANT = "as published", "participant level"
BLOCKS = {
    "fisher": PUBLISHED,
    "fixed_effect": PUBLISHED,
    "gee_items": PUBLISHED,
    "t": PARTICIPANT,
    "sign_flip": PARTICIPANT,
    "gee_participants": PARTICIPANT,
    "jackknife": PARTICIPANT,
    "random_effects": PARTICIPANT,
    "equivalence": PARTICIPANT,
    "verdict": PARTICIPANT,
}
"""Every test with the block of the comparison it belongs to."""
NAMES = {
    "fisher": "Fisher of the DeLong tests",
    "fixed_effect": "fixed-effect interval without 0",
    "gee_items": "GEE clustered on frames",
    "t": "t over participants",
    "sign_flip": "sign-flip over participants",
    "gee_participants": "GEE clustered on participants (Mancl-DeRouen)",
    "jackknife": "difference over all frames, jackknife over participants",
    "random_effects": "random effects over repetitions (Knapp-Hartung)",
    "equivalence": "equivalence (two one-sided tests)",
    "verdict": "what stats concludes: one model better",
}
"""Every test in the words of a reader."""
OF_DIFFERENCES = ("t", "sign_flip")
"""The tests that may be primary and need participants' differences alone."""

DESIGN = ["participants", "videos", "frames", "repetitions", "training", "auc", "ease"]


def people(table: pd.DataFrame) -> pd.Series:
    """Who was tested, in words: ``12 people``, ``12 uneven people``."""
    uneven = (table["ease"] > 0).map({True: " uneven", False: ""})
    return table["participants"].astype(str) + uneven + " people"


_REPEAT = "repeat calibrate; if it stays, eifer.calibration is wrong"

_DESIGN_COLUMNS = (
    Column("participants", "int participants 2..", "people tested"),
    Column("videos", "int videos 2..", "of each, half of them labelled high"),
    Column("frames", "int frames 1..", "of each video"),
    Column("repetitions", "int repetitions 2..", "trainings of each model"),
    Column(
        "training",
        "float 0..",
        "SD of how well a training separates the classes in everybody alike, on the scale of the "
        "scores; above 0 a model is better or worse by luck of its training",
    ),
    Column("auc", "float 0.5..1", "mean of two models' ROC-AUC within a person"),
    Column(
        "ease",
        "float 0..",
        "SD of how much easier one person is to read than another, on the scale of the scores; "
        "above 0 few people hold most errors",
    ),
    Column("true_effect", "float 0..1", "expected AUC of High less that of Low; 0: none"),
)
_RATE_COLUMNS = (
    Column("n_simulations", "int cohorts 1..", "cohorts drawn"),
    Column("n_estimable", "int cohorts 0..", "of these, with an answer of the test"),
    Column("n_rejected", "int cohorts 0..", "of these, in which the test claims its effect"),
    Column(
        "rate", "float? 0..1", "n_rejected / n_estimable; missing where no cohort had an answer"
    ),
    Column("ci_low", "float? 0..1", "lower end of its 95 % interval (Wilson)"),
    Column("ci_high", "float? 0..1", "upper end of its 95 % interval (Wilson)"),
)


@rule("a test without an answer rejects nothing", _REPEAT)
def counts_add_up(table: pd.DataFrame) -> pd.DataFrame:
    """n_rejected is at most n_estimable, and that at most n_simulations."""
    estimable = table["n_estimable"]
    return table[(table["n_rejected"] > estimable) | (estimable > table["n_simulations"])]


@rule("an error rate is what this table is for", _REPEAT)
def rate_is_the_share(table: pd.DataFrame) -> pd.DataFrame:
    """Rate is n_rejected / n_estimable and lies in its interval."""
    there = table["n_estimable"] > 0
    gap = (table["rate"] * table["n_estimable"] - table["n_rejected"]).abs()
    within = table["rate"].between(table["ci_low"] - 1e-12, table["ci_high"] + 1e-12)
    return table[(there & ~((gap < 1e-9) & within)) | (~there & table["rate"].notna())]


@rule("what holds its level must not be mixed up with what does not", _REPEAT)
def test_in_its_block(table: pd.DataFrame) -> pd.DataFrame:
    """A test stands in the block it belongs to."""
    return table[table["test"].map(BLOCKS) != table["block"]]


CALIBRATION = Table(
    name="calibration",
    meaning="How often every test of the comparison claims an effect in drawn predictions whose "
    "truth is known. Where true_effect is 0 that is the test's error rate, to be set against its "
    "level; equivalence claims that there is none, and its error rate is the one at the margin.",
    key=(*DESIGN, "true_effect", "test"),
    columns=(
        *_DESIGN_COLUMNS,
        Column("test", "string", "which test", values=tuple(BLOCKS)),
        Column(
            "block",
            "string",
            "as published, or at the level of participants",
            values=(PUBLISHED, PARTICIPANT),
        ),
        Column("alpha", "float 0..1", "the level it is tested at"),
        *_RATE_COLUMNS,
        Column("reason", "string?", "why it cannot reject, or why it has no answer"),
    ),
    rules=(
        counts_add_up,
        rate_is_the_share,
        test_in_its_block,
    ),
)


@rule("the smallest effect found is what a null result rules out", _REPEAT)
def found_where_it_reaches(table: pd.DataFrame) -> pd.DataFrame:
    """Found says whether rate is at least the power wanted."""
    return table[table["found"] != (table["rate"] >= table["wanted"])]


POWER = Table(
    name="power",
    meaning="What cohorts of a design could have found: how often the tests of participants' "
    "differences reject, by the true difference.",
    key=(*DESIGN, "test", "true_effect"),
    columns=(
        *_DESIGN_COLUMNS,
        Column("test", "string", "which test", values=OF_DIFFERENCES),
        Column("alpha", "float 0..1", "the level it is tested at"),
        *_RATE_COLUMNS,
        Column("wanted", "float 0..1", "the power asked for"),
        Column("found", "bool", "whether rate reaches it"),
    ),
    rules=(
        counts_add_up,
        rate_is_the_share,
        found_where_it_reaches,
    ),
)
