"""Tables take their form: columns in order, dtypes, rows by key, and nothing else."""

from __future__ import annotations

import importlib
import pkgutil

import pandas as pd
import pytest

import eifer.tables
from eifer.tables.schema import Column, Kind, Table

FORM = Table(
    "form",
    "For a test.",
    ("name", "number"),
    (
        Column("name", "string", "text"),
        Column("number", "int", "whole"),
        Column("rank", "int?", "whole or missing"),
        Column("share", "float32", "half precision"),
        Column("good", "bool", "yes or no"),
        Column("blob", "bytes", "bytes"),
    ),
)
ROW = {"name": "b", "number": 2, "rank": None, "share": 0.1, "good": True, "blob": b"\x00"}
EVERY = [
    table
    for module in pkgutil.iter_modules(eifer.tables.__path__, "eifer.tables.")
    for table in vars(importlib.import_module(module.name)).values()
    if isinstance(table, Table)
]


def test_rows_take_order_dtypes_and_key_order() -> None:
    frame = FORM.frame([ROW, ROW | {"number": 1, "rank": 3}, ROW | {"name": "a"}])
    assert list(frame) == FORM.names
    assert frame.dtypes.astype(str).to_dict() == {
        "name": "str", "number": "int64", "rank": "Int64", "share": "float32", "good": "bool",
        "blob": "object",
    }  # fmt: skip
    assert list(zip(frame["name"], frame["number"], strict=True)) == [("a", 2), ("b", 1), ("b", 2)]
    assert list(frame.index) == [0, 1, 2]
    assert frame["rank"].isna().tolist() == [True, False, True]


def test_conforming_twice_changes_nothing() -> None:
    frame = FORM.frame([ROW, ROW | {"number": 1}])
    pd.testing.assert_frame_equal(FORM.conform(frame), frame)


def test_the_callers_table_is_left_alone() -> None:
    frame = pd.DataFrame([ROW, ROW | {"number": 1}])[FORM.names[::-1]]
    before = frame.copy()
    FORM.conform(frame)
    pd.testing.assert_frame_equal(frame, before)


def test_a_table_without_rows_has_the_form_too() -> None:
    empty = FORM.empty()
    assert empty.empty and empty.dtypes.equals(FORM.frame([ROW]).dtypes)
    assert FORM.frame([]).dtypes.equals(empty.dtypes)


def test_missing_and_unknown_columns_are_named_together() -> None:
    frame = pd.DataFrame([ROW]).rename(columns={"share": "part"})
    with pytest.raises(ValueError, match=r"form: columns missing \['share'\], .*\['part'\]"):
        FORM.conform(frame)


@pytest.mark.parametrize("number", ["two", None, 1.5])
def test_what_cannot_be_cast_without_loss_is_refused(number: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        FORM.frame([ROW | {"number": number}])


@pytest.mark.parametrize("kind", ["string", "float", "float32"])
def test_a_missing_value_stays_missing(kind: Kind) -> None:
    table = Table("t", "T.", ("k",), (Column("k", "int", "k"), Column("v", f"{kind}?", "v")))
    assert table.frame([{"k": 1, "v": None}])["v"].isna().all()


def test_a_form_says_kind_unit_and_range() -> None:
    column = Column("x", "int? grey levels -1..0.5", "x")
    assert (column.kind, column.missing, column.unit) == ("int", True, "grey levels")
    assert (column.low, column.high) == (-1, 0.5)
    assert (Column("x", "float 1/s 2..", "x").high, Column("x", "bool", "x").low) == (None, None)
    with pytest.raises(ValueError, match="x: 'integer' is none of"):
        Column("x", "integer", "x")


@pytest.mark.parametrize("table", EVERY, ids=lambda table: table.name)
def test_every_table_is_declared_soundly(table: Table) -> None:
    names = table.names
    assert len(set(names)) == len(names)
    assert table.key and set(table.key) <= set(names)
    assert not any(column.missing for column in table.columns if column.name in table.key)
    assert table.meaning and all(column.meaning for column in table.columns)
    assert all(rule.says and rule.why and rule.remedy for rule in table.rules)
    assert len({rule.name for rule in table.rules}) == len(table.rules)
    assert table.empty().empty
    for column in table.columns:
        if column.low is not None and column.high is not None:
            assert column.low < column.high
        assert not (column.values and column.kind != "string")


def test_tables_have_names_of_their_own() -> None:
    tables = {id(table): table for table in EVERY}.values()
    assert len({table.name for table in tables}) == len(tables)
