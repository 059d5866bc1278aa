"""From a cell of the report back to the recordings: what it rests on, file by file."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.errors import StudyError, did_you_mean
from eifer.report.exhibits import lines
from eifer.tables.comparison import FINE_TUNED, PRETRAINED
from eifer.tables.selection import CROPS
from flows.audit.hashes import of_recording, recordings
from flows.audit.page import declared_tables, named, stored
from flows.audit.study import Recorded
from flows.run.instances import Instance
from stages import catalogue
from stages._runtime.artifacts import read_table
from stages._runtime.mlflow_place import DATABASE
from stages._runtime.places import MadeTable

IDS = (
    *(
        "models",
        "assignment",
        "rotation",
        "task",
        "condition",
        "contrast",
        "training_group",
        "repetition",
    ),
    *("group", "threshold_kind", "participant_id", "video_id", "item_id", "wave", "partition"),
)
"""Columns that say what a row is of: by them the rows of one table lead to those of another."""
CARRIED = ("item_id", "video_id", "participant_id")
"""Of the rows of one table, what the rows of the next must be of."""
DETAILS = {
    catalogue.FRAMES: ["box_x_px", "box_y_px", "box_w_px", "box_h_px"],
    catalogue.CROPS: ["height_px", "width_px"],
}
"""Columns shown beside those of `IDS` and, of the first tables, the cell's own."""
PLAIN = ("frame", "time_s", "status", "reason", "score", "label", "threshold", "weights_sha256")
SHOWN = 5
"""Rows that are shown of each table; all count."""
ROUTE: tuple[tuple[str, tuple[MadeTable, ...]], ...] = (
    ("statistics", (catalogue.PARTICIPANT_DELTAS, catalogue.DELONG)),
    ("scores", (catalogue.METRICS,)),
    ("predictions", (catalogue.PREDICTIONS, catalogue.PRETRAINED)),
    (
        "weights",
        tuple(
            folder.repetitions
            for folder in (catalogue.FINE_TUNE_TOTAL, catalogue.TRAIN_TOTAL, catalogue.PRETRAIN_EI)
        ),
    ),
    ("partition", (catalogue.CONDITIONS, catalogue.PARTITIONS)),
    ("selected frames", (catalogue.SELECTION, catalogue.CROPS)),
    ("video frames and boxes", (catalogue.FRAMES,)),
    ("videos", (catalogue.VIDEOS,)),
)
"""From results to recordings. A cell's trail begins with the tables that its table is made of."""


@dataclass(frozen=True)
class Source:
    """A file of the trail, and how it came to be."""

    path: str
    sha256: str
    as_recorded: bool | None
    """None where no record names it."""
    made_by: str = ""
    command: str = ""
    commit: str = ""
    params: str = ""


@dataclass
class Step:
    """One link of the trail: the rows of some tables, and the files that they stand in."""

    title: str
    rows: int = 0
    of: int = 0
    examples: pd.DataFrame = field(default_factory=pd.DataFrame)
    sources: list[Source] = field(default_factory=list)


def trail(study: Recorded, address: str) -> Iterator[Step]:
    """The steps from the cell ``table:row:column`` of the report to the recordings.

    Raises
    ------
    StudyError
        If the report has no such cell.
    """
    item, row, head = _cell(study, address)
    name, frame = named(item), stored(study.root, item)
    (text,) = lines(frame.iloc[[row]], {head: item["columns"][head]})[0]
    known = {n: {str(v)} for n, v in frame.iloc[row].items() if n in IDS and pd.notna(v)}
    shown = pd.DataFrame({"cell": [address], "shows": [" / ".join(text)]})
    page = [_source(study, f"data/report/{n}") for n in ("index.html", f"tables/{name}.csv")]
    yield Step("report", 1, len(frame), shown, page)
    fields = re.findall(r"{(\w+)", item["columns"][head])
    left_out = item["of"] == ["attrition"]
    wanted = frame.iloc[row]
    if "contrast" in known:
        known["training_group"] = {group for c in known["contrast"] for group in c.split("-")}
    apart = {catalogue.PREDICTIONS, catalogue.FINE_TUNE_TOTAL.repetitions}
    if wanted.get("models", FINE_TUNED) != PRETRAINED:
        apart = {catalogue.PRETRAINED}
    own = [
        made
        for folder in catalogue.FOLDERS
        for made in folder.made
        if isinstance(made, MadeTable) and _names(made, item["of"], left_out, wanted)
    ]
    before = _before(study, [_stage(made) for made in own])
    cell = set(known)
    # Tables without a column that says which cell it is stand side by side: none narrows another.
    beside = [made for made in own if not cell & set(made.table.names)]
    own.sort(key=lambda made: made in beside)
    route = ROUTE
    if item["of"] == ["repetitions"]:  # what models learnt from, not what they were asked
        route = tuple((w, (catalogue.SAMPLES,) if w == "partition" else t) for w, t in ROUTE)
        if (trained := known.get("training_group", set())) - {"Total"}:
            known["group"] = trained
    steps = [("what it is made of", tuple(own)), *route]
    reached: set[MadeTable] = set()
    together: dict[str, set[str]] = {}
    for title, tables in steps:
        used = [made for made in tables if made not in reached | apart and _stage(made) in before]
        reached |= set(used)
        for made in used:
            name = f"{title}: {made.table.name}"
            name += f" of {_stage(made)}" * (title == "weights")
            now = dict(known) if made in beside else known
            step = _step(study, name, made, now, fields, wanted if left_out else None)
            for key in CARRIED if made in beside and step else ():
                together.setdefault(key, set()).update(now.get(key, ()))
            if step is not None:
                yield step
        if tables == tuple(own):
            known |= {key: values for key, values in together.items() if values}
    yield _raw(study, known)


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
    waiting = [a for a, instance in study.graph.items() if instance.stage in stages]
    seen: set[str] = set()
    while waiting:
        if (address := waiting.pop()) not in seen:
            seen.add(address)
            waiting += study.graph[address].needs
    return {study.graph[address].stage for address in seen}


