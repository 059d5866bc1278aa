"""From a cell of the report back to the recordings: what it rests on, file by file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.errors import StudyError, did_you_mean
from eifer.report.exhibits import lines
from eifer.report.pseudonyms import Pseudonyms
from flows.audit.links import OF_KIND
from flows.audit.page import declared_tables, named, stored
from flows.audit.route import Known, Route, Source, Step
from flows.audit.study import Recorded, mlflow_database
from flows.run.instances import Instance, behind
from stages._runtime.artifacts import read_table
from stages._runtime.mlflow_place import DATABASE
from stages._runtime.places import MadeTable

SHOWN = 5
"""Rows that are shown of each table; all count."""


@dataclass(frozen=True)
class _Out:
    """Why something was left out, as the report says it, and what it calls people there."""

    reason: str
    names: Pseudonyms


def trail(study: Recorded, address: str) -> Iterator[Step]:
    """The steps from the cell ``table:row:column`` of the report to the recordings, if it has any.

    Raises
    ------
    StudyError
        If the report has no such cell.
    """
    route: Route = OF_KIND[study.protocol].ROUTE
    item, row, head = _cell(study, address)
    name, frame = named(item), stored(study.root, item)
    (text,) = lines(frame.iloc[[row]], {head: item["columns"][head]})[0]
    names, cells = route.names(study), frame.iloc[row].dropna()
    known = {n: {names.found(str(v))} for n, v in cells.items() if n in route.ids}
    shown = pd.DataFrame({"cell": [address], "shows": [" / ".join(text)]})
    page = [_source(study, f"data/report/{n}") for n in ("index.html", f"tables/{name}.csv")]
    yield Step("report", 1, len(frame), shown, page)
    fields = re.findall(r"{(\w+)", item["columns"][head])
    left_out = item["of"] == ["attrition"]
    wanted = frame.iloc[row]
    passed_by, tables_after = route.begin(study, item, wanted, known)
    own = [
        made
        for folder in route.catalogue.FOLDERS
        for made in folder.made
        if isinstance(made, MadeTable) and _names(made, item["of"], left_out, wanted)
    ]
    before = _before(study, [_stage(made) for made in own])
    cell = set(known)
    # Tables without a column that says which cell it is stand side by side: none narrows another.
    beside = [made for made in own if not cell & set(made.table.names)]
    own.sort(key=lambda made: made in beside)
    steps = [("what it is made of", tuple(own)), *tables_after]
    reached: set[MadeTable] = set()
    together: Known = {}
    for title, tables in steps:
        used = [made for made in tables if made not in reached | passed_by]
        used = [made for made in used if _stage(made) in before]
        reached |= set(used)
        for made in used:
            name = f"{title}: {made.table.name}"
            name += f" of {_stage(made)}" * (title == "weights")
            now = dict(known) if made in beside else known
            if made in route.apart and tables != tuple(own):
                now = route.apart[made](known)
            out = _Out(str(wanted["reason"]), names) if left_out else None
            step = _step(study, route, name, made, now, fields, out)
            for key in route.carried if made in beside and step else ():
                together.setdefault(key, set()).update(now.get(key, ()))
            if step is not None:
                yield step
        if tables == tuple(own):
            known |= {key: values for key, values in together.items() if values}
    if route.taken_in in before:
        yield route.raw(study, known)


def _cell(study: Recorded, address: str) -> tuple[Mapping[str, Any], int, str]:
    """The table of reports/spec.yml, the row from 0, and the column of an address."""
    tables = {named(item): item for item in declared_tables(study.root)}
    name, _, rest = address.partition(":")
    number, _, head = rest.partition(":")
    if name not in tables:
        hint = did_you_mean(name, tables) or f"; known: {', '.join(sorted(tables))}"
        raise StudyError(f"{address}: the report has no table {name!r}{hint}")
    item, n = tables[name], len(stored(study.root, tables[name]))
    if not number.isdecimal() or not 1 <= int(number) <= n:
        raise StudyError(f"{address}: {name} has rows 1 to {n}; give one as {name}:1:{head}")
    if head not in item["columns"]:
        hint = did_you_mean(head, item["columns"]) or ""
        known = ", ".join(item["columns"])
        raise StudyError(f"{address}: {name} has no column {head!r}{hint}; it has {known}")
    return item, int(number) - 1, head


def _names(made: MadeTable, of: Sequence[str], left_out: bool, row: pd.Series) -> bool:
    if left_out:
        return made.table.name == "attrition" and _stage(made) == row.get("stage")
    return made.table.name in of


def _stage(made: MadeTable) -> str:
    return made.path.split("/")[1]


def _before(study: Recorded, stages: Sequence[str]) -> set[str]:
    """The stages that made a table's own sources, and all those before them."""
    made = [address for address, instance in study.graph.items() if instance.stage in stages]
    return {study.graph[address].stage for address in behind(study.graph, made)}


