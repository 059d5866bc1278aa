"""dvc.lock, which DVC writes in place: noticed when it was lost or cut, and brought back.

After each instance a copy is kept in runs. What dvc.lock lost comes back from it; DVC compares
every entry with the files before it believes it, so that an old one does no harm, and what
neither has it restores from its run-cache without executing anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import yaml

from eifer.errors import StudyError, examples

LOCK = "dvc.lock"
COPY = "runs/flow/dvc.lock.last"
IN_USE = ".dvc/tmp/rwlock"
"""Which process reads or writes which file, as DVC notes it."""
BROKEN = "runs/flow/dvc.lock.broken"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def keep(study: Path, address: str) -> None:
    """Copy dvc.lock to runs if it is whole: it has ``address`` and all that the copy has.

    A disk that is full does not undo the instance that has just ended: the older copy stays.
    """
    copy = study / COPY
    read = _read(study / LOCK)
    if read is None:
        return
    text, entries = read
    before = _read(copy)
    if address in entries and (before is None or set(before[1]) <= set(entries)):
        with suppress(OSError):
            _replace(copy, text)


def broken(study: Path) -> bool:
    """Whether there is a dvc.lock that DVC cannot read."""
    return (study / LOCK).exists() and _read(study / LOCK) is None


def lost(study: Path) -> list[str]:
    """What the copy has and dvc.lock has not, in alphabetical order."""
    return _lost(_read(study / LOCK), _read(study / COPY))


def mend(study: Path) -> str | None:
    """Bring back what dvc.lock lost since `keep`, and DVC's other state; what was wrong.

    Waits until no dvc is writing.
    """
    free_files(study)
    with _dvc_lock(study, "lock"):
        lock, now, last = study / LOCK, _read(study / LOCK), _read(study / COPY)
        if now is None and lock.exists():
            aside = study / BROKEN
            aside.parent.mkdir(parents=True, exist_ok=True)
            os.replace(lock, aside)
        gone = _lost(now, last)
        if not gone or last is None:
            return None if now else NO_COPY if (study / "data").is_dir() else None
        if now is None:
            _replace(lock, last[0])
        else:
            _write(lock, now[0], {**_entries(last[0]), **_entries(now[0])})
        return f"dvc.lock had lost {len(gone)} entries ({examples(gone)}): brought back from {COPY}"


NO_COPY = "dvc.lock is missing or broken: DVC restores from its cache what it can"


def free_files(study: Path) -> None:
    """Free the files that a dead dvc holds.

    DVC takes a zombie for living: a dvc whose parent was killed too, where init reaps nothing.
    """
    with _dvc_lock(study, "rwlock.lock"):
        notes = study / IN_USE
        try:
            held = json.loads(notes.read_text() if notes.exists() else "{}")
        except ValueError:
            notes.unlink()  # cut while written
            return
        living = {
            "write": {path: note for path, note in held.get("write", {}).items() if _lives(note)},
            "read": {
                path: kept
                for path, readers in held.get("read", {}).items()
                if (kept := list(filter(_lives, readers)))
            },
        }
        if any(living[how] != held.get(how, {}) for how in living):
            _replace(notes, json.dumps(living))


def _lives(note: dict[str, Any]) -> bool:
    try:
        return bool(psutil.Process(note["pid"]).cmdline())  # none while it dies, or as a zombie
    except psutil.Error:
        return False


def addresses(study: Path) -> set[str]:
    """The instances that dvc.lock knows: those that ran once."""
    read = _read(study / LOCK)
    return set(read[1]) if read else set()


def outs(study: Path, address: str | None = None) -> list[dict[str, Any]]:
    """What dvc.lock says that an instance wrote, or else all of them: path and hash of each."""
    read = _read(study / LOCK)
    entries = read[1] if read else {}
    chosen = [entries.get(address, {})] if address else entries.values()
    return [out for entry in chosen for out in entry.get("outs", [])]


def entries(study: Path) -> dict[str, Any]:
    """The entries of dvc.lock as DVC reads them, by address.

    Raises
    ------
    StudyError
        If there is no dvc.lock, or DVC cannot read it.
    """
    read = _read(study / LOCK)
    if read is None:
        what = "is broken" if (study / LOCK).exists() else "is missing"
        raise StudyError(f"{LOCK} {what}: nothing says what was recorded; bring it back from git")
    return _entries(read[0])


def whole_text(study: Path) -> bool:
    """Whether dvc.lock has the form that DVC writes, so that all of it is content."""
    from dvc.utils.serialize import dumps_yaml, parse_yaml  # type: ignore[import-untyped]

    text = (study / LOCK).read_text()
    content = parse_yaml(text, LOCK)
    return bool(dumps_yaml(content) == text and content.keys() == {"schema", "stages"})


def order(study: Path, wanted: Sequence[str]) -> None:
    """Put the entries of dvc.lock into the order in which ``dvc repro`` writes them."""
    with _dvc_lock(study, "lock"):
        read = _read(study / LOCK)
        if read is None:
            return
        known = [name for name in wanted if name in read[1]]
        # What the graph no longer has stays where it is, as DVC leaves it.
        following, ours = iter(known), set(known)
        ordered = [next(following) if name in ours else name for name in read[1]]
        if ordered != list(read[1]):
            entries = _entries(read[0])
            _write(study / LOCK, read[0], {name: entries[name] for name in ordered})


def forget(study: Path, gone: Callable[[dict[str, Any]], bool]) -> None:
    """Take out of dvc.lock, and of its copy, each entry of which ``gone`` is true."""
    with _dvc_lock(study, "lock"):
        for path in (study / LOCK, study / COPY):
            if read := _read(path):
                kept = {name: e for name, e in _entries(read[0]).items() if not gone(e)}
                if len(kept) < len(read[1]):
                    _write(path, read[0], kept)
        (study / BROKEN).unlink(missing_ok=True)


@contextmanager
def still(study: Path) -> Iterator[None]:
    """Hold DVC's lock of a study in which no dvc runs.

    Raises
    ------
    StudyError
        If one does.
    """
    free_files(study)
    with _dvc_lock(study, "lock"):
        notes = study / IN_USE
        if notes.exists() and any(json.loads(notes.read_text() or "{}").values()):
            raise StudyError(f"dvc is running in {study.resolve()}: wait for it, or end it")
        yield


Read = tuple[str, dict[str, Any]]


def _lost(now: Read | None, last: Read | None) -> list[str]:
    return sorted(set(last[1] if last else {}) - set(now[1] if now else {}))


def _read(path: Path) -> Read | None:
    """The text and entries of a lock file; none where there is no whole one."""
    try:
        text = path.read_text()
        entries = yaml.load(text, LOADER)["stages"]  # a safe loader, written in C
        whole = text.endswith("\n") and all(map(_whole, entries.values()))
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None
    return (text, entries) if whole else None


def _whole(entry: dict[str, Any]) -> bool:
    """Whether DVC can read an entry: cut behind ``deps:`` or ``params.yaml:``, it holds a null."""
    params = entry.get("params", {})
    return "cmd" in entry and None not in entry.values() and None not in params.values()


def _entries(text: str) -> dict[str, Any]:
    """The entries as DVC reads them: its YAML is 1.2, where ``off`` is a word."""
    from dvc.utils.serialize import parse_yaml

    entries: dict[str, Any] = parse_yaml(text, LOCK)["stages"]
    return entries


def _write(lock: Path, text: str, entries: dict[str, Any]) -> None:
    from dvc.utils.serialize import dumps_yaml, parse_yaml

    _replace(lock, dumps_yaml({**parse_yaml(text, LOCK), "stages": entries}))


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(text)
    os.replace(partial, path)


@contextmanager
def _dvc_lock(study: Path, name: str) -> Iterator[None]:
    from dvc.lock import make_lock  # type: ignore[import-untyped]

    folder = study / ".dvc/tmp"
    folder.mkdir(exist_ok=True)
    with make_lock(str(folder / name), tmp_dir=str(folder), wait=True):
        yield
