"""EI scores and groups, and the scan that chose the cutoff between them."""

from __future__ import annotations

import pandas as pd

from eifer.tables.schema import Column, Table, rule
from eifer.tables.selection import keyed
from eifer.vocabulary import EiIndex, Group

INDICES = tuple(map(str, EiIndex))
WHY_SCORE = "groups, and so every model, rest on these scores"
SEE_ITEMS = "score the assessment again from its items"
SCAN_AGAIN = "run the scan again; a table edited by hand cannot be trusted"
SCANS = OTHER_MODEL, COPIES_ONCE = ("other model", "copies once")


@rule(WHY_SCORE, SEE_ITEMS)
def indices_sum_to_score(table: pd.DataFrame) -> pd.DataFrame:
    """The three indices sum to ei_score."""
    return table[table[list(INDICES)].sum(axis=1) != table["ei_score"]]


@rule("an answer gives 10 points or none, so another number is no sum of answers", SEE_ITEMS)
def scores_are_tens(table: pd.DataFrame) -> pd.DataFrame:
    """Every score is a multiple of 10."""
    return table[(table[["ei_score", *INDICES]] % 10 != 0).any(axis=1)]


@rule(
    "the group must be a function of score and cutoff alone",
    "assign the groups again from scores and cutoff",
)
def group_follows_cutoff(table: pd.DataFrame, cutoff_scan: pd.DataFrame) -> pd.DataFrame:
    """High exactly where ei_score is above the chosen cutoff."""
    cutoff = cutoff_scan.loc[cutoff_scan["chosen"], "cutoff"]
    if len(cutoff) != 1:
        return table
    high = table["ei_score"] > cutoff.iloc[0]
    return table[high != (table["group"] == Group.HIGH)]


@rule("there is one pair of groups", SCAN_AGAIN)
def one_chosen(table: pd.DataFrame) -> pd.DataFrame:
    """Exactly one cutoff is chosen."""
    chosen = table[table["chosen"]]
    return table.iloc[:0] if len(chosen) == 1 else chosen if len(chosen) else table


@rule("a cutoff chosen any other way is not the preregistered one", SCAN_AGAIN)
def chosen_is_best(table: pd.DataFrame) -> pd.DataFrame:
    """The chosen cutoff is acceptable, has an estimable variable, and the largest count
    (ties: smaller imbalance, then lower cutoff).
    """
    able = table[table["acceptable"] & (table["n_estimable"] > 0)]
    best = able.sort_values(
        ["n_significant", "imbalance", "cutoff"], ascending=[False, True, True], kind="stable"
    ).head(1)
    return table[table["chosen"] & ~table.index.isin(best.index)]


@rule("balance is half of the choice", SCAN_AGAIN)
def imbalance_is_difference(table: pd.DataFrame) -> pd.DataFrame:
    """Imbalance = |n_high - n_low|."""
    return table[table["imbalance"] != (table["n_high"] - table["n_low"]).abs()]


@rule("every participant is on one side of every cutoff", SCAN_AGAIN)
def same_people_everywhere(table: pd.DataFrame) -> pd.DataFrame:
    """n_high + n_low is the same at every cutoff."""
    people = table["n_high"] + table["n_low"]
    return table[people != people.mode().iloc[0]]


@rule("whoever is above a cutoff is above every lower one", SCAN_AGAIN)
def higher_cutoff_fewer_high(table: pd.DataFrame) -> pd.DataFrame:
    """n_high does not grow with the cutoff."""
    return table[table.sort_values("cutoff")["n_high"].diff().reindex(table.index) > 0]


@rule("a variable that cannot be tested must not count", SCAN_AGAIN)
def significant_within_estimable(table: pd.DataFrame) -> pd.DataFrame:
    """n_significant <= n_estimable."""
    return table[table["n_significant"] > table["n_estimable"]]


@rule("a number without a design behind it would be counted as a finding", SCAN_AGAIN)
def numbers_only_where_estimable(table: pd.DataFrame) -> pd.DataFrame:
    """f, df1, df2, p are there and reason is not, exactly where estimable."""
    numbers = table[["f", "df1", "df2", "p"]]
    whole = numbers.notna().all(axis=1) & table["reason"].isna()
    none = numbers.isna().all(axis=1) & table["reason"].notna()
    return table[~whole.where(table["estimable"], none)]


@rule("the counts that choose the cutoff must be counts of these tests", SCAN_AGAIN)
def tests_agree_with_scan(table: pd.DataFrame, cutoff_scan: pd.DataFrame) -> pd.DataFrame:
    """Estimable tests of a cutoff = n_estimable of the scan."""
    counted = table.groupby("cutoff")["estimable"].sum()
    scanned = cutoff_scan.set_index("cutoff")["n_estimable"]
    agree = counted.reindex(counted.index.union(scanned.index)).eq(scanned)
    bad = table["cutoff"].isin(agree.index[~agree])
    # A cutoff of the scan without any test has no row to show: then all are suspect.
    return table if not agree.all() and not bad.any() else table[bad]


@rule("what leaves the groups unbalanced could not have been chosen", SCAN_AGAIN)
def one_of_the_acceptable(table: pd.DataFrame, cutoff_scan: pd.DataFrame) -> pd.DataFrame:
    """The cutoff, where there is one, is among the acceptable of the scan."""
    acceptable = cutoff_scan.loc[cutoff_scan["acceptable"], "cutoff"]
    return table[table["cutoff"].notna() & ~table["cutoff"].isin(acceptable)]


