"""What the trail of a cell passes through in a kind of study, and what its steps are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pandas as pd

from eifer.report.pseudonyms import Pseudonyms
from flows.audit.study import Recorded, Verdict
from stages._runtime.places import MadeTable

Known = dict[str, set[str]]
"""What the rows of a trail are of: the values of each column."""
Link = Callable[[Recorded], Verdict]
"""One link of an audit."""
Titled = tuple[str, tuple[MadeTable, ...]]


@dataclass(frozen=True)
class Source:
    """A file of the trail, and how it came to be."""

    path: str
    sha256: str
    as_recorded: bool | None
    """None where no record names it."""
    made_by: str = ""
    command: str = ""
    commit: str = ""
    params: str = ""


@dataclass
class Step:
    """One link of the trail: the rows of some tables, and the files that they stand in."""

    title: str
    rows: int = 0
    of: int = 0
    examples: pd.DataFrame = field(default_factory=pd.DataFrame)
    sources: list[Source] = field(default_factory=list)


@dataclass(frozen=True)
class Route:
    """How a trail leads from a table of the report to the recordings.

    Parameters
    ----------
    catalogue
        Of the kind of study.
    ids
        Columns that say what a row is of: by them the rows of one table lead to those of another.
    carried
        Of the rows of one table, what the rows of the next must be of.
    plain
        Columns shown beside ``ids`` and, of the first tables, the cell's own.
    begin
        Of the declared table, its row and what is known by it, which changes: the tables left out,
        and the tables to pass through, from results to recordings. A cell's trail begins with the
        tables that its table is of.
    raw
        The last step: the recordings of what is known.
    taken_in
        The stage that took the recordings in: what does not come after it rests on none.
    keys
        Keys of a matrix, by the column that has their values where it is another.
    details
        More columns that are shown of a table.
    part
        Whether a file of a table in parts can hold rows of what is known.
    narrow
        The same of rows, where a column has to be made first.
    apart
        Tables that stand beside the trail: what is known there, of what is known so far.
    names
        What the report calls people.
    """

    catalogue: ModuleType
    ids: tuple[str, ...]
    carried: tuple[str, ...]
    plain: tuple[str, ...]
    begin: Callable[
        [Recorded, Mapping[str, Any], pd.Series, Known],
        tuple[set[MadeTable], tuple[Titled, ...]],
    ]
    raw: Callable[[Recorded, Known], Step]
    taken_in: str
    keys: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[MadeTable, Sequence[str]] = field(default_factory=dict)
    part: Callable[[MadeTable, str, Known], bool] = lambda made, name, known: True
    narrow: Callable[[pd.DataFrame, Known], pd.Series | None] = lambda frame, known: None
    apart: Mapping[MadeTable, Callable[[Known], Known]] = field(default_factory=dict)
    names: Callable[[Recorded], Pseudonyms] = lambda study: Pseudonyms((), 0, "")
