"""What calibrate hands on: how often each test claims an effect, and what it could have found."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.tables.schema import Column, Rule, Table

Others = Mapping[str, pd.DataFrame]

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
    Column("participants", "int", "people tested", "participants", low=2),
    Column("videos", "int", "of each, half of them labelled high", "videos", low=2),
    Column("frames", "int", "of each video", "frames", low=1),
    Column("repetitions", "int", "trainings of each model", "repetitions", low=2),
    Column(
        "training",
        "float",
        "SD of how well a training separates the classes in everybody alike, on the scale of the "
        "scores; above 0 a model is better or worse by luck of its training",
        low=0,
    ),
    Column("auc", "float", "mean of two models' ROC-AUC within a person", low=0.5, high=1),
    Column(
        "ease",
        "float",
        "SD of how much easier one person is to read than another, on the scale of the scores; "
        "above 0 most errors sit in few people",
        low=0,
    ),
    Column("true_effect", "float", "expected AUC of High less that of Low; 0: none", low=0, high=1),
)
_RATE_COLUMNS = (
    Column("n_simulations", "int", "cohorts drawn", "cohorts", low=1),
    Column("n_estimable", "int", "of these, with an answer of the test", "cohorts", low=0),
    Column("n_rejected", "int", "of these, in which the test claims its effect", "cohorts", low=0),
    Column(
        "rate",
        "float",
        "n_rejected / n_estimable; missing where no cohort had an answer",
        low=0,
        high=1,
        missing=True,
    ),
    Column("ci_low", "float", "lower end of its 95 % interval (Wilson)", "", 0, 1, missing=True),
    Column("ci_high", "float", "upper end of its 95 % interval (Wilson)", "", 0, 1, missing=True),
)


def _more_than_there_are(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    estimable = table["n_estimable"]
    return table[(table["n_rejected"] > estimable) | (estimable > table["n_simulations"])]


def _not_the_share(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    there = table["n_estimable"] > 0
    gap = (table["rate"] * table["n_estimable"] - table["n_rejected"]).abs()
    within = table["rate"].between(table["ci_low"] - 1e-12, table["ci_high"] + 1e-12)
    return table[(there & ~((gap < 1e-9) & within)) | (~there & table["rate"].notna())]


_COUNTS = (
    Rule(
        name="counts_add_up",
        says="n_rejected is at most n_estimable, and that at most n_simulations",
        why="a test without an answer rejects nothing",
        remedy=_REPEAT,
        broken=_more_than_there_are,
    ),
    Rule(
        name="rate_is_the_share",
        says="rate is n_rejected / n_estimable and lies in its interval",
        why="an error rate is what this table is for",
        remedy=_REPEAT,
        broken=_not_the_share,
    ),
)


def _wrong_block(table: pd.DataFrame, others: Others) -> pd.DataFrame:
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
        Column("alpha", "float", "the level it is tested at", low=0, high=1),
        *_RATE_COLUMNS,
        Column("reason", "string", "why it cannot reject, or why it has no answer", missing=True),
    ),
    rules=(
        *_COUNTS,
        Rule(
            name="test_in_its_block",
            says="a test stands in the block it belongs to",
            why="what holds its level must not be mixed up with what does not",
            remedy=_REPEAT,
            broken=_wrong_block,
        ),
    ),
)


def _found_wrongly(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["found"] != (table["rate"] >= table["wanted"])]


POWER = Table(
    name="power",
    meaning="What cohorts of a design could have found: how often the tests of participants' "
    "differences reject, by the true difference.",
    key=(*DESIGN, "test", "true_effect"),
    columns=(
        *_DESIGN_COLUMNS,
        Column("test", "string", "which test", values=OF_DIFFERENCES),
        Column("alpha", "float", "the level it is tested at", low=0, high=1),
        *_RATE_COLUMNS,
        Column("wanted", "float", "the power asked for", low=0, high=1),
        Column("found", "bool", "whether rate reaches it"),
    ),
    rules=(
        *_COUNTS,
        Rule(
            name="found_where_it_reaches",
            says="found says whether rate is at least the power wanted",
            why="the smallest effect found is what a null result rules out",
            remedy=_REPEAT,
            broken=_found_wrongly,
        ),
    ),
)
