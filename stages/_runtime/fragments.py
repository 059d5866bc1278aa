"""The report, put together from what every stage left: fragments, checks, attrition, tables.

``reports/spec.yml`` says what stands where. A section, figure or table whose
sources this study does not have (no simulated truth, no training yet) is left
out; a word in the spec that nothing answers to is an error.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pandas as pd
import yaml
from markupsafe import Markup

from eifer.errors import StudyError, did_you_mean
from eifer.figures.style import drawing, svg
from eifer.tables.simulation import LATENT
from stages._runtime.artifacts import read_table
from stages._runtime.exhibits import FIGURES, TABLES
from stages._runtime.stage import Given, Run

NUMBER = r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?!\w)"
ABSENT = "–"
SHORT = 34
"""Characters that a cell shows without breaking its line."""


@dataclass(frozen=True)
class Fragments:
    """What the stages say of themselves, in the order they were given."""

    reports: list[dict[str, Any]]
    checks: pd.DataFrame
    attrition: pd.DataFrame

    def numbers(self) -> dict[str, Any]:
        """Each stage's numbers by its name; a list of them where it ran several times."""
        found: dict[str, Any] = {}
        for report in self.reports:
            found.setdefault(report["stage"], []).append(report["numbers"])
        return {stage: all_[0] if len(all_) == 1 else all_ for stage, all_ in found.items()}

    def methods(self, stages: Iterable[str]) -> list[str]:
        """The methods text of each of ``stages``, instances of one stage merged."""
        return [
            text
            for stage in stages
            if (mine := [r for r in self.reports if r["stage"] == stage])
            for text in merged(mine)
        ]

    def title(self, stage: str) -> str:
        """What a stage calls itself."""
        return next((r["title"] for r in self.reports if r["stage"] == stage), stage)


def gather(folders: Sequence[Path]) -> Fragments:
    """Read report.json, checks.json and attrition.parquet of every stage folder, each once."""
    reports, checks, attrition = [], [], []
    for folder in dict.fromkeys(folders):
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        reports.append(report)
        where = {"stage": report["stage"], "item": _item(report["item"])}
        checks += [where | check for check in json.loads((folder / "checks.json").read_text())]
        if (folder / "attrition.parquet").exists():
            rows = pd.read_parquet(folder / "attrition.parquet")
            attrition.append(rows.assign(**where)[[*where, *rows.columns]])
    return Fragments(
        reports,
        pd.DataFrame(checks),
        pd.concat(attrition, ignore_index=True) if attrition else pd.DataFrame(),
    )


def read(run: Run, shown: Sequence[Given], only: Mapping[str, list[str]]) -> dict[str, Any]:
    """Tables by their names, several files of one as one; JSON by its file's name.

    ``only`` names the columns wanted of tables that are too large to be read whole.
    """
    parts: dict[str, list[Any]] = {}
    for given in shown:
        if given.table is None:
            name, content = Path(given.path).stem, json.loads(run.path(given).read_text())
        else:
            # Checked where it was made, and the outcome is shown: it is not checked again here.
            columns = only.get(given.table.name, given.table.names)
            name, content = given.table.name, run.read(given, columns)
        parts.setdefault(name, []).append(content)
    return {
        name: found[0] if len(found) == 1 else pd.concat(found, ignore_index=True)
        for name, found in parts.items()
    }


def truth(folder: Path) -> dict[str, Any]:
    """What was planted in a cohort that the simulation in ``folder`` made, else nothing."""
    if not (folder / "truth.json").exists():
        return {"truth": None, LATENT.name: None}
    planted = json.loads((folder / "truth.json").read_text())
    return {"truth": planted, LATENT.name: read_table(folder / "latent.parquet", LATENT)}


