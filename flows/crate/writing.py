"""Writes a crate into a folder, whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from eifer.errors import StudyError, did_you_mean, examples
from flows.audit.hashes import code_and_params, unlike
from flows.audit.study import PARAMS
from flows.crate import card, croissant
from flows.crate.graph import CONTEXT, METADATA, USAGE, WHERE, Graph, address
from flows.crate.signature import SIGNATURE
from flows.crate.source import ASKED, Source
from stages._runtime.artifacts import write_json
from stages._runtime.provenance import RECORDS

NEEDED = ("stage", "finished", "wall_s", "given", "made", "git", "packages", *USAGE, *WHERE)
"""What the record of an execution must say."""
NO_LICENCE = "No licence is stated: ask those who made the study."


def write(
    study: Path,
    out: Path,
    asked: Collection[str],
    licence: str = "",
    sign: Callable[[Path], None] | None = None,
) -> Source:
    """Write the study in the folder ``study`` as a crate into ``out``; what it was made of.

    ``sign`` is called with the finished folder, before it is put in its place.

    Raises
    ------
    StudyError
        If nothing is on record, files are not what was recorded, or ``out`` is not for it.
    """
    if unknown := [word for word in asked if word not in ASKED]:
        hint = did_you_mean(unknown[0], ASKED)
        raise StudyError(f"--with {unknown[0]} is none of {', '.join(ASKED)}{hint}")
    if not (study / "dvc.lock").exists() or not any((study / RECORDS).glob("*.json")):
        raise StudyError(f"{study.resolve()} has nothing on record; run the study first")
    source, licence = Source(study, asked), licence or NO_LICENCE
    _refuse_changed(source)
    _refuse_place(source, out)
    place = out.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}-", dir=place.parent))
    partial = scratch / place.name  # a signature holds the name
    try:
        for name, (inside, _) in source.copied.items():
            (partial / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(study / name, partial / inside)
        if faces := source.faces():
            content = croissant.described(source.name, source.newest[:10], licence, faces)
            write_json(partial / croissant.CROISSANT, content)
            (partial / card.CARD).write_text(card.written(source, licence), encoding="utf-8")
        entities = Graph(source).crate(licence, SIGNATURE if sign else "")
        write_json(partial / METADATA, {"@context": CONTEXT, "@graph": entities})
        if sign:
            sign(partial)
        if place.exists():
            shutil.rmtree(place)
        partial.rename(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return source


def _refuse_changed(source: Source) -> None:
    """Refuse a study that is not as it was recorded. Of code a crate has the hashes alone."""
    study = source.study
    changed = [*study.torn(), *unlike(study, [study.root / out for out in source.outs])]
    changed += [p for p in code_and_params(study).places if p.startswith((PARAMS, "dvc.lock"))]
    if not changed:
        for file, record in source.executions:
            if lacking := [name for name in NEEDED if name not in record]:
                changed.append(f"{file}: no {', '.join(lacking)}")
    if changed:
        raise StudyError(
            f"not what was recorded: {examples(changed)}. A crate says of each file where it comes "
            "from: bring the files back (`dvc checkout --force`), or run the study again; "
            "`eifer audit` says more"
        )


def _refuse_place(source: Source, out: Path) -> None:
    """Refuse a place in the study, and one with anything but an older crate of it."""
    place, root = out.resolve(), source.study.root.resolve()
    if place.is_relative_to(root) or root.is_relative_to(place):
        raise StudyError(f"{out} contains the study or lies in it; give a folder outside")
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        graph = json.loads((out / METADATA).read_text("utf-8"))["@graph"]
        known = {entity["@id"]: entity.get("identifier") for entity in graph}
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    if known.get("./") != source.identifier:
        raise StudyError(f"{out} is not empty, and no crate of this study; give another place")
    there = [path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()]
    if strange := [name for name in there if address(name) not in known]:
        raise StudyError(f"{out} holds files that no crate put there: {examples(strange)}")
