"""What a table promises: columns with unit, range and reason, a key, and rules between columns.

Declarations only. `stages/_runtime/contracts.py` turns them into Great
Expectations suites, and `docs/outputs.md` is printed from them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pandas.api.types import is_float_dtype

Kind = Literal["string", "int", "float", "float32", "bool", "bytes"]
"""Kinds of column; ``int`` is Int64 where it may be missing."""


@dataclass(frozen=True)
class Column:
    """One column.

    ``unit`` is empty for numbers without one; ``low`` and ``high`` are inclusive;
    ``values`` lists every text allowed; ``why`` and ``remedy`` are printed when a
    check of this column fails.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    missing: bool = False
    why: str = ""
    remedy: str = ""

    @property
    def dtype(self) -> str:
        """The pandas dtype this column is stored with."""
        if self.kind == "int":
            return "Int64" if self.missing else "int64"
        return {
            "string": "str",
            "float": "float64",
            "float32": "float32",
            "bool": "bool",
            "bytes": "object",
        }[self.kind]


@dataclass(frozen=True)
class Rule:
    """Something that must hold between rows, columns or tables.

    ``broken(table, others)`` returns the rows of ``table`` that break it, none
    where it holds; ``others`` maps the names in ``needs`` to those tables.
    """

    name: str
    says: str
    why: str
    remedy: str
    broken: Callable[[pd.DataFrame, Mapping[str, pd.DataFrame]], pd.DataFrame]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table that one stage hands to another.

    ``key`` names the columns that together identify a row, which is also the
    order its rows are stored in.
    """

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...] = ()
    may_be_empty: bool = False

    @property
    def names(self) -> list[str]:
        """The columns' names, in their order."""
        return [column.name for column in self.columns]

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """``frame`` with this table's columns in order, their dtypes, sorted by key.

        Raises
        ------
        ValueError
            If a column is missing, unknown, or cannot be cast to its dtype.
        """
        absent = [name for name in self.names if name not in frame]
        unknown = [str(name) for name in frame if name not in self.names]
        if absent or unknown:
            raise ValueError(f"{self.name}: columns missing {absent}, columns unknown {unknown}")
        for column in self.columns:
            values = frame[column.name]
            # pandas casts 1.5 to the integer 1 without a word.
            if column.kind == "int" and is_float_dtype(values) and (values % 1 > 0).any():
                raise ValueError(f"{self.name}: {column.name} has numbers that are not whole")
        typed = frame[self.names].astype({c.name: c.dtype for c in self.columns})
        return typed.sort_values(list(self.key), kind="stable", ignore_index=True)

    def empty(self) -> pd.DataFrame:
        """A table of this form without rows."""
        return self.conform(pd.DataFrame({name: [] for name in self.names}))

    def frame(self, rows: list[dict[str, object]]) -> pd.DataFrame:
        """``rows`` as a table of this form."""
        return self.conform(pd.DataFrame(rows, columns=self.names))