def _step(
    study: Recorded,
    route: Route,
    title: str,
    made: MadeTable,
    known: Known,
    fields: Sequence[str],
    left_out: _Out | None,
) -> Step | None:
    """The rows of a table that are of what is ``known``; what they are of is known afterwards."""
    step, parts = Step(title), []
    names = [
        n for n in made.table.names if n in (*route.ids, *route.plain, *route.details.get(made, ()))
    ]
    own = [n for n in made.table.names if n in fields and n not in names]
    for instance in study.graph.values():
        if instance.stage != _stage(made) or not _of(instance, route, known):
            continue
        for path in _files(study, made, instance):
            if not route.part(made, path.stem, known):
                continue
            frame = read_table(path, made.table, names + own)
            step.of += len(frame)
            rows = _narrowed(frame, route, known, left_out)
            if rows.empty:
                continue
            parts.append(rows[names + own])
            step.sources.append(_source(study, path.relative_to(study.root).as_posix(), instance))
            if "weights_sha256" in rows:
                step.sources += _weights(study, path, rows, instance)
    if not parts:
        return None
    every = pd.concat(parts, ignore_index=True)
    step.rows, step.examples = len(every), every.head(SHOWN).dropna(axis="columns", how="all")
    for name in route.carried:
        if name in every and (values := set(every[name].dropna().astype(str)) - {"n/a"}):
            known[name] = values
    return step


def _of(instance: Instance, route: Route, known: Known) -> bool:
    """Whether an instance is of what is known."""
    values = instance.values.items()
    return all(value in known.get(route.keys.get(key, key), {value}) for key, value in values)


def _files(study: Recorded, made: MadeTable, instance: Instance) -> list[Path]:
    path = study.root / instance.outs[0] / made.name
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def _narrowed(
    frame: pd.DataFrame, route: Route, known: Known, left_out: _Out | None
) -> pd.DataFrame:
    keep = pd.Series(True, index=frame.index)
    for name in route.ids:
        if name in frame and name in known:
            keep &= frame[name].astype(str).isin(known[name])
    if (narrower := route.narrow(frame, known)) is not None:
        keep &= narrower
    if left_out is not None and "reason" in frame and "status" not in frame:
        shown = left_out.reason
        said = frame["reason"].astype(str).map(left_out.names.told)
        plain = said.str.replace(r"\d+(?:\.\d+)?", "…", regex=True)
        plain = plain.str.replace(r"\S+_run-…", "a recording", regex=True)
        keep &= (said == shown) | (plain == shown)
    elif left_out is not None and "status" in frame:
        keep &= frame["reason"].astype(str) == left_out.reason.replace(" ", "_")
    return frame[keep]


def _weights(
    study: Recorded, table: Path, rows: pd.DataFrame, instance: Instance
) -> Iterator[Source]:
    """The files of the weights that rows of trainings name, with their runs of MLflow."""
    for row in rows.to_dict("records"):
        path = table.with_name(f"repetition-{row['repetition']}.safetensors")
        source = _source(study, path.relative_to(study.root).as_posix(), instance)
        run = _run(study, row["weights_sha256"])
        yield Source(**{**vars(source), "made_by": f"{source.made_by}, MLflow run {run}"})


def _run(study: Recorded, sha256: str) -> str:
    """The MLflow run that shows weights, as the study's own database has it."""
    if not (study.root / DATABASE).is_file():
        return "not here"
    query = "SELECT run_uuid FROM tags WHERE key = 'weights_sha256' AND value = ?"
    with mlflow_database(study.root) as database:
        row = database.execute(query, [sha256]).fetchone()
    return row[0] if row else "not here"


def _source(study: Recorded, name: str, instance: Instance | None = None) -> Source:
    """A file with its hash, and what the record of its making says."""
    address = instance.address if instance else "report"
    if not (study.root / name).is_file():
        return Source(name, "missing", False, address)
    now = study.hashed(study.root / name).sha256
    if (maker := study.maker(address)) is None:
        return Source(name, now, None, address)
    file, record = maker
    stage = address.partition("@")[0]
    params = ", ".join(record.get("params", {}).get("values", {})) or _seen(study, address)
    return Source(
        name,
        now,
        record["made"].get(name) == now,
        f"{address} ({file})",
        record.get("command", f"python -m stages.{stage}"),
        str(record["git"]["commit"]),
        params,
    )


def _seen(study: Recorded, address: str) -> str:
    """The params that an instance may see, by dvc.lock."""
    files = study.lock.get(address, {}).get("params", {})
    return ", ".join(name for values in files.values() for name in values)
