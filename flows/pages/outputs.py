"""docs/outputs.md: every file a stage makes and every column in it, from their declarations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eifer.affect.expression import EXPRESSIONS
from eifer.tables.schema import Column, Table
from eifer.tables.video import faces_table
from flows.graph import declared, graph_of, stage_of
from stages._runtime.kinds import EI, KINDS

HEAD = """# Outputs

Printed from `eifer/tables` and `stages` by `make docs`; a test keeps it in step. Each stage writes
one folder, and beside the files below it puts `checks.json` (every Great Expectations check and its
outcome) and `report.json` (the stage's methods text and numbers for the report). A column marked
*may be missing* says so where a value cannot exist; nothing else is ever missing."""


def describe() -> str:
    """The whole page as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield HEAD
    yield "\n## eifer estimate: one video\n"
    yield "`readings/VIDEO/faces.csv`, of the estimator `expression`; others have no expressions."
    yield from _table(faces_table(EXPRESSIONS))
    shown: set[str] = set()
    for study, kind in KINDS.items():
        if study != EI:
            yield f"\n# The study of {study}"
        yield from _stages(graph_of(kind), shown)


def _stages(graph: Path, shown: set[str]) -> Iterator[str]:
    for name in declared(graph):
        stage = stage_of(name, graph)
        yield f"\n## {name}: {stage.title.lower()}\n"
        yield f"`{stage.folder}/`\n"
        for made in stage.made:
            if made.table is None:
                yield f"- `{made.name}`"
            elif made.table.name in shown:
                yield f"- `{made.name}`: {made.table.name}, described above"
            else:
                shards = "/*.parquet" if made.shards else ""
                yield f"- `{made.name}{shards}`: {made.table.meaning}"
        for made in stage.made:
            if made.table is not None and made.table.name not in shown:
                shown.add(made.table.name)
                yield from _table(made.table)


def _table(table: Table) -> Iterator[str]:
    yield f"\n### {table.name}\n"
    yield f"One row for each {', '.join(f'`{key}`' for key in table.key)}.\n"
    yield "| column | type | unit | range | meaning |\n|---|---|---|---|---|"
    for column in table.columns:
        meaning = " ".join(filter(None, [column.meaning.rstrip(".") + ".", column.why]))
        missing = " *May be missing.*" if column.missing else ""
        yield (
            f"| `{column.name}` | {column.kind} | {column.unit or '-'} | {_range(column)} "
            f"| {meaning}{missing} |".replace("\n", " ")
        )
    if table.rules:
        yield "\nRules:\n"
        for rule in table.rules:
            yield f"- {rule.says}. {rule.why} *{rule.remedy}*"


def _range(column: Column) -> str:
    if column.values:
        return " / ".join(f"`{value}`" for value in column.values)
    if column.low is None and column.high is None:
        return "any"
    if column.high is None:
        return f"at least {column.low:g}"
    if column.low is None:
        return f"at most {column.high:g}"
    return f"{column.low:g} to {column.high:g}"
