"""Each kind of promise a table makes, broken once: the stage fails and the rows are named."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from eifer.errors import ContractError
from eifer.tables.schema import Column, Table, rule
from stages._runtime.contracts import check


@rule("Time runs on.", "Swap them.")
def ends_later(table: pd.DataFrame) -> pd.DataFrame:
    """A span ends after it begins."""
    return table[table["end_s"] < table["start_s"]]


@rule("People count.", "Add them.")
def of_people(table: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """A span is somebody's."""
    return table[~table["whose"].isin(people["whose"])]


SPANS = Table(
    "spans",
    "Spans of time, for a test.",
    ("whose", "number"),
    (
        Column("whose", "string", "whose span"),
        Column("number", "int 1..", "which of theirs"),
        Column("start_s", "float s 0..60", "begin", remedy="Cut it again."),
        Column("end_s", "float? s", "end"),
        Column("state", "string", "what it is", values=("calm", "moved"), why="Nothing else is."),
    ),
    rules=(ends_later, of_people),
)
ROWS: list[dict[str, object]] = [
    {"whose": w, "number": n, "start_s": 1.0, "end_s": 2.0, "state": "calm"}
    for w in ("ann", "bob")
    for n in (1, 2)
]
PEOPLE = {"people": pd.DataFrame({"whose": ["ann", "bob"]})}


def changed(**values: object) -> pd.DataFrame:
    """The rows with bob's second one changed."""
    return pd.DataFrame([*ROWS[:3], ROWS[3] | values])


def complaint(frame: pd.DataFrame, others: Mapping[str, pd.DataFrame] = PEOPLE) -> str:
    with pytest.raises(ContractError) as caught:
        check(SPANS, frame, others)
    return str(caught.value)


def test_a_table_that_keeps_its_promises_passes_every_one() -> None:
    checks = check(SPANS, pd.DataFrame(ROWS), PEOPLE)
    assert all(one["success"] and one["n_unexpected"] == 0 for one in checks)
    about = [one["about"] for one in checks]
    assert len(set(about)) == len(about)
    assert {"ends_later", "of_people", "state is one of ['calm', 'moved']"} <= set(about)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"start_s": 60.5, "end_s": 61.0}, "start_s lies in [0, 60] s: 1 of 4"),
        ({"number": 0}, "number lies in [1, None]: 1 of 4"),
        ({"start_s": None}, "start_s is never missing: 1 of 4"),
        ({"state": "bored"}, "state is one of ['calm', 'moved']: 1 of 4"),
        ({"end_s": 0.5}, "A span ends after it begins: 1 of 4"),
        ({"whose": "eve"}, "A span is somebody's: 1 of 4"),
    ],
)
def test_a_broken_promise_names_its_row(values: dict[str, object], said: str) -> None:
    text = complaint(changed(**values))
    assert "spans: 1 checks failed" in text
    assert said in text
    row = {"whose": "bob", "number": 2} | values
    assert f"whose={row['whose']} number={row['number']}" in text


def test_two_rows_with_one_key_are_named() -> None:
    text = complaint(changed(number=1))
    assert "one row for each whose, number: 2 of 4 rows break this" in text
    assert "whose=bob number=1" in text and "ann" not in text


def test_a_key_of_one_column_is_checked_too() -> None:
    names = Table("names", "Names.", ("name",), (Column("name", "string", "a name"),))
    with pytest.raises(ContractError, match="one row for each name: 2 of 3"):
        check(names, pd.DataFrame({"name": ["ann", "bob", "ann"]}))


def test_everything_broken_is_said_at_once_with_the_advice_below() -> None:
    frame = pd.DataFrame([*ROWS[:2], ROWS[2] | {"state": "bored"}, ROWS[3] | {"start_s": 60.5}])
    text = complaint(frame)
    assert "3 checks failed" in text and "bored" in text and "start_s=60.5" in text
    assert all(f"-> {advice}" in text for advice in ("Cut it again.", "Time runs on. Swap them."))


def test_only_five_rows_are_shown() -> None:
    rows = [ROWS[0] | {"number": n, "state": "bored"} for n in range(1, 9)]
    text = complaint(pd.DataFrame(rows))
    assert "8 of 8 rows" in text and "number=5" in text and "number=6" not in text
    assert "and 3 more" in text


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (pd.DataFrame(ROWS).drop(columns="state"), "columns missing ['state']"),
        (pd.DataFrame(ROWS).assign(mood="calm"), "columns unknown ['mood']"),
        (pd.DataFrame(ROWS).assign(number="one"), "one"),
        (pd.DataFrame(ROWS).assign(number=[1, 2, 1, None]), ""),
    ],
)
def test_columns_that_do_not_fit_are_a_broken_contract(frame: pd.DataFrame, said: str) -> None:
    text = complaint(frame)
    assert said in text and "the stage that wrote spans" in text


def test_a_table_without_rows_is_refused_unless_it_may_be_empty() -> None:
    assert "at least one row" in complaint(SPANS.empty())
    empty = Table(
        "nothing", "Nothing.", ("name",), (Column("name", "string", "n"),), may_be_empty=True
    )
    assert all(one["success"] for one in check(empty, empty.empty()))


def test_a_rule_between_tables_waits_for_its_table() -> None:
    checks = check(SPANS, changed(whose="eve"))
    assert "of_people" not in {one["about"] for one in checks}


def test_a_rule_that_fails_itself_does_not_pass() -> None:
    # `people` is there, but without the column that the rule looks at.
    text = complaint(pd.DataFrame(ROWS), {"people": pd.DataFrame({"name": ["ann"]})})
    assert "A span is somebody's: could not be checked" in text


def test_the_same_table_gives_the_same_results_in_the_same_order() -> None:
    one, two = (check(SPANS, pd.DataFrame(ROWS), PEOPLE) for _ in range(2))
    shuffled = check(SPANS, pd.DataFrame(ROWS[::-1]), PEOPLE)
    assert one == two == shuffled
    assert all(
        set(line) == {"table", "about", "expectation", "success", "n_unexpected"} for line in one
    )
