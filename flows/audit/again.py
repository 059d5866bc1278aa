"""What an audit computes again: stages on what they read, data checks, and the report."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from eifer.errors import StudyError, shortened
from eifer.tables.schema import Table
from flows.audit.page import compared, unlike_tables
from flows.audit.study import PARAMS, Recorded, Verdict
from flows.graph import declared, stage_of
from stages._runtime import content
from stages._runtime.artifacts import fill, read_table
from stages._runtime.places import Folder, MadeTable

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
                    verdict.places += within(place, before[name], after[name])


def within(place: str, before: Path, after: Path) -> list[str]:
    """Where two files differ that should be the same: the rows, cells or lines."""
    try:
        if before.suffix == ".parquet":
            return list(cells(place, pd.read_parquet(before), pd.read_parquet(after)))
        if before.suffix == ".html":
            return [f"{place}: {where}" for where in compared(before, after)]
        if before.suffix == ".png":
            return [f"{place}: another picture"]
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


def repeated(study: Recorded, link: str, stage: str, of: str) -> Verdict:
    """Whether a ``stage`` run again makes what was recorded."""
    verdict = Verdict(link, of=of)
    differences(study, stage, verdict)
    return verdict


def report(study: Recorded) -> Verdict:
    """The page, figures and tables follow from the recorded tables, to the byte."""
    folder: Folder = study.kind.catalogue.REPORT
    of = "stage report run again on the recorded tables; the page re-read"
    verdict = repeated(study, "report", folder.stage, of)
    if folder.stage in study.lock:
        n, unlike = unlike_tables(study.root)
        verdict.checked += n
        verdict.places += unlike
    for name in ("index.html", "figures", "tables"):
        verdict.places += _copied(study, f"reports/{name}", f"{folder.path}/{name}")
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
            where = within(file, study.root / file, source) if file.endswith(".html") else []
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
        path = fill(given.path, {f"item.{key}": value for key, value in instance.values.items()})
        if "${" not in path:
            others[given.table.name] = read_table(study.root / path, given.table)
    return others
