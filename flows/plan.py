"""Which instances a run is about, and which of them would run, and why: as DVC sees it."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eifer.errors import StudyError
from flows import lockfile
from flows.instances import Instance, instances

SHOWN = 3
"""Reasons of one kind that are named; the others are counted."""


@dataclass(frozen=True)
class Plan:
    """What a run is about."""

    found: Mapping[str, Instance]
    """All instances of the study, in the order of ``dvc repro``."""
    chosen: Collection[str]
    """Addresses of those that are to be up to date afterwards."""
    why: Mapping[str, str]
    """Why each of them that would run would run."""


def make(
    study: Path, *, only: Sequence[str] = (), start: Sequence[str] = (), end: Sequence[str] = ()
) -> Plan:
    """Ask DVC for the graph and for what changed.

    Raises
    ------
    StudyError
        As `choose`, or if DVC cannot tell.
    """
    with asking(study) as status:
        found = instances(study)
        chosen = choose(found, only=only, start=start, end=end)
        why = reasons(status(), lockfile.addresses(study), found, chosen)
    return Plan(found, chosen, why)


def choose(
    found: Mapping[str, Instance],
    *,
    only: Sequence[str] = (),
    start: Sequence[str] = (),
    end: Sequence[str] = (),
) -> set[str]:
    """The addresses a run is about: all, or ``only`` these, or those from ``start`` up to ``end``.

    Each name is a stage (all its instances) or an address.

    Raises
    ------
    StudyError
        If a name is unknown, ``only`` meets the others, or nothing is left.
    """
    if only and (start or end):
        raise StudyError("--only says exactly what to run: leave --from and --to out")
    if only:
        return set(_named(found, only))
    chosen = set(found)
    if end:
        chosen &= _reach({name: found[name].needs for name in found}, _named(found, end))
    if start:
        feeds: dict[str, list[str]] = {name: [] for name in found}
        for name, instance in found.items():
            for upstream in instance.needs:
                feeds[upstream].append(name)
        chosen &= _reach(feeds, _named(found, start))
    if not chosen:
        raise StudyError(f"nothing lies between {', '.join(start)} and {', '.join(end)}")
    return chosen


def reasons(
    status: Mapping[str, Sequence[Any]],
    recorded: Collection[str],
    found: Mapping[str, Instance],
    chosen: Collection[str],
) -> dict[str, str]:
    """Why each of ``chosen`` that would run would run, in the order of ``found``.

    ``status`` is what `asking` yields, ``recorded`` what dvc.lock has. What stands downstream of
    an instance that runs is checked again by DVC when its turn comes: where its input turns out
    the same, it is not executed.
    """
    why: dict[str, str] = {}
    for address, instance in found.items():
        if address not in chosen:
            continue
        upstream = [name for name in instance.needs if name in why]
        if address in status:
            made = {out for name in upstream for out in found[name].outs}
            never = address not in recorded and ":" not in address
            why[address] = "never run" if never else _in_words(status[address], made)
        if upstream and not why.get(address):
            why[address] = f"after {_some(upstream)}"
    return why


@contextmanager
def asking(study: Path) -> Iterator[Callable[[], dict[str, list[Any]]]]:
    """Ask DVC what changed, in a process beside this one; what is yielded waits for the answer."""
    with subprocess.Popen(
        [sys.executable, "-m", "dvc", "--wait-for-lock", "status", "--json"],
        cwd=study,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as asked:

        def answer() -> dict[str, list[Any]]:
            told, errors = asked.communicate()
            if asked.returncode:
                raise StudyError(f"dvc status failed:\n{errors.strip()}")
            changes: dict[str, list[Any]] = json.loads(told)
            return changes

        yield answer


def _named(found: Mapping[str, Instance], names: Sequence[str]) -> list[str]:
    stages = {instance.stage for instance in found.values()}
    known = sorted(stages | set(found))
    wrong = [name for name in names if name not in known]
    if wrong:
        hints = {name: difflib.get_close_matches(name, known, n=1) for name in wrong}
        told = [f"{name}" + (f" (did you mean {hit[0]}?)" if hit else "")
                for name, hit in hints.items()]  # fmt: skip
        raise StudyError(
            f"dvc.yaml has no stage {', '.join(told)}; it has {', '.join(sorted(stages))}"
        )
    return [a for a, instance in found.items() if a in names or instance.stage in names]


def _reach(edges: Mapping[str, Sequence[str]], sources: Sequence[str]) -> set[str]:
    reached: set[str] = set()
    waiting = list(sources)
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting.extend(edges[name])
    return reached


def _in_words(changes: Sequence[Any], made_upstream: Collection[str]) -> str:
    """What DVC says of one instance, less what follows from upstream and is said there."""
    parts: list[str] = []
    for change in changes:
        if isinstance(change, str):
            parts.append(change)
            continue
        for kind, what in change.items():
            words = [
                f"output {path} {verb}" if kind == "changed outs" else f"{verb} {path}"
                for path, verb in _flat(what)
                if not any(path == out or out.startswith(path + "/") for out in made_upstream)
            ]
            if words:
                parts.append(_some(words))
    return "; ".join(reversed(parts))


def _flat(what: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(file or parameter, how it changed)."""
    for path, verb in what.items():
        if isinstance(verb, dict):
            yield from ((f"{name} in {path}", how) for name, how in verb.items())
        else:
            yield path, verb


def _some(words: Sequence[str]) -> str:
    more = len(words) - SHOWN
    return ", ".join(words[:SHOWN]) + (f" and {more} more" if more > 0 else "")
