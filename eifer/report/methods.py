"""The methods text, from what the stages wrote: for the page, as Markdown, LaTeX and BibTeX."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from eifer.errors import StudyError, did_you_mean
from eifer.report.fragments import VERSION, Fragments

CITED = re.compile(r"\[(@[\w-]+(?:; @[\w-]+)*)\]")
"""A citation as pandoc's Markdown has it: ``[@key; @key]``."""
SPECIAL = {c: f"\\{c}" for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\^{}"}


class Methods:
    """The methods text in paragraphs, with the references that it cites, in that order.

    Parameters
    ----------
    paragraphs
        The stages of each paragraph, by its title.
    software
        The packages that the text names.
    fragments
        What the stages wrote.
    sources
        ``references``: the fields of each BibTeX entry by its key, and ``type``; ``software``: of
        each package ``for``, what it did, and the ``key`` of its reference, if it has one.

    Raises
    ------
    StudyError
        If a stage cites what is not among the references.
    """

    def __init__(
        self,
        paragraphs: Mapping[str, Sequence[str]],
        software: Sequence[str],
        fragments: Fragments,
        sources: Mapping[str, Mapping[str, Any]],
    ) -> None:
        known = sources["references"]
        written = {
            title: " ".join(fragments.texts(stages, "methods"))
            for title, stages in paragraphs.items()
        }
        written["Software"] = _software({name: sources["software"][name] for name in software})
        self.paragraphs = {title: text for title, text in written.items() if text}
        keys = [key for text in self.paragraphs.values() for key in cited(text)]
        if unknown := [key for key in keys if key not in known]:
            hint = did_you_mean(unknown[0], known)
            raise StudyError(f"reports/references.yml: no reference {unknown[0]!r}{hint}")
        self.references = {key: known[key] for key in dict.fromkeys(keys)}

    def html(self) -> dict[str, Markup]:
        """Each paragraph by its title, its citations as numbers that lead to the references."""
        order = list(self.references)

        def numbers(citation: re.Match[str]) -> str:
            places = sorted((order.index(key) + 1, key) for key in cited(citation[0]))
            return "[" + ", ".join(f'<a href="#ref-{key}">{n}</a>' for n, key in places) + "]"

        return {
            title: Markup(CITED.sub(numbers, html.escape(text)))
            for title, text in self.paragraphs.items()
        }

    def listed(self) -> dict[str, str]:
        """Each cited reference in words, by its key."""
        return {key: _in_words(entry) for key, entry in self.references.items()}

    def write(self, folder: Path) -> None:
        """Write ``methods.md``, ``methods.tex`` and ``references.bib`` into ``folder``."""
        files = {
            "methods.md": "\n\n".join(f"## {t}\n\n{text}" for t, text in self.paragraphs.items()),
            "methods.tex": "\n\n".join(
                f"\\paragraph{{{title}}}\n{_latex(text)}" for title, text in self.paragraphs.items()
            ),
            "references.bib": "\n\n".join(_bibtex(k, e) for k, e in self.references.items()),
        }
        for name, text in files.items():
            (folder / name).write_text(text + "\n", encoding="utf-8")


def cited(text: str) -> list[str]:
    """The keys that a text cites, in the order in which it does."""
    return [key.strip()[1:] for group in CITED.findall(text) for key in group.split(";")]


def uncited(text: str) -> str:
    """A text without its citations."""
    return re.sub(f" {CITED.pattern}", "", text)


def _software(packages: Mapping[str, Mapping[str, str]]) -> str:
    named = [
        f"{name} {version(name)} ({about['for']})"
        + (f" [@{about['key']}]" if "key" in about else "")
        for name, about in packages.items()
    ]
    return f"Analyses were run by eifer {VERSION} with {', '.join(named[:-1])} and {named[-1]}."


def _latex(text: str) -> str:
    plain = CITED.split(text)[::2]
    escaped = ["".join(SPECIAL.get(character, character) for character in part) for part in plain]
    marks = [f"\\cite{{{','.join(cited(found[0]))}}}" for found in CITED.finditer(text)]
    return "".join(a + b for a, b in zip(escaped, [*marks, ""], strict=True))


def _bibtex(key: str, entry: Mapping[str, Any]) -> str:
    fields = [f"  {name} = {{{value}}}" for name, value in entry.items() if name != "type"]
    return ",\n".join([f"@{entry['type']}{{{key}", *fields]) + "\n}"


def _in_words(entry: Mapping[str, Any]) -> str:
    where = entry.get("journal") or entry.get("booktitle") or entry.get("publisher") or ""
    place = "".join(
        form.format(entry[name])
        for name, form in (("volume", " {}"), ("number", "({})"), ("pages", ":{}"))
        if name in entry
    )
    authors = entry["author"].replace(" and others", " et al.").replace(" and ", "; ")
    link = f"doi:{entry['doi']}" if "doi" in entry else entry.get("note", "")
    parts = [authors, str(entry["year"]), entry["title"], (where + place).replace("--", "–"), link]
    return ". ".join(part.rstrip(".") for part in parts if part) + "."
