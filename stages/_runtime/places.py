"""Where the files lie that a stage reads and makes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from eifer.tables.schema import Table
from stages._runtime.artifacts import fill

KEY = re.compile(r"\$\{item\.(\w+)\}")
OUTER = ("assignment", "rotation")
"""Keys of a matrix that say of which part of the study's design a folder is."""
Values = str | Sequence[str]
"""What a key of a matrix can be: the values themselves, or the parameter that lists them."""


@dataclass(frozen=True)
class Given:
    """Something a stage reads: its path and, of a table, what it promises.

    In a path ``${section.name}`` is a parameter, and ``${item.key}`` the reader's own value of
    that key of its matrix; a reader without the key reads every value that ``matrix`` has.
    """

    path: str
    table: Table | None = None
    matrix: Mapping[str, Values] = field(default_factory=dict, compare=False)

    def dep(self, own: Collection[str]) -> str:
        """What dvc.yaml lists for a reader with the keys ``own``: the path, or the folder of all.

        DVC cannot list a path for each value of a key.
        """
        parts = self.path.split("/")
        every = [set(KEY.findall(part)) <= set(own) for part in parts]
        return "/".join(parts[: [*every, False].index(False)])


@dataclass(frozen=True)
class Made(Given):
    """Something a stage writes into its folder: a file, or a folder of ``shards`` of a table."""

    name: str = ""
    shards: bool = False

    def at(self, **values: str) -> Self:
        """The same at a value of some keys."""
        named = {f"item.{key}": value for key, value in values.items()}
        return replace(self, path=fill(self.path, named))

    def each(self, *keys: str) -> list[Self]:
        """The same for each combination of the values of ``keys``, which its matrix lists."""
        rows = itertools.product(*(self.matrix[key] for key in keys))
        return [self.at(**dict(zip(keys, row, strict=True))) for row in rows]


@dataclass(frozen=True)
class MadeTable(Made):
    """A table that a stage writes."""

    table: Table = field(kw_only=True)


class Folder:
    """The folder that each instance of a stage writes, which is all that it writes for DVC.

    Parameters
    ----------
    stage
        Its name.
    switch
        A matrix of one name or none, which only says whether the stage is there: that name stands
        in no path, since DVC empties the paths of outputs before a stage runs.
    matrix
        The keys of its instances and their values, as in dvc.yaml. Those of `OUTER` have a level
        of folders each, so that a reader can name all that one of their values has.
    """

    def __init__(
        self, stage: str, switch: Mapping[str, Values] | None = None, /, **matrix: Values
    ) -> None:
        self.stage = stage
        self.matrix: Mapping[str, Values] = switch or matrix
        named = {key: f"{key}-${{item.{key}}}" for key in matrix}
        levels = [named.pop(key) for key in OUTER if key in named] + ["_".join(named.values())]
        self.path = "/".join(filter(None, ["data", stage, *levels]))
        self.whole = Given(self.path, matrix=matrix)
        self.made: list[Made] = []

    def file(self, name: str) -> Made:
        """Declare a file of it, or a folder of files, that is not a table."""
        self.made.append(Made(f"{self.path}/{name}", None, self.whole.matrix, name))
        return self.made[-1]

    def table(self, name: str, table: Table) -> MadeTable:
        """Declare a file of it that is a table."""
        made = MadeTable(f"{self.path}/{name}", matrix=self.whole.matrix, name=name, table=table)
        self.made.append(made)
        return made

    def shards(self, name: str, table: Table, **keys: Values) -> MadeTable:
        """Declare a folder of it with a table in parts: one for each value of ``keys``, or others.

        Of other parts only the writer knows the names, and a reader gets the folder.
        """
        parts = "_".join(f"{key}-${{item.{key}}}" for key in keys)
        path = f"{self.path}/{name}" + (f"/{parts}.parquet" if parts else "")
        matrix = {**self.whole.matrix, **keys}
        made = MadeTable(path, matrix=matrix, name=name, shards=True, table=table)
        self.made.append(made)
        return made
