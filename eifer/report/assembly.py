"""The page, its figures and its tables, put together from what every stage left.

Its declaration (``reports/spec.yml``) says what stands where. A section, figure or table whose
sources this study does not have (no simulated truth, no training yet) is left
out; a word in the spec that nothing answers to is an error.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from eifer.errors import StudyError, did_you_mean
from eifer.figures.style import drawing, png, svg
from eifer.report.exhibits import Cells, exhibit, lines, tabled
from eifer.report.few import Few
from eifer.report.fragments import Fragments
from eifer.report.methods import Methods

SHORT = 34
"""Characters that a cell shows without breaking its line."""


ROWS = 200
"""Rows of a table that the page shows; its files hold all."""
BLANK = set(" –()[],")
"""What is left of a cell's line without its values."""
_AS_IS = " =:/,;()'"
"""Characters that an address of a drawing may hold as they are."""
OWN = "A"
"""The series of the exhibits that the source does not have: Table A1, Figure A1."""


@dataclass(frozen=True)
class Shown:
    """One figure or table as the page shows it."""

    kind: str
    name: str
    label: str
    caption: str
    files: list[str]
    """Names of its files in the folder of its kind."""
    title: str = ""
    fold: bool = False
    image: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[list[Markup]] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    group: int = 0
    n_rows: int = 0
    """Rows of the whole table, of which ``rows`` may be the first."""

    @property
    def stacked(self) -> bool:
        """Whether each row is a block on a phone, so that its verdict needs no scrolling."""
        return "Verdict" in self.heads


def comparable(sources: Mapping[str, Any]) -> dict[str, Any]:
    """Sources without those that have nothing to compare: one estimator, one assignment."""
    agreed, every = sources["estimators_agreement"], sources["by_assignment"]
    several = every is not None and every["assignment"].nunique() > 1
    return {
        **sources,
        "estimators_agreement": None if agreed is None or agreed.empty else agreed,
        "relabelled": every if several else None,
    }


class Assembly:
    """Builds the page, its figures and tables into ``out`` from ``sources``.

    ``sources`` maps the names that the spec may use to tables or JSON, or to
    None where this study has no such thing. ``few`` withholds counts of few people.
    """

    def __init__(
        self,
        spec: Path,
        references: Path,
        sources: Mapping[str, Any],
        fragments: Fragments,
        out: Path,
        few: Few,
    ) -> None:
        self.place = spec.as_posix()
        self.spec = yaml.safe_load(spec.read_text(encoding="utf-8"))
        known = yaml.safe_load(references.read_text(encoding="utf-8"))
        self.methods = Methods(self.spec["methods"], self.spec["software"], fragments, known)
        self.sources = dict(sources)
        self.fragments = fragments
        self.out = out
        self.few = few
        self.counts = {"figure": 0, "table": 0}
        self.texts = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        self.texts.filters["p"] = lambda value: Cells().format_field(value, "p")

    def page(self, path: Path, looks: Sequence[Path], facts: Mapping[str, Any]) -> None:
        """Write the whole page, of template, style and script: no file or font from elsewhere."""
        for folder in ("figures", "tables", "methods"):
            (self.out / folder).mkdir()
        self.methods.write(self.out / "methods")
        words = {**self.sources, **facts, "numbers": self.fragments.numbers()}
        title, origin, footer = (
            Markup(self._text(self.spec[name], words)) for name in ("title", "origin", "footer")
        )
        sections = [s for entry in self.spec["sections"] if (s := self._section(entry, words))]
        template, style, script = (path.read_text(encoding="utf-8") for path in looks)
        page = self.texts.from_string(template).render(
            title=title,
            origin=origin,
            footer=footer,
            style=Markup(style),
            script=Markup(script),
            sections=sections,
            methods=self.methods,
            **words,
        )
        path.write_text(page, encoding="utf-8")

    def _section(self, entry: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any] | None:
        if not self._has(entry.get("needs", [])):
            return None
        shown = [
            self._shown(item)
            for item in entry.get("show", [])
            if self._has(item["of"]) and self.few.shows(item)
        ]
        results = self.fragments.texts(entry.get("results", []), "results")
        if not (shown or results or entry.get("always")):
            return None
        text = self._text(entry.get("text", ""), words)
        return {
            "id": entry["id"],
            "title": entry["title"],
            "text": Markup(text),
            "results": results,
            "shown": shown,
        }

    def _has(self, names: Sequence[str]) -> bool:
        for name in names:
            if name not in self.sources:
                raise StudyError(
                    f"{self.place}: {name!r} is not a source"
                    f"{did_you_mean(name, list(self.sources))}. Sources are the tables of the "
                    "catalogue by their names, and the JSON files that the stage report names"
                )
        return all(self.sources[name] is not None for name in names)

    def _text(self, text: str, words: Mapping[str, Any]) -> str:
        try:
            return self.texts.from_string(text).render(words).strip()
        except jinja2.UndefinedError as error:
            raise StudyError(f"{self.place}: {error} in: {text[:120]}") from None

    def _shown(self, item: Mapping[str, Any]) -> Shown:
        kind = "table" if "table" in item else "figure"
        name = item.get("as", item.get(kind, ""))
        given = [self.sources[source] for source in item["of"]]
        about = {
            "kind": kind,
            "name": name,
            "label": self._label(kind, item.get("source")),
            "fold": item.get("fold", False),
            "title": item.get("title", ""),
        }
        folder = self.out / f"{kind}s"
        if kind == "figure":
            files = [f"{name}.svg"]
            if "drawn" in item:
                drawn = Path(self.place).with_name(item["drawn"]).read_text(encoding="utf-8")
                caption = item["caption"]
            else:
                with drawing():
                    figure, caption = exhibit(kind, item[kind]).draw(*given)
                    drawn = svg(figure)
                    files.append(f"{name}.png")
                    (folder / files[-1]).write_bytes(png(figure))
            (folder / files[0]).write_text(drawn, encoding="utf-8")
            return Shown(caption=caption, files=files, image=_address(drawn), **about)
        whole, caption = tabled(item, given)
        frame, withheld = self.few.withheld(whole, item)
        heads, every = list(item["columns"]), lines(frame, item["columns"])
        rows = [[_cell(*cell) for cell in row] for row in every[:ROWS]]
        return Shown(
            caption=caption + withheld,
            files=written(folder, name, frame, heads, every),
            heads=heads,
            rows=rows,
            forms=[_form(row[k] for row in rows) for k in range(len(heads))],
            group=item.get("group", 0),
            n_rows=len(every),
            **about,
        )

    def _label(self, kind: str, source: int | None) -> str:
        if source is not None:
            return f"{kind.capitalize()} {source} of the source"
        self.counts[kind] += 1
        return f"{kind.capitalize()} {OWN}{self.counts[kind]}"


