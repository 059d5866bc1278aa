"""The data card of a crate: who and what is in the tables of faces, from what the stages left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from eifer.report.exhibits import ABSENT, Printed
from eifer.report.fragments import gather
from eifer.report.methods import uncited
from eifer.report.pseudonyms import NOBODY
from flows.audit.study import PARAMS
from flows.crate.source import Source
from flows.pages.summary import tables
from flows.run.instances import behind, meet
from stages._runtime.artifacts import read_table

CARD = "data-card.md"
CARDS = ("card.json", "cards.json")
"""What stages call the cards of networks: of one, or of several by their files."""

COUNTED = {
    "ei": ("PARTICIPANTS", ["wave", "sex", "excluded"]),
    "expressions": ("DESCRIBED", ["corpus", "label"]),
}
"""By the kind of study: the table of its catalogue whose rows are counted, and by which columns."""


def written(source: Source, licence: str) -> str:
    """The card as Markdown; nothing in it is of another source than the study's files."""
    study, faces = source.study, source.faces()
    stages, folders = _behind(source, faces)
    fragments = gather([f for f in folders if (f / "report.json").is_file()], NOBODY)
    text = [f"# Data card: faces of the study {source.name}", ""]
    text += list(dict.fromkeys(made.table.meaning for made, _ in faces.values()))
    if "faces" not in source.asked:
        text.append("The pictures themselves are not in this crate.")
    files = [
        [name, str(pq.read_metadata(study.root / name).num_rows), content.sha256]
        for name, (_, content) in faces.items()
    ]
    text += ["", *_table(["File", "Rows", "SHA-256"], files)]
    text += ["`croissant.json` describes every column.", ""]
    shown = tables(study.root, where="card")
    left_out = {"left_out", "attrition"}
    counts = _counts(source)
    people = [table for table in shown if table.name not in left_out]
    if counts or people:
        text += ["## Who and what", "", *counts, *_shown(people)]
    text += ["## How it was made", ""]
    for stage in stages:
        # Results beside methods: they count who and what was taken.
        said = [s for part in ("methods", "results") for s in fragments.texts([stage], part)]
        if said:
            text += [f"**{fragments.title(stage)}.** {uncited(' '.join(said))}", ""]
    if gone := [table for table in shown if table.name in left_out]:
        text += ["## What was left out", "", *_shown(gone)]
    text += ["## Limits", "", *(f"- {limit}" for limit in _limits(folders))]
    text += [
        "- Ids of people are those of the recordings: pseudonyms if they are there.",
        "- Whoever appears here may withdraw. The study then goes on without them; this crate does "
        "not know, and has to be replaced by a new one.",
        f"- Licence: {licence}",
        "",
    ]
    cards: dict[str, list[str]] = {}
    for name in (name for name in source.copied if Path(name).name in CARDS):
        cards.setdefault(name.split("/")[1], []).append(name)
    if cards:
        text += ["## Networks", "", "Each was described when it was trained or taken:", ""]
        text += [f"- {stage}: {len(n)} files, as [{n[0]}]({n[0]})" for stage, n in cards.items()]
        text.append("")
    _, newest = source.executions[-1]
    text += ["## Origin", "", f"- Study: {source.identifier}"]
    text += [f"- Git commit of the last execution: {newest['git']['commit'] or 'none'}"]
    text += [f"- SHA-256 of {PARAMS}: {source.copied[PARAMS][1].sha256}", ""]
    return "\n".join(text)


def _behind(source: Source, names: Iterable[str]) -> tuple[list[str], list[Path]]:
    """The stages that files rest on, and the folders of their instances, in the graph's order."""
    graph, wanted = source.study.graph, [*names]
    made = [
        address
        for address, instance in graph.items()
        if any(meet(out, name) for out in instance.outs for name in wanted)
    ]
    reached = behind(graph, made)
    chosen = [instance for address, instance in graph.items() if address in reached]
    stages = list(dict.fromkeys(instance.stage for instance in chosen))
    return stages, [source.study.root / out for instance in chosen for out in instance.outs]


def _counts(source: Source) -> list[str]:
    """How many people or images there are of each kind."""
    name, keys = COUNTED[source.study.protocol]
    made = getattr(source.study.kind.catalogue, name)
    path = source.study.root / made.path
    if not path.is_file():
        return []
    counts = read_table(path, made.table).groupby(keys, dropna=False).size().reset_index()
    rows = counts.astype(object).where(counts.notna(), ABSENT).astype(str)
    return [f"**{made.table.name.capitalize()}.** {made.table.meaning}", "",
            *_table([*keys, "n"], rows.to_numpy().tolist())]  # fmt: skip


def _limits(folders: Iterable[Path]) -> list[str]:
    """What the cards of the networks behind the tables say that these cannot."""
    found = []
    for path in (folder / name for folder in folders for name in CARDS):
        if path.is_file():
            card = json.loads(path.read_text(encoding="utf-8"))
            for each in [card] if "limits" in card else card.values():
                found += each["limits"]
    return list(dict.fromkeys(found))


def _shown(printed: Iterable[Printed]) -> Iterator[str]:
    for table in printed:
        yield from (f"**{table.title}.** {table.caption}", "", *_table(table.heads, table.rows))


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    every = [heads, ["---"] * len(heads), *rows]
    cells = ([" ".join(cell.replace("|", r"\|").split()) for cell in row] for row in every)
    return [*(f"| {' | '.join(row)} |" for row in cells), ""]
