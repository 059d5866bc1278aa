"""The link to MLflow: its database, read and not opened by MLflow, against what stages left."""

from __future__ import annotations

import os
import sqlite3
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eifer.errors import StudyError, shortened
from flows.audit.study import Recorded, Verdict, mlflow_database
from stages._runtime.mlflow_place import ARTIFACTS, DATABASE, LOCK, all_shown
from stages._runtime.mlflow_store import WEIGHTS, Content, Record
from stages._runtime.records import outputs

DRAWN = "drawn."
"""Of tags that say which code drew a run's figures."""
TEXT = 6000
"""Characters that MLflow keeps of a parameter."""


def tracking(study: Recorded) -> Verdict:
    """Every MLflow run shows what the stages left: numbers, hashes, figures, weights."""
    verdict = Verdict("MLflow", of=f"{DATABASE} and {ARTIFACTS} against data and records")
    if os.environ.get("MLFLOW_TRACKING_URI"):
        verdict.unchecked.append("MLFLOW_TRACKING_URI names a server, and an audit asks none")
        return verdict
    if not (study.root / DATABASE).is_file():
        verdict.unchecked.append(f"{DATABASE}: missing; `eifer sync-tracking` makes it anew")
        return verdict
    try:
        with mlflow_database(study.root) as database:
            if (answer := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
                verdict.places.append(f"{DATABASE}: {shortened(answer)}")
            else:
                _runs(study, database, verdict)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        verdict.places.append(f"{DATABASE}: {error}")
    return verdict


def _runs(study: Recorded, database: sqlite3.Connection, verdict: Verdict) -> None:
    """Compare each record with its run, and name the runs of now that have no record."""
    lock = study.root / LOCK
    shown = lock.is_file() and lock.read_text() == all_shown(study.root)
    runs = {
        row["value"]: row["run_uuid"]
        for row in database.execute("SELECT run_uuid, value FROM tags WHERE key = 'run_key'")
    }
    of_run: dict[str, list[tuple[Record, Content]]] = {}
    name = str(study.params["study"]["name"])
    for output in outputs(study.root):
        if output.address not in study.lock:
            continue
        try:
            for record in output.records(name):
                of_run.setdefault(record.key, []).append((record, record.content()))
        except (StudyError, OSError, ValueError, KeyError) as error:
            verdict.places.append(f"{output.folder.relative_to(study.root)}: {shortened(error)}")
    old = 0
    for key, parts in of_run.items():
        record = parts[0][0]
        if key not in runs:
            where = f"MLflow run {record.name} ({record.tags['dvc_stage']}): missing"
            (verdict.places if shown else verdict.unchecked).append(where)
            continue
        place = f"{DATABASE}: run {record.name} ({record.tags['dvc_stage']})"
        verdict.checked += 1
        tags = _pairs(database, "tags", runs[key])
        drawn = {f"{DRAWN}{record.kind}": record.drawn for record, _ in parts}
        old += (by_other := not drawn.items() <= tags.items())
        found = _run(study, database, runs[key], parts, figures=not by_other)
        verdict.places += [f"{place}, {p}" for p in found]
    if old:
        verdict.unchecked.append(
            f"other code drew the figures of {old} runs; `eifer sync-tracking` draws them anew"
        )
    for key in runs.keys() - of_run.keys():
        tags = _pairs(database, "tags", runs[key])
        if tags.get("superseded") != "yes":
            verdict.places.append(f"{DATABASE}: run {tags.get('mlflow.runName')} is of no output")


def _pairs(database: sqlite3.Connection, table: str, run: str) -> dict[str, Any]:
    rows = database.execute(f"SELECT key, value FROM {table} WHERE run_uuid = ?", [run])
    return {row["key"]: row["value"] for row in rows}


def _run(
    study: Recorded,
    database: sqlite3.Connection,
    run: str,
    parts: list[tuple[Record, Content]],
    *,
    figures: bool,
) -> Iterator[str]:
    """Where a run shows anything else than its records say."""
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    results: dict[str, float] = {}
    for record, content in parts:
        hashes = {f"sha256.{name}": sha for name, _, sha, _ in content.inputs}
        tags |= {**record.tags, **hashes, f"mirrored.{record.kind}": record.digest}
        tags |= {"run_key": record.key, "slot": record.slot, "superseded": "no"}
        params |= {name: value[:TEXT] for name, value in content.params.items()}
        results |= content.results
    shown = _pairs(database, "tags", run)
    shown = {name: value for name, value in shown.items() if not name.startswith(DRAWN)}
    yield from _pairwise("tag", tags | {"mlflow.runName": parts[0][0].name}, shown)
    yield from _pairwise("parameter", params, _pairs(database, "params", run))
    points = {(n, step): v for _, c in parts for n, v, step, _ in c.history}
    points |= {(name, 0): value for name, value in results.items()}
    query = "SELECT key, step, value FROM metrics WHERE run_uuid = ? ORDER BY timestamp"
    rows = database.execute(query, [run])
    metrics = {(row["key"], row["step"]): row["value"] for row in rows}
    yield from _pairwise("metric", _named(points), _named(metrics))
    last: dict[str, float] = {}
    for (name, _), value in sorted(points.items(), key=lambda point: point[0][1]):
        last[name] = value
    yield from _pairwise("latest metric", last, _pairs(database, "latest_metrics", run))
    (row,) = database.execute("SELECT * FROM runs WHERE run_uuid = ?", [run]).fetchall()
    first = parts[0][0]
    times = {"start_time": first.started_ms, "end_time": first.ended_ms}
    known = {name: value for name, value in times.items() if value is not None}
    yield from _pairwise(
        "field", {**known, "name": first.name}, {n: row[n] for n in (*known, "name")}
    )
    for _, content in parts:
        if figures:
            yield from _figures(study, row["artifact_uri"], content)
        yield from _weights(study, database, run, content)


def _named(points: dict[tuple[str, int], float]) -> dict[str, float]:
    return {f"{name} step {step}": value for (name, step), value in points.items()}


def _pairwise(kind: str, wanted: dict[str, Any], shown: dict[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*wanted, *shown]):
        a, b = wanted.get(name), shown.get(name)
        if a != b:
            yield f"{kind} {name}: shows {shortened(b)}; by the outputs {shortened(a)}"


def _figures(study: Recorded, place: str, content: Content) -> Iterator[str]:
    """Where figures of a run are not those that its output gives."""
    import hashlib

    for name, svg in content.figures.items():
        path = _home(study, place) / "figures" / name
        if not path.is_file():
            yield f"figure {name}: missing"
        elif study.hashed(path).sha256 != hashlib.sha256(svg).hexdigest():
            yield f"figure {path.relative_to(study.root)}: other bytes"


def _weights(
    study: Recorded, database: sqlite3.Connection, run: str, content: Content
) -> Iterator[str]:
    """Where weights of a run are not those of its output."""
    if content.model is None:
        return
    query = "SELECT artifact_location FROM logged_models WHERE source_run_id = ?"
    for row in database.execute(query, [run]):
        path = _home(study, row["artifact_location"]) / "data/loader" / WEIGHTS
        if not path.is_file():
            yield f"weights {path.relative_to(study.root)}: missing"
        elif study.hashed(path).sha256 != content.model.sha256:
            yield f"weights {path.relative_to(study.root)}: not those of the run"


def _home(study: Recorded, uri: str) -> Path:
    """Where an artifact of a study lies that may have been copied since (`come_home`)."""
    path = urllib.request.url2pathname(urllib.parse.urlsplit(uri).path)
    _, _, rest = path.rpartition(f"/{ARTIFACTS.as_posix()}/")
    return study.root / ARTIFACTS / rest
