"""The report's page read as a person reads it: every cell of every table, and every sentence."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from eifer.errors import shortened
from eifer.report.assembly import BLANK, ROWS
from eifer.report.exhibits import ABSENT, lines
from stages._runtime.kinds import kind_of
from stages._runtime.params_file import read_params
from stages.catalogue import PAGE, TABLES

VOID = {"br", "img", "link", "meta"}
TEXTS = {"p", "li", "h1", "h2", "figcaption", "summary", "th", "td", "title", "style"}
"""What holds text of its own."""


class Page(HTMLParser):
    """Collects what a page shows, by where it stands: ``table headline, row 2, q``."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.shown: dict[str, str] = {}
        self._where = "page"
        self._heads: list[str] = []
        self._row = 0
        self._column = 0
        self._open: list[str] = []
        self._counts: dict[str, int] = {}
        self._place = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where in the page this is."""
        known = dict(attrs)
        if tag in {"section", "figure"} and known.get("id"):
            self._where = (known["id"] or "").replace("-", " ", tag == "figure")
            self._heads, self._row = [], 0
        if tag == "tr":
            self._row, self._column = self._row + bool(self._heads), 0
        if tag == "img":
            self.shown[f"{self._where}, image"] = known.get("src") or ""
        if tag in TEXTS:
            self._place = self._at(tag)
            self.shown.setdefault(self._place, "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note the head of a column, and the step to the next cell."""
        if tag == "th":
            self._heads.append(self.shown[self._place])
        if tag == "td":
            self._column += 1
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Add to what is shown here; a cell's second line is set off."""
        if self._place and data.strip():
            line = " / " if self._open[-1:] == ["small"] else ""
            self.shown[self._place] += line + data

    def _at(self, tag: str) -> str:
        if tag == "td":
            head = self._heads[self._column] if self._column < len(self._heads) else "?"
            return f"{self._where}, row {self._row}, {head}"
        key = f"{self._where}, {tag}"
        self._counts[key] = self._counts.get(key, 0) + 1
        return f"{key} {self._counts[key]}"


def declared_tables(study: Path) -> list[Mapping[str, Any]]:
    """The tables of reports/spec.yml (or its kind's own) that the report of a study has."""
    params = study / "params.yaml"
    declaration = study / kind_of(read_params(params), str(params)).spec
    spec = yaml.safe_load(declaration.read_text(encoding="utf-8"))
    shown = [item for section in spec["sections"] for item in section.get("show", [])]
    return [item for item in shown if "table" in item and _csv(study, item).is_file()]


def named(item: Mapping[str, Any]) -> str:
    """What a table of reports/spec.yml is called: its file, and the first part of an address."""
    return str(item.get("as", item["table"]))


def _csv(study: Path, item: Mapping[str, Any]) -> Path:
    return study / TABLES.path / f"{named(item)}.csv"


def stored(study: Path, item: Mapping[str, Any]) -> pd.DataFrame:
    """The numbers in full behind a table of the page, from its CSV file."""
    # A stage may be called "NA", so that only what is empty is missing.
    frame = pd.read_csv(_csv(study, item), keep_default_na=False, na_values=[""])
    # A whole number is written without a point; where one is missing, pandas reads them as floats.
    texts = pd.read_csv(_csv(study, item), dtype=str, keep_default_na=False)
    forms = " ".join(item["columns"].values())
    whole = {
        name: "Int64"
        for name, text in texts.items()
        if f"{{{name}:d}}" in forms
        or (frame[name].dtype == float and text[text != ""].str.fullmatch(r"-?\d+").all())
    }
    return frame.astype(whole)


def unlike_tables(study: Path) -> tuple[int, list[str]]:
    """How many cells the page has, and those that do not show, to the digit, what its CSV has."""
    shown = Page((study / PAGE.path).read_text(encoding="utf-8")).shown
    n, places = 0, []
    for item in declared_tables(study):
        rows = lines(stored(study, item)[:ROWS], item["columns"])
        for (row, cells), (column, head) in itertools.product(
            enumerate(rows, 1), enumerate(item["columns"])
        ):
            n += 1
            first, *more = cells[column]
            wanted = " / ".join([first, *(line for line in more if set(line) - BLANK)])
            where = f"table {named(item)}, row {row}, {head}"
            # A CSV file does not tell an empty text from a missing one.
            if (now := shown.get(where)) != wanted and {now, wanted} != {"", ABSENT}:
                places.append(f"{PAGE.path}: {where}: {_short(now)}; in the CSV {_short(wanted)}")
    return n, places


def compared(page: Path, other: Path) -> Iterator[str]:
    """Where ``page`` shows something else than ``other``; what is not shown, at the byte."""
    texts = [path.read_text(encoding="utf-8") for path in (page, other)]
    ours, theirs = (Page(text).shown for text in texts)
    places = [
        f"{where}: {_short(ours.get(where))}; by the tables {_other(ours, theirs, where)}"
        for where in dict.fromkeys([*ours, *theirs])
        if ours.get(where) != theirs.get(where)
    ]
    if not places and texts[0] != texts[1]:
        pairs = enumerate(itertools.zip_longest(*texts))
        places = [next(f"character {n + 1}" for n, (a, b) in pairs if a != b)]
    yield from places


def _other(ours: Mapping[str, str], theirs: Mapping[str, str], where: str) -> str:
    short = _short(theirs.get(where))
    return "another" if short == _short(ours.get(where)) else short


def _short(text: str | None) -> str:
    if text is None:
        return "nothing"
    return "a picture" if text.startswith("data:image") else shortened(text.strip()[:80])
