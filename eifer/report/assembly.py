"""The page, its figures and its tables, put together from what every stage left.

``reports/spec.yml`` says what stands where. A section, figure or table whose
sources this study does not have (no simulated truth, no training yet) is left
out; a word in the spec that nothing answers to is an error.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from eifer.errors import StudyError, did_you_mean
from eifer.figures.style import drawing, svg
from eifer.report.exhibits import Cells, exhibit, lines, tabled
from eifer.report.fragments import Fragments

SHORT = 34
"""Characters that a cell shows without breaking its line."""


@dataclass(frozen=True)
class Shown:
    """One figure or table as the page shows it."""

    kind: str
    name: str
    caption: str
    number: int
    fold: bool = False
    image: str = ""
    heads: list[str] = field(default_factory=list)
    rows: list[list[Markup]] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    group: int = 0
    title: str = ""


class Assembly:
    """Builds the page, its figures and tables into ``out`` from ``sources``.

    ``sources`` maps the names that the spec may use to tables or JSON, or to
    None where this study has no such thing.
    """

    def __init__(
        self, spec: Path, sources: Mapping[str, Any], fragments: Fragments, out: Path
    ) -> None:
        self.spec = yaml.safe_load(spec.read_text(encoding="utf-8"))
        self.sources = dict(sources)
        self.fragments = fragments
        self.out = out
        self.counts = {"figure": 0, "table": 0}
        self.texts = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        self.texts.filters["p"] = lambda value: Cells().format_field(value, "p")

    def page(self, template: Path, style: Path, facts: Mapping[str, Any]) -> str:
        """The whole page: no file, font or script from elsewhere."""
        for folder in ("figures", "tables"):
            (self.out / folder).mkdir()
        words = {**self.sources, **facts, "numbers": self.fragments.numbers()}
        title = Markup(self._text(self.spec["title"], words))
        sections = [s for entry in self.spec["sections"] if (s := self._section(entry, words))]
        return self.texts.from_string(template.read_text(encoding="utf-8")).render(
            title=title,
            style=Markup(style.read_text(encoding="utf-8")),
            sections=sections,
            **words,
        )

    def _section(self, entry: Mapping[str, Any], words: Mapping[str, Any]) -> dict[str, Any] | None:
        if not self._has(entry.get("needs", [])):
            return None
        shown = [self._shown(item) for item in entry.get("show", []) if self._has(item["of"])]
        methods = self.fragments.methods(entry.get("methods", []))
        if not (shown or methods or entry.get("always")):
            return None
        text = self._text(entry.get("text", ""), words)
        return {
            "id": entry["id"],
            "title": entry["title"],
            "text": Markup(text),
            "methods": methods,
            "shown": shown,
            "kind": entry.get("kind", "plain"),
        }

    def _has(self, names: Sequence[str]) -> bool:
        for name in names:
            if name not in self.sources:
                raise StudyError(
                    f"reports/spec.yml: {name!r} is not a source"
                    f"{did_you_mean(name, list(self.sources))}"
                )
        return all(self.sources[name] is not None for name in names)

    def _text(self, text: str, words: Mapping[str, Any]) -> str:
        try:
            return self.texts.from_string(text).render(words).strip()
        except jinja2.UndefinedError as error:
            raise StudyError(f"reports/spec.yml: {error} in: {text[:120]}") from None

    def _shown(self, item: Mapping[str, Any]) -> Shown:
        kind = "figure" if "figure" in item else "table"
        name = item[kind]
        given = [self.sources[source] for source in item["of"]]
        number = item.get("number")
        if number is None:
            self.counts[kind] += 1
        label = {
            "kind": kind,
            "name": item.get("as", name),
            "number": self.counts[kind],
            "fold": item.get("fold", False),
            "title": item.get("title", ""),
        }
        if kind == "figure":
            module: Any = exhibit(kind, name)
            with drawing():
                drawn = svg(module.draw(*given))
            (self.out / "figures" / f"{label['name']}.svg").write_text(drawn, encoding="utf-8")
            image = base64.b64encode(drawn.encode()).decode()
            return Shown(caption=module.caption(*given), image=image, **label)
        frame, caption = tabled(item, given)
        addresses = [f"{label['name']}:{row}" for row in range(1, len(frame) + 1)]
        path = self.out / "tables" / f"{label['name']}.csv"
        frame.assign(address=addresses).to_csv(path, index=False, lineterminator="\n")
        heads, rows = _cells(frame, item["columns"])
        return Shown(
            caption=caption,
            heads=heads,
            rows=rows,
            forms=[_form(row[k] for row in rows) for k in range(len(heads))],
            group=item.get("group", 0),
            **label,
        )


def _cells(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[list[str], list[list[Markup]]]:
    """What each cell shows: a second line of its form is set smaller, in grey."""
    return list(columns), [[_cell(*cell) for cell in row] for row in lines(frame, columns)]


def _cell(*texts: str) -> Markup:
    first, *more = map(html.escape, texts)
    small = "".join(f"<small>{line}</small>" for line in more if set(line) - set(" –()[],"))
    return Markup(first + small)


def _form(cells: Iterable[Markup]) -> str:
    """``n`` for numbers, which stand right; ``s`` for short words, which stay on one line."""
    texts = [html.unescape(re.split("<small>", str(cell))[0]) for cell in cells]
    if all(re.match(r"[−+[\d.<–]", text) or not text for text in texts):
        return "n"
    return "s" if all(len(text) <= SHORT for text in texts) else ""
