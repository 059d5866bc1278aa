"""The report's figures and tables: found by name, and written out as text for a page or terminal.

An exhibit is a module: a figure of `eifer.figures` has ``draw(*sources)``, which returns a Figure,
a table of `eifer.summaries` has ``table(*sources)``, which returns a DataFrame; both return the
caption too. ``reports/spec.yml`` says which are shown, of which sources.
"""

from __future__ import annotations

import math
import pkgutil
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pandas as pd
import yaml

import eifer.figures
import eifer.summaries
from eifer.errors import StudyError, did_you_mean

EXHIBITS = {"figure": eifer.figures, "table": eifer.summaries}
"""Where an exhibit's module lies."""
ABSENT = "–"


@dataclass(frozen=True)
class Printed:
    """A table of the report for a terminal: each cell as text, without the page's second lines."""

    name: str
    title: str
    caption: str
    heads: list[str]
    rows: list[list[str]]


class Cells(string.Formatter):
    """Formats the cells of a table: what is missing is a dash, ``:p`` writes a p-value.

    ``:people`` and ``:people of n`` write a whole number, and say that it counts people.
    """

    def format_field(self, value: Any, format_spec: str) -> str:
        """``value`` as ``format_spec`` says."""
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
            return ABSENT
        if format_spec == "p":
            return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if format_spec.startswith("people"):
            format_spec = "d" if _is_number(value) else ""
        return (
            str(format(value, format_spec)).replace("-", "−") if _is_number(value) else str(value)
        )


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str)


def known_exhibits(kind: str) -> list[str]:
    """The names of all figures or tables that have a module."""
    return [module.name for module in pkgutil.iter_modules(EXHIBITS[kind].__path__)]


def exhibit(kind: str, name: str) -> ModuleType:
    """The module of a ``figure`` or ``table``, by the name that reports/spec.yml uses."""
    package, known = EXHIBITS[kind], known_exhibits(kind)
    if name not in known:
        hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
        raise StudyError(f"reports/spec.yml: no {kind} is called {name!r}{hint}")
    return import_module(f"{package.__name__}.{name}")


def tabled(item: Mapping[str, Any], given: Sequence[Any]) -> tuple[pd.DataFrame, str]:
    """The table that ``item`` of reports/spec.yml declares, and its caption.

    ``caption`` (jinja, which may use the sources by their names) stands in for the module's; with
    it, a table without a module is the source of that name as it is.
    """
    own, named = item.get("caption"), dict(zip(item["of"], given, strict=True))
    name = item["table"]
    plain = own and name in named and name not in known_exhibits("table")
    frame, caption = (named[name], "") if plain else exhibit("table", name).table(*given)
    strict = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
    return frame, strict.from_string(own).render(named) if own else caption


def lines(frame: pd.DataFrame, columns: Mapping[str, str]) -> list[list[list[str]]]:
    """What each cell shows: a line for each part of its column's form."""
    cells = Cells()
    records: list[Any] = frame.astype(object).to_dict("records")
    try:
        return [
            [
                [cells.vformat(line, (), record) for line in form.split(" / ")]
                for form in columns.values()
            ]
            for record in records
        ]
    except KeyError as error:
        hint = did_you_mean(str(error.args[0]), list(frame.columns))
        raise StudyError(f"the report's declaration names no column {error}{hint}") from None


def printed(spec: Path, sources: Mapping[str, Any], where: str = "terminal") -> Iterator[Printed]:
    """The tables that ``spec`` marks ``where`` (terminal, card), if all their sources are there."""
    declared = yaml.safe_load(spec.read_text(encoding="utf-8"))
    for item in (item for section in declared["sections"] for item in section.get("show", [])):
        given: Sequence[Any] = [sources.get(name) for name in item["of"]]
        if item.get(where) and all(source is not None for source in given):
            frame, caption = tabled(item, given)
            rows = [[first for first, *_ in row] for row in lines(frame, item["columns"])]
            origin = f" (the source's Table {item['source']})" if "source" in item else ""
            yield Printed(
                item.get("as", item["table"]),
                item["title"] + origin,
                caption,
                list(item["columns"]),
                rows,
            )
