"""EI scores and groups, and the scan that chose the cutoff between them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.tables.schema import Column, Rule, Table
from eifer.vocabulary import EiIndex, Group

Others = Mapping[str, pd.DataFrame]

INDICES = tuple(map(str, EiIndex))
WHY_SCORE = "groups, and so every model, rest on these scores"
SEE_ITEMS = "score the assessment again from its items"
SCAN_AGAIN = "run the scan again; a table edited by hand cannot be trusted"


def _indices_do_not_add_up(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table[list(INDICES)].sum(axis=1) != table["ei_score"]]


def _not_tens(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[(table[["ei_score", *INDICES]] % 10 != 0).any(axis=1)]


def _wrong_side(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    scan = others["cutoff_scan"]
    cutoff = scan.loc[scan["chosen"], "cutoff"]
    if len(cutoff) != 1:
        return table
    high = table["ei_score"] > cutoff.iloc[0]
    return table[high != (table["group"] == Group.HIGH)]


def _not_one_chosen(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    chosen = table[table["chosen"]]
    return table.iloc[:0] if len(chosen) == 1 else chosen if len(chosen) else table


def _not_the_best(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    able = table[table["acceptable"] & (table["n_estimable"] > 0)]
    best = able.sort_values(
        ["n_significant", "imbalance", "cutoff"], ascending=[False, True, True], kind="stable"
    ).head(1)
    return table[table["chosen"] & ~table.index.isin(best.index)]


def _wrong_imbalance(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["imbalance"] != (table["n_high"] - table["n_low"]).abs()]


def _people_vary(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    people = table["n_high"] + table["n_low"]
    return table[people != people.mode().iloc[0]]


def _more_high_at_a_higher_cutoff(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table.sort_values("cutoff")["n_high"].diff().reindex(table.index) > 0]


def _more_significant_than_estimable(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[table["n_significant"] > table["n_estimable"]]


def _numbers_against_estimable(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    numbers = table[["f", "df1", "df2", "p"]]
    whole = numbers.notna().all(axis=1) & table["reason"].isna()
    none = numbers.isna().all(axis=1) & table["reason"].notna()
    return table[~whole.where(table["estimable"], none)]


def _tests_against_scan(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    counted = table.groupby("cutoff")["estimable"].sum()
    said = others["cutoff_scan"].set_index("cutoff")["n_estimable"]
    agree = counted.reindex(counted.index.union(said.index)).eq(said)
    bad = table["cutoff"].isin(agree.index[~agree])
    # A cutoff of the scan without any test has no row to show: then all are suspect.
    return table if not agree.all() and not bad.any() else table[bad]


EI_SCORES = Table(
    name="ei_scores",
    meaning="Each participant's emotional-intelligence score and the group it puts them in.",
    key=("participant_id",),
    columns=(
        Column("participant_id", "string", "whose score"),
        Column(
            "ei_score",
            "int",
            "sum of the three indices",
            unit="points",
            low=0,
            high=1200,
            why=WHY_SCORE,
            remedy=SEE_ITEMS,
        ),
        *(
            Column(
                index,
                "int",
                f"index {index.replace('_', ' ')}: 10 points for each of 40 items answered right",
                unit="points",
                low=0,
                high=400,
                why=WHY_SCORE,
                remedy=SEE_ITEMS,
            )
            for index in INDICES
        ),
        Column(
            "group",
            "string",
            "High where the score is above the chosen cutoff, else Low",
            values=(Group.HIGH.value, Group.LOW.value),
            why="it decides whose data each model is trained on",
            remedy="assign the groups again from scores and cutoff",
        ),
    ),
    rules=(
        Rule(
            "indices_sum_to_score",
            "the three indices sum to ei_score",
            WHY_SCORE,
            SEE_ITEMS,
            _indices_do_not_add_up,
        ),
        Rule(
            "scores_are_tens",
            "every score is a multiple of 10",
            "an answer gives 10 points or none, so another number is no sum of answers",
            SEE_ITEMS,
            _not_tens,
        ),
        Rule(
            "group_follows_cutoff",
            "High exactly where ei_score is above the chosen cutoff",
            "the group must be a function of score and cutoff alone",
            "assign the groups again from scores and cutoff",
            _wrong_side,
            needs=("cutoff_scan",),
        ),
    ),
)

CUTOFF_SCAN = Table(
    name="cutoff_scan",
    meaning="Every candidate cutoff: the split it makes and how many HRV variables react to it.",
    key=("cutoff",),
    columns=(
        Column("cutoff", "int", "candidate cutoff; High is above it", unit="points"),
        Column("n_high", "int", "participants above the cutoff", low=0),
        Column("n_low", "int", "participants at or below the cutoff", low=0),
        Column("imbalance", "int", "|n_high - n_low|", unit="participants", low=0),
        Column("acceptable", "bool", "both groups have members and differ little enough in size"),
        Column(
            "n_significant",
            "int",
            "HRV variables whose group x emotion interaction has p below alpha",
            low=0,
            why="the largest count chooses the cutoff; its own p-value is the permutation's",
            remedy=SCAN_AGAIN,
        ),
        Column("n_estimable", "int", "HRV variables that could be tested at this cutoff", low=0),
        Column("chosen", "bool", "whether this is the cutoff between High and Low"),
    ),
    rules=(
        Rule(
            "one_chosen",
            "exactly one cutoff is chosen",
            "there is one pair of groups",
            SCAN_AGAIN,
            _not_one_chosen,
        ),
        Rule(
            "chosen_is_best",
            "the chosen cutoff is acceptable, has an estimable variable, and the largest count "
            "(ties: smaller imbalance, then lower cutoff)",
            "a cutoff chosen any other way is not the preregistered one",
            SCAN_AGAIN,
            _not_the_best,
        ),
        Rule(
            "imbalance_is_difference",
            "imbalance = |n_high - n_low|",
            "balance is half of the choice",
            SCAN_AGAIN,
            _wrong_imbalance,
        ),
        Rule(
            "same_people_everywhere",
            "n_high + n_low is the same at every cutoff",
            "every participant is on one side of every cutoff",
            SCAN_AGAIN,
            _people_vary,
        ),
        Rule(
            "higher_cutoff_fewer_high",
            "n_high does not grow with the cutoff",
            "whoever is above a cutoff is above every lower one",
            SCAN_AGAIN,
            _more_high_at_a_higher_cutoff,
        ),
        Rule(
            "significant_within_estimable",
            "n_significant <= n_estimable",
            "a variable that cannot be tested must not count",
            SCAN_AGAIN,
            _more_significant_than_estimable,
        ),
    ),
)

CUTOFF_TESTS = Table(
    name="cutoff_tests",
    meaning="The group x emotion interaction of every HRV variable at every candidate cutoff.",
    key=("cutoff", "variable"),
    columns=(
        Column("cutoff", "int", "candidate cutoff", unit="points"),
        Column("variable", "string", "HRV variable"),
        Column("f", "float", "F of the interaction", low=0, missing=True),
        Column("df1", "float", "numerator degrees of freedom", low=1, missing=True),
        Column("df2", "float", "denominator degrees of freedom", low=1, missing=True),
        Column(
            "p",
            "float",
            "p of the interaction, for this variable at this cutoff alone",
            low=0,
            high=1,
            missing=True,
        ),
        Column(
            "estimable",
            "bool",
            "whether the design allows the test",
            why="with an empty cell software still prints a p, often tiny, that means nothing",
        ),
        Column("reason", "string", "why not estimable", missing=True),
    ),
    rules=(
        Rule(
            "numbers_only_where_estimable",
            "f, df1, df2, p are there and reason is not, exactly where estimable",
            "a number without a design behind it would be counted as a finding",
            SCAN_AGAIN,
            _numbers_against_estimable,
        ),
        Rule(
            "tests_agree_with_scan",
            "estimable tests of a cutoff = n_estimable of the scan",
            "the counts that choose the cutoff must be counts of these tests",
            SCAN_AGAIN,
            _tests_against_scan,
            needs=("cutoff_scan",),
        ),
    ),
)
