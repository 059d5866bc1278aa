"""What a study is given from outside, looked at before DVC hashes it."""

from __future__ import annotations

from pathlib import Path

from eifer.cohort.folder import Folder
from eifer.errors import InputError, Problem
from flows.run.instances import Instance, instances


def sound_instances(study: Path) -> dict[str, Instance]:
    """The instances of a study that DVC can look at: it waits for ever at a FIFO, for one.

    Raises
    ------
    InputError
        If a file or folder that no stage makes holds anything that cannot be read, or must
        not be (`Folder.look_through`), or holds the study.
    StudyError
        As `instances`.
    """
    found = instances(study)
    problems = [
        problem
        for name in sorted({dep for instance in found.values() for dep in instance.deps})
        if not any(_within(name, out) for instance in found.values() for out in instance.outs)
        for problem in _faults(study, name)
    ]
    if problems:
        raise InputError(f"study {study.resolve()}", problems)
    return found


def _within(name: str, out: str) -> bool:
    return name == out or name.startswith(f"{out}/")


def _faults(study: Path, name: str) -> list[Problem]:
    path = study / name
    if not path.is_dir():  # of a missing one DVC says so
        folder = Folder(path.parent)
        return [] if not folder.there(path.name) or folder.sound(path.name) else folder.problems
    folder = Folder(path)
    if study.resolve().is_relative_to(folder.real):
        return [Problem("folder that holds the study", name, "give a folder of its own")]
    folder.look_through()
    return [Problem(p.what, f"{name}/{p.where}", p.remedy) for p in folder.problems]
