"""Rows of tables, of which a test says only what it is about, and the rules that rows break."""

from __future__ import annotations

import pandas as pd

from eifer.tables.schema import Table


def row(table: Table, **known: object) -> dict[str, object]:
    """A row of a table: what is known, and something allowed for the rest."""
    kinds = {"int": 1, "float": 0.5, "float32": 0.5, "bool": True, "string": "text", "bytes": b"x"}
    plain = {
        c.name: c.values[0] if c.values else None if c.missing else kinds[c.kind]
        for c in table.columns
    }
    return plain | known


def broken(table: Table, frame: pd.DataFrame, **others: pd.DataFrame) -> list[str]:
    """The rules of ``table`` that ``frame`` breaks, of those whose other tables are given."""
    return [
        rule.name
        for rule in table.rules
        if set(rule.needs) <= set(others) and len(rule.broken(frame, others))
    ]
