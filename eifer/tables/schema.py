"""What a table promises: columns with unit, range and reason, a key, and rules between columns.

Declarations only. `stages/_runtime/contracts.py` turns them into Great
Expectations suites, and `docs/outputs.md` is printed from them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd
from pandas.api.types import is_float_dtype

Kind = Literal["string", "int", "float", "float32", "bool", "bytes"]
"""Kinds of column; ``int`` is Int64 where it may be missing."""


@dataclass(frozen=True)
class Column:
    """One column.

    ``form`` is its kind, its unit if it has one, and its range if it has one, both ends
    inclusive: ``float? s 0..86400``. A question mark says that values may be missing.
    ``values`` lists every text allowed; ``why`` and ``remedy`` are printed when a check of
    this column fails. One that is not ``checked`` by itself stands among many alike, which a rule
    of its table checks at once: an expectation for each of them costs a hundred times as much.
    """

    name: str
    form: str
    meaning: str
    values: tuple[str, ...] = ()
    why: str = ""
    remedy: str = ""
    checked: bool = True

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"{self.name}: {self.kind!r} is none of {get_args(Kind)}")

    @property
    def kind(self) -> str:
        """What the values are: one of `Kind`."""
        return self.form.split()[0].rstrip("?")

    @property
    def missing(self) -> bool:
        """Whether values may be missing."""
        return self.form.split()[0].endswith("?")

    @property
    def unit(self) -> str:
        """The unit; empty for numbers without one."""
        return " ".join(word for word in self.form.split()[1:] if ".." not in word)

    @property
    def low(self) -> float | None:
        """The lowest value allowed."""
        return self._ends()[0]

    @property
    def high(self) -> float | None:
        """The highest value allowed."""
        return self._ends()[1]

    def _ends(self) -> tuple[float | None, ...]:
        last = self.form.split()[-1]
        ends = last.split("..") if ".." in last else ("", "")
        return tuple(None if not end else float(end) if "." in end else int(end) for end in ends)

    @property
    def dtype(self) -> str:
        """The pandas dtype this column is stored with."""
        if self.kind == "int":
            return "Int64" if self.missing else "int64"
        kinds = {"string": "str", "float": "float64", "bytes": "object"}
        return kinds.get(self.kind, self.kind)


Check = Callable[..., pd.DataFrame]


@dataclass(frozen=True)
class Rule:
    """Something that must hold between rows, columns or tables: a function made one by `rule`."""

    name: str
    says: str
    why: str
    remedy: str
    check: Check

    @property
    def needs(self) -> tuple[str, ...]:
        """The names of the other tables that the rule looks at."""
        return tuple(inspect.signature(self.check).parameters)[1:]

    def broken(self, table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
        """The rows of ``table`` that break the rule, none where it holds."""
        return self.check(table, *(others[name] for name in self.needs))


def rule(why: str, remedy: str, name: str = "") -> Callable[[Check], Rule]:
    """Make a function a rule, which ``name`` calls otherwise than the function.

    Its docstring says what must hold, its first parameter is the table, the others are the
    tables that it needs, by their names; it returns the rows that break the rule.
    """

    def made(check: Check) -> Rule:
        says = " ".join((check.__doc__ or "").split()).removesuffix(".")
        return Rule(name or check.__name__, says, why, remedy, check)

    return made


def in_each(column: str) -> Callable[[Check], Check]:
    """Hold a rule for the rows of each value of ``column`` by themselves, in all its tables."""

    def held(check: Check) -> Check:
        @functools.wraps(check)
        def checked(table: pd.DataFrame, *others: pd.DataFrame) -> pd.DataFrame:
            parts = [
                check(part, *(o[o[column] == name] if column in o else o for o in others))
                for name, part in table.groupby(column)
            ]
            return pd.concat(parts) if parts else table.head(0)

        return checked

    return held


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
            raise ValueError(
                f"{self.name}: columns missing {absent}, columns unknown {unknown}; fill or drop "
                "them where the table is made, or declare them in eifer/tables"
            )
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

    def joined(self, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
        """The rows of all ``parts`` as a table of this form, also of none."""
        return self.conform(pd.concat([self.frame(), *parts]))

    def frame(self, rows: Sequence[Mapping[str, object]] = ()) -> pd.DataFrame:
        """``rows`` as a table of this form."""
        return self.conform(pd.DataFrame(list(rows), columns=self.names))
