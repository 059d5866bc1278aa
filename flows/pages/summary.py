"""What a person wants to know after a run, from the stages' own reports and tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eifer.designs import EI as EI_GROUPS
from eifer.errors import StudyError, examples
from eifer.report.exhibits import Printed, printed
from eifer.report.fragments import merged
from eifer.report.methods import uncited
from eifer.tables.attrition import ATTRITION
from flows.audit.hashes import unlike
from flows.audit.study import Recorded
from flows.graph import ROOT, folders
from flows.run.lockfile import LOCK, entries
from stages._runtime import data_docs
from stages._runtime.artifacts import read_table
from stages._runtime.kinds import EI, KINDS, Kind, kind_of
from stages._runtime.params_file import read_params
from stages._runtime.places import MadeTable
from stages._runtime.provenance import RECORDS

PIPE_WIDTH = 140
LONG = "calibrate"
"""The stage of the EI study whose tables are printed by ``make calibrate`` alone."""
SHOWN = {"assignment": EI_GROUPS, "total": EI_GROUPS}


def console() -> Console:
    """Where tables are printed: a pipe has no width, and 80 columns would cut their numbers."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def show(study: Path) -> None:
    """Print methods, exclusions, partitions and times of the study in the folder ``study``.

    Raises
    ------
    StudyError
        If nothing has run there yet; and, after the rest, if outputs are not as recorded.
    """
    data = study / "data"
    out = console()
    places = folders(study) if data.is_dir() else {}
    reports = list(filter(None, (_contents(inside, "report.json") for inside in places.values())))
    if not reports:
        raise StudyError(f"no results in {data.resolve()}; run `make demo` or `dvc repro` first")
    for of_stage in reports:
        # A sentence that all instances of a stage share is printed once.
        part = "results" if any(report["results"] for report in of_stage) else "methods"
        text = uncited("\n".join(merged(of_stage, part)))
        out.print(f"\n[bold]{of_stage[0]['title']}[/bold]\n{text}")
    out.print()
    if times := _times(study / RECORDS):
        out.print(_where_time_went(times))
    for table in tables(study):
        out.print(rendered(table))
    lists = [_contents(inside, "checks.json") for inside in places.values()]
    checks = [check for of_stage in lists for listed in of_stage for check in listed]
    passed = sum(check["success"] for check in checks)
    out.print(f"{passed} of {len(checks)} data checks passed; results are in {data}/")
    if (study / LOCK).exists():
        there = [folder for inside in places.values() for folder in inside if folder.exists()]
        out.print(_pages(study, there), soft_wrap=True)
        if changed := unlike(Recorded(study), there):
            raise StudyError(
                f"what is shown above is not what was recorded: {examples(changed)}. "
                "`eifer audit` says more, `dvc checkout --force` brings back what the cache has"
            )


def _pages(study: Path, there: Collection[Path]) -> str:
    """Where the pages of the checks lie, and which outputs in the folders ``there`` have none."""
    pages = data_docs.read(study)
    records = [study / RECORDS / entry["record"] for entry in pages.values() if entry["record"]]
    made = {
        (name, out["md5"])
        for record in records
        if record.is_file()
        for name, out in json.loads(record.read_text())["dvc"]["outs"].items()
    }
    outs = [out for entry in entries(study).values() for out in entry.get("outs", [])]
    shown = {out["path"] for out in outs if (out["path"], out.get("md5")) in made}
    checked = [path.parent for path in _in([*there], "checks.json") if json.loads(path.read_text())]
    names = [path.relative_to(study).as_posix() for path in checked]
    place = study / data_docs.INDEX if pages else "none"
    said = f"Great Expectations' pages of these checks: {place}"
    if without := [name for name in names if name not in shown]:
        said += (
            f"; without: {examples(without)} (restored by DVC, computed in another clone or before "
            "a withdrawal, or a later execution failed)"
        )
    return said


def tables(
    study: Path, stages: Collection[str] | None = None, where: str = "terminal"
) -> list[Printed]:
    """The report's short tables of what ``stages`` left in ``study``: those for ``where``.

    Without ``stages`` of all, in the EI study's terminal of all but `LONG`.
    """
    params = study / "params.yaml"
    kind = kind_of(read_params(params), str(params))
    read = {folder.stage for folder in kind.catalogue.FOLDERS} if stages is None else {*stages}
    if stages is None and kind is KINDS[EI] and where == "terminal":
        read -= {LONG}
    sources = _sources(kind, study, read, where)
    there = folders(study).items()
    left_out = _attrition({name: of for name, of in there if stages is None or name in stages})
    if len(left_out):
        sources[ATTRITION.name] = left_out
    return list(printed(ROOT / kind.spec, {**kind.sources, **sources}, where))


def _sources(kind: Kind, study: Path, stages: Collection[str], where: str) -> dict[str, Any]:
    """What tables for ``where`` are made of, if it is one file of a finished stage."""
    spec = yaml.safe_load((ROOT / kind.spec).read_text(encoding="utf-8"))
    items = [item for section in spec["sections"] for item in section.get("show", [])]
    wanted = {name for item in items if item.get(where) for name in item["of"]}
    places = {path for inside in folders(study).values() for path in inside}
    found: dict[str, Any] = {}
    for made in (m for f in kind.catalogue.FOLDERS if f.stage in stages for m in f.made):
        table = made.table if isinstance(made, MadeTable) else None
        name = table.name if table else Path(made.name).stem
        own = made.at(**{key: value for key, value in SHOWN.items() if key in made.matrix})
        path = study / own.path
        if name in wanted - {ATTRITION.name} and path.parent in places and path.is_file():
            found[name] = read_table(path, table) if table else json.loads(path.read_text())
    return found


def rendered(table: Printed) -> Table:
    """A table of the report for a terminal."""
    shown = Table(*map(escape, table.heads), title=table.title, caption=table.caption)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown


def _in(folders: list[Path], name: str) -> list[Path]:
    """The files called ``name`` of those stage instances that are finished."""
    return [path for folder in folders if (path := folder / name).exists()]


def _contents(folders: list[Path], name: str) -> list[Any]:
    return [json.loads(path.read_text()) for path in _in(folders, name)]


def _attrition(places: dict[str, list[Path]]) -> pd.DataFrame:
    parts = [
        read_table(path, ATTRITION).assign(stage=name)
        for name, inside in places.items()
        for path in _in(inside, "attrition.parquet")
    ]
    return pd.concat(parts) if parts else ATTRITION.empty().assign(stage="")


def _times(records: Path) -> dict[str, dict[str, Any]]:
    """The latest record of every stage instance; names sort by time."""
    ordered = (json.loads(path.read_text()) for path in sorted(records.glob("*.json")))
    return {record["stage"]: record for record in ordered}


def _where_time_went(times: dict[str, dict[str, Any]]) -> Table:
    title = "Where the time went (latest execution of each instance)"
    table = Table("stage", "wall s", "CPU s", "peak MB", title=title)
    for name, record in times.items():
        seconds = (f"{record[kind]:.1f}" for kind in ("wall_s", "cpu_s"))
        table.add_row(name, *seconds, f"{record['peak_rss_mb']:.0f}")
    total = (
        f"{sum(record[kind] for record in times.values()):.1f}" for kind in ("wall_s", "cpu_s")
    )
    table.add_row("all", *total, "")
    return table