def written(
    folder: Path,
    name: str,
    frame: pd.DataFrame,
    heads: Sequence[str],
    rows: Sequence[Sequence[Sequence[str]]],
) -> list[str]:
    """Write a table in full numbers, as it is shown, and as LaTeX; give the names of its files.

    Each row of the full numbers has its ``address``, by which `eifer trace` follows it back.

    LaTeX needs the packages booktabs and longtable, and XeLaTeX or LuaLaTeX for its Greek letters.
    """
    shown = pd.DataFrame([[_plain(cell) for cell in row] for row in rows], columns=[*heads])
    files = [f"{name}.csv", f"{name}_shown.csv", f"{name}.tex"]
    full, plain, tex = (folder / file for file in files)
    addressed = frame.assign(address=[f"{name}:{row}" for row in range(1, len(frame) + 1)])
    for path, table in ((full, addressed), (plain, shown)):
        table.to_csv(path, index=False, lineterminator="\n")
    shown.to_latex(tex, index=False, escape=True, longtable=True, encoding="utf-8")
    return files


def _plain(cell: Sequence[str]) -> str:
    return " / ".join(line for line in cell if set(line) - BLANK) or cell[0]


def _address(drawn: str) -> Markup:
    """A drawing as an address of itself; by a third shorter than in base64.

    It stands between double quotes, which it does not hold: single ones need no escape.
    """
    swapped = {ord('"'): "'", ord("'"): '"'}
    # Around attributes alone: text keeps its own quotes.
    other_quotes = re.sub(
        r"<[^>]*>", lambda tag: tag[0].translate(swapped), " ".join(drawn.split())
    )
    return Markup("data:image/svg+xml," + quote(other_quotes, safe=_AS_IS))


def _cell(*texts: str) -> Markup:
    """What a cell shows: a second line of its form is set smaller, in grey."""
    first, *more = map(html.escape, texts)
    small = "".join(f"<small>{line}</small>" for line in more if set(line) - BLANK)
    return Markup(first + small)


def _form(cells: Iterable[Markup]) -> str:
    """``n`` for numbers, which stand right; ``s`` for short words, which stay on one line."""
    texts = [html.unescape(re.split("<small>", str(cell))[0]) for cell in cells]
    if all(re.match(r"[−+[\d.<–]", text) or not text for text in texts):
        return "n"
    return "s" if all(len(text) <= SHORT for text in texts) else ""