@rule("it says whether another training can come out otherwise", SCAN_AGAIN)
def moved_as_scored(table: pd.DataFrame, ei_scores: pd.DataFrame) -> pd.DataFrame:
    """n_moved counts the participants whom the cutoff would put on the other side."""
    high = ei_scores["group"] == Group.HIGH
    moved = table["cutoff"].map(lambda c: ((ei_scores["ei_score"] > c) != high).sum(), "ignore")
    return table[table["cutoff"].notna() & (table["n_moved"] != moved)]


@rule("a cutoff without a count, or a silent gap, cannot be judged", SCAN_AGAIN)
def cutoff_or_reason(table: pd.DataFrame) -> pd.DataFrame:
    """Either cutoff, n_significant and n_moved are there, or the reason is."""
    known = table[["cutoff", "n_significant", "n_moved"]].notna()
    return table[(known.nunique(axis=1) > 1) | (known["cutoff"] == table["reason"].notna())]


@rule("no more can react than are counted", SCAN_AGAIN)
def significant_within_counted(table: pd.DataFrame, cutoff_scan: pd.DataFrame) -> pd.DataFrame:
    """n_significant <= n_counted; with copies once not above the scan's own at the cutoff."""
    own = table["cutoff"].map(keyed(cutoff_scan, "cutoff")["n_significant"])
    above = (table["scan"] == COPIES_ONCE) & (table["n_significant"] > own).fillna(False)
    return table[above | (table["n_significant"] > table["n_counted"]).fillna(False)]


EI_SCORES = Table(
    name="ei_scores",
    meaning="Each participant's emotional-intelligence score and the group it puts them in.",
    key=("participant_id",),
    columns=(
        Column("participant_id", "string", "whose score"),
        Column(
            "ei_score",
            "int points 0..1200",
            "sum of the three indices",
            why=WHY_SCORE,
            remedy=SEE_ITEMS,
        ),
        *(
            Column(
                index,
                "int points 0..400",
                f"index {index.replace('_', ' ')}: 10 points for each of 40 items answered right",
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
    rules=(indices_sum_to_score, scores_are_tens, group_follows_cutoff),
)

CUTOFF_SCAN = Table(
    name="cutoff_scan",
    meaning="Every candidate cutoff: the split it makes and how many HRV variables react to it.",
    key=("cutoff",),
    columns=(
        Column("cutoff", "int points", "candidate cutoff; High is above it"),
        Column("n_high", "int 0..", "participants above the cutoff"),
        Column("n_low", "int 0..", "participants at or below the cutoff"),
        Column("imbalance", "int participants 0..", "|n_high - n_low|"),
        Column("acceptable", "bool", "both groups have members and differ little enough in size"),
        Column(
            "n_significant",
            "int 0..",
            "HRV variables whose group x emotion interaction has p below alpha",
            why="the largest count chooses the cutoff; its own p-value is the permutation's",
            remedy=SCAN_AGAIN,
        ),
        Column("n_estimable", "int 0..", "HRV variables that could be tested at this cutoff"),
        Column("chosen", "bool", "whether this is the cutoff between High and Low"),
    ),
    rules=(
        one_chosen,
        chosen_is_best,
        imbalance_is_difference,
        same_people_everywhere,
        higher_cutoff_fewer_high,
        significant_within_estimable,
    ),
)

CUTOFF_TESTS = Table(
    name="cutoff_tests",
    meaning="The group x emotion interaction of every HRV variable at every candidate cutoff.",
    key=("cutoff", "variable"),
    columns=(
        Column("cutoff", "int points", "candidate cutoff"),
        Column("variable", "string", "HRV variable"),
        Column("f", "float? 0..", "F of the interaction"),
        Column("df1", "float? 1..", "numerator degrees of freedom"),
        Column("df2", "float? 1..", "denominator degrees of freedom"),
        Column("p", "float? 0..1", "p of the interaction, for this variable at this cutoff alone"),
        Column(
            "estimable",
            "bool",
            "whether the design allows the test",
            why="with an empty cell software still prints a p, often tiny, that means nothing",
        ),
        Column("reason", "string?", "why not estimable"),
    ),
    rules=(numbers_only_where_estimable, tests_agree_with_scan),
)

CUTOFF_ALTERNATIVES = Table(
    name="cutoff_alternatives",
    meaning="Which cutoff the scan would have chosen with one choice made otherwise. Nothing is "
    "trained by it.",
    key=("scan",),
    columns=(
        Column("scan", "string", "what is otherwise", values=SCANS),
        Column("model", "string", "model of the tests, as in params", values=("between", "mixed")),
        Column(
            "copies_from",
            "float? 0..1",
            "Spearman's r over participants, without its sign, from which variables are copies; "
            "missing where each counts",
        ),
        Column("n_counted", "int 1..", "what can count: HRV variables, or kinds of them"),
        Column("cutoff", "int? points", "the cutoff it would choose"),
        Column("n_significant", "int? 0..", "of those counted, how many react there"),
        Column("n_moved", "int? participants 0..", "who would change group"),
        Column("reason", "string?", "why it could choose none"),
    ),
    rules=(
        one_of_the_acceptable,
        moved_as_scored,
        cutoff_or_reason,
        significant_within_counted,
    ),
)
