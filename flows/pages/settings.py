"""docs/settings.md: every parameter with its meaning, and its value in each preset."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, get_args, get_origin

import yaml

from eifer.ranges import in_words
from flows.graph import ROOT
from stages._runtime.kinds import EI, KINDS, kind_of
from stages._runtime.machine import Machine
from stages._runtime.params_file import fields_of

NUMPY_HEADING = "Parameters\n----------\n"
ENTRY = re.compile(r"^(\w+)\n((?:    .+\n?)+)", re.MULTILINE)
ANY = "NAME"
"""Stands for a name that the study gives; shown are the values of the first."""
HEAD = """# Settings

Printed from `stages/params` and the dataclasses of `eifer` by `make docs`; a test keeps it in
step. params.yaml holds the choices of the study and is its preregistration: nothing in it has a
default. What a machine may use is kept apart, at the end."""


def describe() -> str:
    """The whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def networks() -> str:
    """The published networks of the expressions study, to be copied into a params file."""
    from eifer.corpora.recipes import PUBLISHED

    head = (
        "# The section networks of params.yaml with the networks as their sources train them,\n"
        "# to be copied from. Printed by `make docs`.\n"
    )
    recipes = {name: asdict(recipe) for name, recipe in PUBLISHED.items()}
    return head + yaml.safe_dump({"networks": recipes}, sort_keys=False)


def _lines() -> Iterator[str]:
    every = {
        path.stem: yaml.safe_load(path.read_text())
        for path in sorted((ROOT / "presets").glob("*.yaml"))
    }
    yield HEAD
    for study, kind in KINDS.items():
        if study != EI:
            yield f"\n# The study of {study}"
        presets = {name: p for name, p in every.items() if kind_of(p, name) is kind}
        for section, field in kind.params.Params.model_fields.items():
            if section == "protocol":
                continue
            yield f"\n## {section}\n"
            yield from _section(_named(section, field.annotation), field.annotation, presets)
    yield "\n## The machine: `machine.yaml`, or `EIFER_*` in the environment\n"
    yield "| setting | default | meaning |\n|---|---|---|"
    for name, setting in Machine.model_fields.items():
        default = "all cores" if setting.default_factory else f"`{setting.default}`"
        yield f"| `{name}` / `EIFER_{name.upper()}` | {default} | {setting.description} |"


def _section(path: str, form: Any, presets: dict[str, Any]) -> Iterator[str]:
    owner, fields = fields_of(form)
    doc, _, listed = (inspect.getdoc(owner) or "").replace("``", "`").partition(NUMPY_HEADING)
    meanings = {name: " ".join(text.split()) for name, text in ENTRY.findall(listed)}
    yield doc.strip() + "\n"
    yield f"| {path} | {' | '.join(presets)} | range | |\n|---{'|---' * (len(presets) + 2)}|"
    nested = []
    for name, (hint, description) in fields.items():
        inner, own = fields_of(hint)
        if own and get_origin(hint) is not tuple:  # of which there are any number
            nested.append((_named(f"{path}.{name}", hint), hint if _mapped(hint) else inner))
            continue
        values = " | ".join(_value(preset, f"{path}.{name}") for preset in presets.values())
        meaning = description or meanings.get(name, "")
        yield f"| `{name}` | {values} | {in_words(hint)} | {meaning} |"
    for inside, inner in nested:
        yield f"\n### {inside}\n"
        yield from _section(inside, inner, presets)


def _mapped(hint: Any) -> bool:
    """Whether there are any number of them, by names that the study gives."""
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return isinstance(origin := get_origin(inner), type) and issubclass(origin, Mapping)


def _named(path: str, hint: Any) -> str:
    return f"{path}.{ANY}" if _mapped(hint) else path


def _value(preset: Any, path: str) -> str:
    for part in path.split("."):
        known = isinstance(preset, dict)
        preset = (
            next(iter(preset.values()), None)
            if known and part == ANY
            else (preset.get(part) if known else None)
        )
    text = str(preset).lower() if isinstance(preset, bool) else str(preset)
    if preset is None:
        return "-"
    return f"`{text}`" if len(text) <= 40 else f"{len(preset)} values"
