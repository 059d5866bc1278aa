"""The links that compute again: statistics from predictions, partitions, checks, and the report."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eifer import evaluation
from eifer.errors import StudyError, shortened
from eifer.tables.evaluation import PREDICTIONS
from eifer.tables.schema import Table
from flows.audit.page import compared, unlike_tables
from flows.audit.study import PARAMS, Recorded, Verdict
from flows.graph import declared, stage_of
from stages import catalogue
from stages._runtime import content
from stages._runtime.artifacts import read_table
from stages._runtime.places import MadeTable

TOLERANCE = 1e-9
"""Relative. On another processor sums come in another order: the last digits may then differ."""
DEEP = 12
"""Levels of folders above the scratch folder, for paths with ``..`` in params."""


@contextmanager
def _again(study: Recorded, address: str) -> Iterator[tuple[Path, str]]:
    """Run a stage on what it read, in a folder of its own: the folder, and why it failed.

    It sees nothing but what dvc.lock names, and its code is the study's own.
    """
    instance = study.graph[address]
    with tempfile.TemporaryDirectory(prefix="eifer-audit-") as folder:
        scratch = Path(folder, *["up"] * DEEP, "study")
        for name in (*instance.deps, "eifer", "stages", PARAMS, ".dvcignore"):
            source, link = (study.root / name).resolve(), Path(os.path.normpath(scratch / name))
            if Path(name).is_absolute() or link.exists() or not source.exists():
                continue
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
        hidden = {name: text for name, text in os.environ.items() if name != "DVC_STAGE"}
        module = declared(study.root)[instance.stage]["cmd"].split()[-1]
        words = [f"--{key}={value}" for key, value in instance.values.items()]
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=scratch,
            env={**hidden, "PYTHONPATH": str(scratch), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = done.stderr.strip().splitlines() or ["no message"]
        yield scratch, " ".join(lines[:3]) if done.returncode else ""


def differences(study: Recorded, address: str, verdict: Verdict) -> None:
    """Run a stage again, and say in ``verdict`` where what it makes is not what was recorded."""
    if address not in study.lock:
        verdict.unchecked.append(f"{address}: has not run")
        return
    with _again(study, address) as (scratch, failed):
        if failed:
            verdict.places.append(f"{address} fails on what is recorded: {shortened(failed)}")
            return
        for out in study.graph[address].outs:
            before, after = (
                dict(content.files_in(root / out, study.ignored)) for root in (study.root, scratch)
            )
            for name in sorted(before.keys() | after.keys()):
                verdict.checked += 1
                place = f"{out}/{name}"
                if name not in after:
                    verdict.places.append(f"{place}: not made again")
                elif name not in before:
                    verdict.places.append(f"{place}: missing")
                elif before[name].read_bytes() != after[name].read_bytes():
                    verdict.places += _within(place, before[name], after[name])


def _within(place: str, before: Path, after: Path) -> list[str]:
    """Where two files differ that should be the same: the rows, cells or lines."""
    try:
        if before.suffix == ".parquet":
            return list(cells(place, pd.read_parquet(before), pd.read_parquet(after)))
        if before.suffix == ".html":
            return [f"{place}: {where}" for where in compared(before, after)]
        pairs = zip(
            *(path.read_text(encoding="utf-8").splitlines() for path in (before, after)),
            strict=False,
        )
        for number, (old, new) in enumerate(pairs, start=1):
            if old != new:
                was, is_ = shortened(old.strip()), shortened(new.strip())
                return [f"{place}: line {number}: {was}; computed again {is_}"]
    except Exception as error:  # not a table or text any more: which bytes, other links say
        return [f"{place}: cannot be read ({shortened(error)})"]
    return [f"{place}: other bytes"]


def cells(place: str, before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
    """Where two tables differ that should be the same, with both values."""
    if list(before) != list(after) or len(before) != len(after):
        yield f"{place}: {before.shape} rows and columns; computed again {after.shape}"
        return
    for column in before:
        old, new = before[column], after[column]
        both = pd.api.types.is_float_dtype(old) and pd.api.types.is_float_dtype(new)
        same = (
            np.isclose(old, new, rtol=TOLERANCE, atol=0, equal_nan=True)
            if both
            else (old == new) | (old.isna() & new.isna())
        )
        for row in np.flatnonzero(~np.asarray(same, bool))[:5]:
            yield (
                f"{place}: row {row + 1}, {column}: {shortened(old.iloc[row])}; "
                f"computed again {shortened(new.iloc[row])}"
            )


def scores(study: Recorded) -> Verdict:
    """The metrics of every evaluation are those of its predictions."""
    verdict = Verdict("scores", of="data/evaluate computed again from its predictions")
    for address, instance in study.graph.items():
        if instance.stage != catalogue.EVALUATE.stage or address not in study.lock:
            continue
        (out,) = instance.outs
        folder = study.root / out
        predictions = read_table(folder / "predictions.parquet", PREDICTIONS)
        measured = evaluation.measure(predictions)
        summary = evaluation.summarise(measured)
        for made, frame in ((catalogue.METRICS, measured), (catalogue.SUMMARY, summary)):
            verdict.checked += frame.size
            stored = read_table(folder / made.name, made.table)
            verdict.places += cells(f"{out}/{made.name}", stored, made.table.conform(frame))
        for name, points in _drawn(predictions, measured):
            verdict.checked += 1
            verdict.places += _json(f"{out}/{name}", folder / name, points)
    return verdict


def _drawn(predictions: Any, measured: Any) -> Iterator[tuple[str, Any]]:
    empty = pd.DataFrame(columns=["task", "training_group", "epoch", "validation_macro_f1"])
    for name, points in evaluation.plots(predictions, measured, empty):
        yield f"{catalogue.PLOTS.name}/{name}.json", points


def _json(place: str, path: Path, value: Any) -> Iterator[str]:
    from stages._runtime.artifacts import write_json

    with tempfile.TemporaryDirectory() as folder:
        write_json(fresh := Path(folder, "fresh.json"), value)
        if not path.is_file():
            yield f"{place}: missing"
        elif path.read_bytes() != fresh.read_bytes():
            yield from _within(place, path, fresh)


def statistics(study: Recorded) -> Verdict:
    """What stats says follows from the predictions."""
    verdict = Verdict("statistics", of="stage stats run again on the recorded predictions")
    differences(study, catalogue.STATS.stage, verdict)
    return verdict


def partitions(study: Recorded) -> Verdict:
    """Nobody and no frame or picture is in two partitions, and chance divided them as recorded."""
    verdict = Verdict("partitions", of="stage split run again: people, frames, pictures")
    differences(study, catalogue.SPLIT.stage, verdict)
    verdict.places += _shared(study)
    return verdict


def _shared(study: Recorded) -> Iterator[str]:
    """Participants and frames of the recorded tables that are in two parts of a rotation."""
    folder = study.root / catalogue.SPLIT.path
    if not folder.is_dir():
        return
    columns = ["rotation", "participant_id", "item_id"]
    tested = read_table(folder / "conditions.parquet", catalogue.CONDITIONS.table, columns)
    for path in sorted((folder / "samples").glob("*.parquet")):
        rows = read_table(path, catalogue.SAMPLES.table, [*columns, "partition"])
        for rotation, test in tested.groupby("rotation"):
            own = rows[rows["rotation"] == rotation]
            parts = {str(part): of for part, of in own.groupby("partition")} | {"test": test}
            names = list(parts)
            for a, b in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
                for column in columns[1:]:
                    if both := sorted({*parts[a][column]} & {*parts[b][column]}):
                        yield (
                            f"{path.relative_to(study.root)}: {len(both)} {column} in {a} and "
                            f"{b} of rotation {rotation}: {both[0]}"
                        )


def report(study: Recorded) -> Verdict:
    """The page, figures and tables follow from the recorded tables, to the byte."""
    verdict = Verdict(
        "report", of="stage report run again on the recorded tables; the page re-read"
    )
    differences(study, catalogue.REPORT.stage, verdict)
    if catalogue.REPORT.stage in study.lock:
        n, unlike = unlike_tables(study.root)
        verdict.checked += n
        verdict.places += unlike
    for name in ("index.html", "figures", "tables"):
        verdict.places += _copied(study, f"reports/{name}", f"{catalogue.REPORT.path}/{name}")
    return verdict


def _copied(study: Recorded, name: str, original: str) -> Iterator[str]:
    """Where a copy of the report, as former versions made one, is another than the report."""
    if not (study.root / name).exists():
        return
    for file, now in study.files(name).items():
        source = study.root / (original + file.removeprefix(name))
        if not source.is_file():
            yield f"{file}: a copy of nothing in {original}; remove it"
        elif now != study.hashed(source):
            where = _within(file, study.root / file, source) if file.endswith(".html") else []
            yield from where or [f"{file}: other bytes than {original}"]


def checks(study: Recorded) -> Verdict:
    """Every table keeps the promises that it was checked for when it was made."""
    from stages._runtime.contracts import check

    verdict = Verdict("data checks", of="Great Expectations suites on every stored table")
    left = 0
    for address, instance in study.graph.items():
        if address not in study.lock:
            continue
        (out,) = instance.outs
        made = [m for m in stage_of(instance.stage, study.root).made if isinstance(m, MadeTable)]
        places = {m: study.root / out / m.name for m in made}
        for table in made:
            path = places[table]
            others = _others(study, address, table.table, made, places)
            left += sum(any(n not in others for n in r.needs) for r in table.table.rules)
            for part in sorted(path.glob("*.parquet")) if path.is_dir() else [path]:
                name = part.relative_to(study.root)
                try:
                    done = check(table.table, read_table(part, table.table), others)
                    verdict.checked += len(done)
                except (StudyError, OSError, ValueError, KeyError) as error:
                    verdict.places.append(f"{name}: {shortened(error)}")
    if left:
        verdict.of += f"; {left} rules that need other stages' tables are left to these stages"
    return verdict


def _others(
    study: Recorded,
    address: str,
    table: Table,
    made: list[MadeTable],
    places: Mapping[MadeTable, Path],
) -> dict[str, pd.DataFrame]:
    """The tables of the same instance, or that it read, which the rules of a table look at."""
    needed = {name for rule in table.rules for name in rule.needs}
    others = {m.table.name: read_table(places[m], m.table) for m in made if m.table.name in needed}
    instance = study.graph[address]
    for given in stage_of(instance.stage, study.root).given:
        if given.table is None or given.table.name not in needed - others.keys():
            continue
        path = given.path
        for key, value in instance.values.items():
            path = path.replace("${item." + key + "}", value)
        if "${" not in path:
            others[given.table.name] = read_table(study.root / path, given.table)
    return others