def _step(
    study: Recorded,
    title: str,
    made: MadeTable,
    known: dict[str, set[str]],
    fields: Sequence[str],
    left_out: pd.Series | None,
) -> Step | None:
    """The rows of a table that are of what is ``known``; what they are of is known afterwards."""
    step, parts = Step(title), []
    names = [n for n in made.table.names if n in (*IDS, *PLAIN, *DETAILS.get(made, ()))]
    own = [n for n in made.table.names if n in fields and n not in names]
    for instance in study.graph.values():
        if instance.stage != _stage(made) or not _of(instance, known):
            continue
        for path in _files(study, made, instance, known):
            frame = read_table(path, made.table, names + own)
            step.of += len(frame)
            rows = _narrowed(frame, known, left_out)
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
    for name in CARRIED:
        if name in every and (values := set(every[name].dropna().astype(str)) - {"n/a"}):
            known[name] = values
    return step


def _of(instance: Instance, known: Mapping[str, set[str]]) -> bool:
    """Whether an instance is of what is known: of the task, group, assignment and rotation."""
    names = {"group": "training_group", "total": "assignment"}
    return all(
        value in known.get(names.get(key, key), {value}) for key, value in instance.values.items()
    )


def _files(
    study: Recorded, made: MadeTable, instance: Instance, known: Mapping[str, set[str]]
) -> Iterator[Path]:
    path = study.root / instance.outs[0] / made.name
    parts = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    for part in parts:
        if made.table is not CROPS or part.stem in known.get("video_id", {part.stem}):
            yield part


def _narrowed(
    frame: pd.DataFrame, known: Mapping[str, set[str]], left_out: pd.Series | None
) -> pd.DataFrame:
    keep = pd.Series(True, index=frame.index)
    for name in IDS:
        if name in frame and name in known:
            keep &= frame[name].astype(str).isin(known[name])
    if "item_id" not in frame and "item_id" in known and {"video_id", "frame"} <= {*frame}:
        items = frame["video_id"] + "_frame-" + frame["frame"].astype(str).str.zfill(6)
        keep &= items.isin(known["item_id"])
    if left_out is not None and "reason" in frame and "status" not in frame:
        shown = str(left_out["reason"])
        said = frame["reason"].astype(str)
        plain = said.str.replace(r"\d+(?:\.\d+)?", "…", regex=True)
        plain = plain.str.replace(r"sub-\S+_run-…", "a recording", regex=True)
        keep &= (said == shown) | (plain == shown)
    elif left_out is not None and "status" in frame:
        keep &= frame["reason"].astype(str) == str(left_out["reason"]).replace(" ", "_")
    return frame[keep]


def _weights(
    study: Recorded, table: Path, rows: pd.DataFrame, instance: Instance
) -> Iterator[Source]:
    """The files of the weights that rows of REPETITIONS name, with their runs of MLflow."""
    for row in rows.to_dict("records"):
        path = table.with_name(f"repetition-{row['repetition']}.safetensors")
        source = _source(study, path.relative_to(study.root).as_posix(), instance)
        run = _run(study, row["weights_sha256"])
        yield Source(**{**vars(source), "made_by": f"{source.made_by}, MLflow run {run}"})


def _run(study: Recorded, sha256: str) -> str:
    """The MLflow run that shows weights, as the study's own database has it."""
    path = study.root / DATABASE
    if not path.is_file():
        return "not here"
    query = "SELECT run_uuid FROM tags WHERE key = 'weights_sha256' AND value = ?"
    uri = f"{path.resolve().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as database:
        row = database.execute(query, [sha256]).fetchone()
    return row[0] if row else "not here"


def _source(study: Recorded, name: str, instance: Instance | None = None) -> Source:
    """A file with its hash, and what the record of its making says."""
    address = instance.address if instance else catalogue.REPORT.stage
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


def _raw(study: Recorded, known: Mapping[str, set[str]]) -> Step:
    """The recordings of the videos that are known, with the hashes that intake took."""
    cohort = str(study.params["study"]["cohort"])
    every = recordings(study.root)
    videos = known.get("video_id")
    step = Step("raw files", of=len(every))
    for name, sha256 in every.items():
        words = Path(name).name.split("_")
        video = "_".join(word for word in words if word.startswith(("sub-", "run-")))
        if videos is not None and video not in videos:
            continue
        if words[0] not in known.get("participant_id", {words[0]}):
            continue
        path = study.root / cohort / name
        now = of_recording(study, path)
        same = None if now is None else now == sha256
        now = now or "not on this machine"
        step.sources.append(
            Source(f"{cohort}/{name}", now, same, "the cohort, by the hash that intake took")
        )
    step.rows = len(step.sources)
    return step
