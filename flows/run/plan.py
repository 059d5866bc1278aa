"""Which instances a run is about, and which of them would run, and why: as DVC sees it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Unpack

from eifer.errors import InputError, Problem, StudyError, did_you_mean, examples
from flows.graph import declared
from flows.run import dvc, lockfile
from flows.run.instances import Instance, behind, instances, meet, reach, refuse_elsewhere
from flows.run.request import Choice
from flows.run.supervise import asked, finished
from stages._runtime.params_file import read_params
from stages.catalogue import CODE

AFTER = "after "
PARAMS = "params.yaml"
PARAMETER = re.compile(r"\$\{((?!item\.)[\w.]+)\}")
"""A dependency in dvc.yaml that a parameter names."""


@dataclass(frozen=True)
class Plan:
    """What a run is about."""

    graph: Mapping[str, Instance]
    """All instances of the study, in the order of ``dvc repro``."""
    chosen: Collection[str]
    """Addresses of the instances that are to be up to date afterwards."""
    why: Mapping[str, str]
    """For each chosen instance that would run, the reason."""
    data: Mapping[str, str]
    """What changed in the data of ``dvc add`` that these instances read, by ``.dvc`` file."""
    left_out: Collection[str]
    """Instances upstream of the chosen ones that would run, but were not chosen."""

    def count(self) -> str:
        """How many instances would run for certain, how many perhaps, and which are left out."""
        later = sum(why.startswith(AFTER) for why in self.why.values())
        more = f", {later} more if what they read comes out different" if later else ""
        left = f"; left out, although changed: {examples(list(self.left_out))}"
        return (
            f"{len(self.why) - later} of {len(self.chosen)} instances to run{more}"
            f"{left if self.left_out else ''}"
        )


def make(study: Path, **choice: Unpack[Choice]) -> Plan:
    """Ask DVC for the graph and for what changed.

    Raises
    ------
    StudyError
        As `choose`, or if the params are not valid, DVC cannot tell, or what is to be read is
        missing.
    """
    refuse_elsewhere(study)
    with asked(dvc.command("status", "--json"), cwd=study) as status:
        graph = instances(study)
        chosen = choose(graph, **choice)
        answer = status()
    if answer.returncode:
        raise StudyError(f"dvc status failed:\n{answer.stderr.strip()}")
    changes: dict[str, list[Any]] = json.loads(answer.stdout)
    recorded = lockfile.addresses(study)
    why = reasons(changes, recorded, graph, chosen)
    _refuse_missing(study, graph, why)
    before = behind(graph, chosen) - chosen
    upstream = reasons(changes, recorded, graph, before).items()
    left_out = [name for name, reason in upstream if not reason.startswith(AFTER)]
    return Plan(graph, chosen, why, _data(changes, graph, why), left_out)


def choose(graph: Mapping[str, Instance], **choice: Unpack[Choice]) -> set[str]:
    """The addresses that a run is about: all, or those of `Choice`.

    Each name is a stage (all its instances) or an address. Stage code is always chosen: what it
    leaves says whether the others are up to date with their code.

    Raises
    ------
    StudyError
        If a name is unknown, ``only`` meets the others, or nothing is left.
    """
    only, start, end = choice.get("only"), choice.get("start") or (), choice.get("end") or ()
    if only and (start or end):
        raise StudyError("--only says exactly what to run: leave --from and --to out")
    code = {address for address in graph if graph[address].stage == CODE.stage}
    if only:
        return set(_named(graph, only)) | code
    chosen = set(graph)
    if end:
        chosen &= behind(graph, _named(graph, end))
    if start:
        feeds: dict[str, list[str]] = {name: [] for name in graph}
        for name, instance in graph.items():
            for upstream in instance.needs:
                feeds[upstream].append(name)
        chosen &= reach(feeds, _named(graph, start))
    if not chosen:
        raise StudyError(f"nothing lies between {', '.join(start)} and {', '.join(end)}")
    return chosen | code


def reasons(
    status: Mapping[str, Sequence[Any]],
    recorded: Collection[str],
    graph: Mapping[str, Instance],
    chosen: Collection[str],
) -> dict[str, str]:
    """The reason for each of ``chosen`` that would run, in the order of ``graph``.

    ``status`` is DVC's answer, ``recorded`` what dvc.lock has. An instance downstream of one that
    runs is checked again by DVC when its turn comes: with the same input it is not executed.
    """
    why: dict[str, str] = {}
    for address, instance in graph.items():
        if address not in chosen:
            continue
        upstream = [name for name in instance.needs if name in why]
        if address in status:
            made = {out for name in upstream for out in graph[name].outs}
            unknown = address not in recorded and ":" not in address
            words = _unrecorded if unknown else _in_words
            why[address] = words(status[address], made)
        if upstream and not why.get(address):
            why[address] = AFTER + examples(upstream)
    return why


def _refuse_missing(study: Path, graph: Mapping[str, Instance], running: Iterable[str]) -> None:
    """Refuse what no stage makes and is not there: DVC would name it by a number alone."""
    made = {out for instance in graph.values() for out in instance.outs}
    lost = {
        dep: graph[address]
        for address in running
        for dep in graph[address].deps
        if not (study / dep).exists()
        and not any(meet(dep, out) for out in made)
        and not any((study / f"{place}.dvc").is_file() for place in (dep, *Path(dep).parents))
    }
    problems = [
        Problem(
            "missing, though a stage reads it",
            f"{dep} (by {instance.address}{_told_by(study, instance, dep)})",
            f"bring it there, or correct {PARAMS}",
        )
        for dep, instance in lost.items()
    ]
    if problems:
        raise InputError(f"study {study.resolve()}", problems)


def _told_by(study: Path, instance: Instance, dep: str) -> str:
    """The parameter that names a dependency, if dvc.yaml has it from one."""
    for written in declared(study)[instance.stage].get("deps", []):
        if match := PARAMETER.fullmatch(written):
            value = read_params(study / PARAMS)
            for part in match[1].split("."):
                value = value[part]
            if os.path.relpath(study / str(value), study) == os.path.relpath(study / dep, study):
                return f"; {match[1]} in {PARAMS}"
    return ""


def record_data(study: Path, files: Collection[str]) -> None:
    """Have DVC record the data of ``dvc add`` as it is now, which ``dvc repro`` does by itself.

    Raises
    ------
    StudyError
        If DVC cannot, as where it was deleted.
    """
    done = finished(dvc.command("repro", "--single-item", *files), cwd=study)
    if done.returncode:
        raise StudyError(f"dvc cannot record {examples(list(files))}:\n{done.stderr.strip()}")


def _data(
    changes: Mapping[str, Sequence[Any]], graph: Mapping[str, Instance], running: Collection[str]
) -> dict[str, str]:
    read = {dep for address in running for dep in graph[address].deps}
    data: dict[str, str] = {}
    for file in set(changes) - set(graph):
        outs = _outs(changes[file])
        if any(meet(path, dep) for path in outs for dep in read):
            data[file] = examples([f"{path} {PLAIN.get(how, how)}" for path, how in outs.items()])
    return dict(sorted(data.items()))


def _outs(changes: Sequence[Any]) -> dict[str, str]:
    """How each output changed, by its path."""
    kinds = [change for change in changes if isinstance(change, dict)]
    return {path: how for kind in kinds for path, how in kind.get("changed outs", {}).items()}


def _named(graph: Mapping[str, Instance], names: Sequence[str]) -> list[str]:
    stages = {instance.stage for instance in graph.values()}
    known = sorted(stages | set(graph))
    if wrong := [name for name in names if name not in known]:
        lines = [f"dvc.yaml has no stage {name}{did_you_mean(name, known)}" for name in wrong]
        raise StudyError("\n".join([*lines, f"it has {', '.join(sorted(stages))}"]))
    return [a for a, instance in graph.items() if a in names or instance.stage in names]


def _unrecorded(changes: Sequence[Any], _: object) -> str:
    there = [path for path, how in _outs(changes).items() if how != "deleted"]
    return f"not in dvc.lock, although {examples(there)} is there" if there else "never run"


PLAIN = {
    "modified": "changed",
    "new": "is new",
    "deleted": "is not here",
    "not in cache": "is not here",
    "not_in_cache": "is not here",
}
"""How DVC says that a file or parameter changed: in a fresh clone nobody deleted anything."""


def _in_words(changes: Sequence[Any], made_upstream: Collection[str]) -> str:
    """DVC's reasons for one instance, without those that upstream instances have already."""
    parts: list[str] = []
    for change in changes:
        if isinstance(change, str):
            parts.append(change)
            continue
        for what in change.values():
            words = [
                f"{path} {PLAIN.get(how, how)}"
                for path, how in _flat(what)
                if not any(meet(path, out) for out in made_upstream)
            ]
            if words:
                parts.append(examples(words))
    return "; ".join(reversed(parts))


def _flat(what: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(file or parameter, how it changed)."""
    for path, verb in what.items():
        if isinstance(verb, dict):
            yield from ((f"{name} in {path}", how) for name, how in verb.items())
        else:
            yield path, verb
