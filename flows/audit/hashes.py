"""The links that compare bytes: code, params, outputs, and the records of each stage."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from flows.audit.study import PARAMS, Recorded, Verdict
from flows.graph import declared
from flows.run import lockfile
from stages._runtime.provenance import RECORDS


def unlike_recorded(study: Recorded, stage: str, verdict: Verdict) -> None:
    """Compare the recordings with what dvc.lock says that a stage read of them."""
    for dep in study.entries.get(stage, {}).get("deps", []):
        if dep["path"] == study.recordings:
            verdict.checked += dep.get("nfiles", 1)
            seen = {place.split(":")[0] for place in verdict.places}
            verdict.places += [p for p in _other(study, dep) if p.split(":")[0] not in seen]


def code_and_params(study: Recorded) -> Verdict:
    """Code, params, and every other file that no stage makes are those that dvc.lock names."""
    verdict = Verdict("code and params", of="dvc.lock")
    if not lockfile.whole_text(study.root):
        verdict.places.append("dvc.lock: not in the form that DVC writes")
    made = {out["path"] for entry in study.lock.values() for out in entry.get("outs", [])}
    for address, entry in study.lock.items():
        for dep in entry.get("deps", []):
            # Of the recordings the link raw files says so.
            if _inside(dep["path"], made) or dep["path"] == study.recordings:
                continue
            verdict.checked += 1
            verdict.places += [f"{p} (read by {address})" for p in _other(study, dep)]
        for file, values in entry.get("params", {}).items():
            for name, value in values.items():
                verdict.checked += 1
                if (now := study.param(name)) != value:
                    where = _where(value, now, name)
                    verdict.places.append(f"{file}: {where} (dvc.lock: {address})")
    verdict.places += _blocks(study)
    for address in study.lock:
        file, record = study.maker(address) or ("", {})
        for name, value in record.get("params", {}).get("values", {}).items():
            if (now := study.param(name)) != value:
                verdict.places.append(f"{PARAMS}: {_where(value, now, name)} (recorded in {file})")
    verdict.places = list(dict.fromkeys(verdict.places))
    return verdict


def _blocks(study: Recorded) -> Iterator[str]:
    """Where dvc.lock has another graph than dvc.yaml: commands, what is read, which params."""
    blocks = declared(study.root)
    for address, entry in study.lock.items():
        instance = study.graph[address]
        block = blocks[instance.stage]
        pairs = {
            "cmd": (entry["cmd"], block["cmd"]),
            "params": (
                sorted(key for file in entry.get("params", {}).values() for key in file),
                sorted(block.get("params", [])),
            ),
            "deps": (_paths(study, entry.get("deps", [])), sorted(instance.deps)),
            "outs": (_paths(study, entry.get("outs", [])), sorted(instance.outs)),
        }
        for name, (locked, wanted) in pairs.items():
            if locked != wanted:
                yield f"dvc.lock: {name} of {address}: {locked}, in dvc.yaml {wanted}"


def outputs(study: Recorded) -> Verdict:
    """Every output is the one that dvc.lock names, and was read as such by those that follow."""
    verdict = Verdict("outputs", of="dvc.lock")
    made: dict[str, dict[str, Any]] = {}
    for address, entry in study.lock.items():
        for out in entry.get("outs", []):
            made[out["path"]] = out
            verdict.checked += out.get("nfiles", 1)
            verdict.places += [f"{place} (made by {address})" for place in _other(study, out)]
    for address, entry in study.lock.items():
        for dep in entry.get("deps", []):
            if not _inside(dep["path"], made):
                continue
            verdict.checked += 1
            verdict.places += [f"{p} (read by {address})" for p in _other(study, dep)]
    for address in study.graph.keys() - study.lock.keys():
        if address in study.records:
            verdict.places.append(f"dvc.lock: no entry of {address}, which has a record")
        else:
            verdict.unchecked.append(f"{address}: has not run")
    verdict.places = list(dict.fromkeys(verdict.places))
    return verdict


def unlike(study: Recorded, folders: Iterable[Path]) -> list[str]:
    """Where the outputs in ``folders`` are not those that dvc.lock names, if it names them."""
    # Former instances are in dvc.lock too, and may have written to the same folder.
    named: dict[str, list[dict[str, Any]]] = {}
    for entry in study.entries.values():
        for out in entry.get("outs", []):
            named.setdefault(out["path"], []).append(out)
    names = [folder.relative_to(study.root).as_posix() for folder in folders]
    found = [[_other(study, out) for out in named[name]] for name in names if name in named]
    return [place for places in found if all(places) for place in places[-1]]


def records(study: Recorded) -> Verdict:
    """Every file has the hash that the record of its making has, and the record is whole."""
    verdict = Verdict("records", of=f"{RECORDS}: SHA-256 of what was read and made")
    verdict.places += study.torn()
    for address in study.lock:
        if (maker := study.maker(address)) is None:
            verdict.unchecked.append(f"{address}: no record (made elsewhere, or restored by DVC)")
            continue
        file, record = maker
        verdict.checked += len(record["made"]) + len(record["given"])
        verdict.places += [f"{p} ({file})" for p in study.changed(record["made"])]
        given = {n: s for n, s in record["given"].items() if not _elsewhere(study, n)}
        verdict.places += [f"{p} (read by {file})" for p in study.changed(given)]
        outs = [out["path"] for out in study.lock[address].get("outs", [])]
        there = {name for out in outs for name in study.files(out)}
        verdict.places += [f"{n}: in no record ({file})" for n in sorted(there - {*record["made"]})]
        for kind, hashed in record.get("dvc", {}).items():
            for entry in study.lock[address].get(kind, []):
                known = hashed.get(entry["path"], {})
                if known and known["md5"] != entry["md5"]:
                    verdict.places.append(
                        f"dvc.lock: md5 of {entry['path']} in {address} ({file} has another)"
                    )
    return verdict


def _elsewhere(study: Recorded, name: str) -> bool:
    """Whether a file is of recordings that are not on this machine, of which `raw` says so."""
    there = (study.root / study.recordings).exists()
    return not there and Path(name).is_relative_to(study.recordings)


def _other(study: Recorded, entry: dict[str, Any]) -> list[str]:
    """Where what lies at an entry of dvc.lock is not what it says."""
    name = entry["path"]
    if not (study.root / name).exists():
        return [f"{name}: missing"]
    now = study.now(name)
    if now.md5 != entry["md5"]:
        return study.instead(name, entry["md5"]) or [f"dvc.lock: md5 of {name}"]
    known = {"path": name, "hash": "md5", **now.as_dict()}
    return [
        f"dvc.lock: {key} of {name}"
        for key in sorted({*known, *entry} - {"sha256", "isexec"})
        if known.get(key) != entry.get(key)
    ]


def _paths(study: Recorded, entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The paths of dvc.lock as `Instance` has them: relative to the study, however they stand."""
    here = study.root.resolve()
    return sorted(Path(os.path.relpath(here / entry["path"], here)).as_posix() for entry in entries)


def _inside(name: str, made: Any) -> bool:
    """Whether a path is an output, lies in one, or holds some."""
    parts = Path(name)
    return any(parts.is_relative_to(out) or Path(out).is_relative_to(parts) for out in made)


def _where(before: Any, now: Any, name: str) -> str:
    """The innermost parameter that differs, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *now]:
            if before.get(key) != now.get(key):
                return _where(before.get(key), now.get(key), f"{name}.{key}")
    return f"{name} is {now!r}, recorded was {before!r}"
