"""Counts of few people, and what is told of them, withheld from the tables of the report.

Forms of reports/spec.yml say what counts people: ``{n:people}`` how many a row is of, and
``{women:people of n}`` how many of these are something. docs/decisions/0019 has the rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any, Self

import pandas as pd
from pandas.api.types import is_numeric_dtype

from eifer.errors import StudyError

OF = "people of "
WORD = re.compile(r"(?<![A-Za-z0-9])(?:sub-)?[A-Za-z0-9]+(?![A-Za-z0-9])")


@dataclass(frozen=True)
class Few:
    """What is withheld where fewer than ``least`` people are counted; of 1 nothing.

    Parameters
    ----------
    least
        The smallest number of people that a table may show.
    people
        Everybody by name, as the report calls them.
    """

    least: int
    people: frozenset[str] = frozenset()

    @property
    def sign(self) -> str:
        """What stands in the place of a count: the same for all, since two would tell of more."""
        return f"<{self.least}*"

    def shows(self, item: Mapping[str, Any]) -> bool:
        """Whether a figure or table of the report's declaration is shown."""
        return self.least == 1 or not item.get("single")

    @classmethod
    def of(cls, least: int, groups: pd.Series, people: Iterable[str]) -> Self:
        """Of a study with the EI ``groups`` of its people, each of which must have so many.

        Raises
        ------
        StudyError
            If an EI group has fewer: the report tells the groups' sizes throughout.
        """
        sizes = groups.value_counts()
        if small := [f"{name} {n}" for name, n in sizes.items() if n < least]:
            raise StudyError(
                f"report.least_people is {least}, but an EI group has fewer ({', '.join(small)}), "
                "and the report tells the groups' sizes throughout: lower report.least_people, or "
                "raise stratify.min_per_group"
            )
        return cls(least, frozenset(people))

    def withheld(self, frame: pd.DataFrame, item: Mapping[str, Any]) -> tuple[pd.DataFrame, str]:
        """A table without what is of few people, and what its caption has to say of that."""
        if self.least == 1:
            return frame, ""
        made, told = frame.copy(), False
        names, rows_of, shares = _declared(item, frame)
        for name in frame.select_dtypes(["object", "str"]):
            named = frame[name].map(self._names_people).astype(bool) | (name in names)
            made[name] = made[name].mask(named)
        alike = [frame[name] for name in item.get("together", [])] or [pd.Series(0, frame.index)]

        def few(counts: pd.DataFrame) -> pd.Series:
            small = ((counts > 0) & (counts < self.least)).any(axis=1)
            return small.groupby(alike).transform("any").astype(bool)

        rows = few(frame[rows_of])
        hidden = dict.fromkeys(rows_of, rows)
        for column in shares:
            rest = [frame[whole] - frame[name] for name, whole in column.items()]
            where = rows | few(pd.concat([frame[list(column)], *rest], axis=1))
            hidden |= dict.fromkeys(column, where)
        for name in frame:
            if name in hidden:
                where = hidden[name] & (frame[name] > 0)
                told |= bool(where.any())
                made[name] = made[name].astype(object).mask(where, self.sign)
            elif is_numeric_dtype(frame[name]) and rows.any():
                made[name] = made[name].astype(object).mask(rows)
        words = f" {self.sign}: fewer than {self.least} people, or a count from which so few follow"
        words += "; other numbers beside it are withheld" * bool(rows.any())
        return made, f"{words}." * told

    def _names_people(self, value: Any) -> bool:
        return isinstance(value, str) and not self.people.isdisjoint(WORD.findall(value))


def _declared(
    item: Mapping[str, Any], frame: pd.DataFrame
) -> tuple[list[str], list[str], list[dict[str, str]]]:
    """What names people, the counts that rows are of, and the shares of each column of the page.

    Of a share the column is given that it is a share of.
    """
    names, rows_of, shares = [], [], []
    for form in item["columns"].values():
        fields = [(str(n), s or "") for _, n, s, _ in Formatter().parse(form) if n in frame]
        names += [name for name, spec in fields if spec == "names"]
        rows_of += [name for name, spec in fields if spec == "people"]
        shares.append({n: s.removeprefix(OF) for n, s in fields if s.startswith(OF)})
    return names, rows_of, [column for column in shares if column]