def merged(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """The methods text of one stage's instances: said once where only numbers or items differ.

    Of waves 1 and 2 "10 frames" and "12 frames" become "(For each wave.) 10 to 12 frames", of
    two tasks "learnt arousal" and "learnt valence" become "learnt arousal or valence".
    """
    same: dict[tuple[str, ...], list[tuple[Mapping[str, Any], list[str]]]] = {}
    for report in reports:
        items = "".join(rf"|\b{re.escape(value)}\b" for value in report["item"].values())
        parts = re.split(f"({NUMBER}{items})", report["methods"])
        same.setdefault(tuple(parts[::2]), []).append((report, parts[1::2]))
    texts = []
    for words, group in same.items():
        values = [_range(slot) for slot in zip(*(found for _, found in group), strict=True)]
        text = "".join(a + b for a, b in zip(words, [*values, ""], strict=True))
        texts.append(_prefix([report["item"] for report, _ in group], len(reports)) + text)
    return texts


def _prefix(items: Sequence[Mapping[str, str]], of: int) -> str:
    """Which of a stage's instances a text is about, where it has several."""
    if of == 1:
        return ""
    if len(items) < of:
        return f"({'; '.join(map(_item, items))}.) "
    varied = [key for key in items[0] if len({item[key] for item in items}) > 1]
    return f"(For each {_listed([key.replace('_', ' ') for key in varied])}.) "


def _range(values: Sequence[str]) -> str:
    """What stands at one place of several texts: one word, a choice of words, or a range."""
    different = sorted(set(values))
    if len(different) == 1 or not all(re.fullmatch(NUMBER, value) for value in different):
        return _listed(different, "or")
    different.sort(key=float)
    return f"{different[0]} to {different[-1]}"


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _item(item: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in item.items())


class Cells(string.Formatter):
    """Formats the cells of a table: what is missing is a dash, ``:p`` writes a p-value."""

    def format_field(self, value: Any, format_spec: str) -> str:
        """``value`` as ``format_spec`` says."""
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
            return ABSENT
        if format_spec == "p":
            return "< .001" if value < 0.001 else f"{value:.3f}".replace("0.", ".", 1)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return (
            str(format(value, format_spec)).replace("-", "−") if _is_number(value) else str(value)
        )


def _is_number(value: object) -> bool:
    return hasattr(value, "__float__") and not isinstance(value, str)


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
            module = _exhibit(FIGURES, name)
            with drawing():
                drawn = svg(module.draw(*given))
            (self.out / "figures" / f"{label['name']}.svg").write_text(drawn, encoding="utf-8")
            image = base64.b64encode(drawn.encode()).decode()
            return Shown(caption=module.caption(*given), image=image, **label)
        module = _exhibit(TABLES, name)
        frame = module.table(*given)
        frame.to_csv(self.out / "tables" / f"{label['name']}.csv", index=False, lineterminator="\n")
        heads, rows = _cells(frame, item["columns"])
        return Shown(
            caption=module.caption(*given),
            heads=heads,
            rows=rows,
            forms=[_form(row[k] for row in rows) for k in range(len(heads))],
            group=item.get("group", 0),
            **label,
        )


def _exhibit(known: Mapping[str, ModuleType], name: str) -> Any:
    if name not in known:
        hint = did_you_mean(name, known) or f"; known: {', '.join(known)}"
        raise StudyError(f"reports/spec.yml: nothing is called {name!r}{hint}")
    return known[name]


def _cells(frame: pd.DataFrame, columns: Mapping[str, str]) -> tuple[list[str], list[list[Markup]]]:
    """What each cell shows: a second line of its form is set smaller, in grey."""
    cells, rows = Cells(), []
    records: list[Any] = frame.astype(object).to_dict("records")
    for record in records:
        row = []
        for form in columns.values():
            try:
                lines = [cells.vformat(line, (), record) for line in form.split(" / ")]
            except KeyError as error:
                hint = did_you_mean(str(error.args[0]), list(frame.columns))
                raise StudyError(f"reports/spec.yml: no column {error}{hint}") from None
            first, *more = (html.escape(line) for line in lines)
            small = "".join(f"<small>{line}</small>" for line in more if set(line) - set(" –()[],"))
            row.append(Markup(first + small))
        rows.append(row)
    return list(columns), rows


def _form(cells: Iterable[Markup]) -> str:
    """``n`` for numbers, which stand right; ``s`` for short words, which stay on one line."""
    texts = [html.unescape(re.split("<small>", str(cell))[0]) for cell in cells]
    if all(re.match(r"[−+[\d.<–]", text) or not text for text in texts):
        return "n"
    return "s" if all(len(text) <= SHORT for text in texts) else ""
