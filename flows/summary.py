"""What a person wants to know after a run, from the stages' own reports and tables."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from eifer import published
from eifer.errors import StudyError
from eifer.report.exhibits import Printed, printed
from eifer.report.fragments import merged
from eifer.tables.attrition import ATTRITION
from eifer.tables.calibration import CALIBRATION, POWER
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON
from eifer.tables.evaluation import SUMMARY
from eifer.tables.partitions import PARTITIONS
from flows.graph import ROOT, folders
from stages._runtime.artifacts import read_table

PIPE_WIDTH = 140
SOURCES = (
    ("split", PARTITIONS),
    ("evaluate", SUMMARY),
    ("stats", BY_PARTICIPANT),
    ("stats", COMPARISON),
    ("calibrate", CALIBRATION),
    ("calibrate", POWER),
)
"""The tables that are also shown in a terminal are made of these, and of what was left out."""


def show(study: Path) -> None:
    """Print methods, exclusions, partitions and times of the study in the folder ``study``.

    Raises
    ------
    StudyError
        If nothing has run there yet.
    """
    data = study / "data"
    # A pipe has no width of its own, and 80 columns would cut the tables' numbers.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
    instances = folders(study) if data.is_dir() else {}
    told = [
        [json.loads(path.read_text()) for path in _in(mine, "report.json")]
        for mine in instances.values()
    ]
    if not any(told):
        raise StudyError(f"no results in {data.resolve()}; run `make demo` or `dvc repro` first")
    for reports in filter(None, told):
        # What a stage says of each of its instances is said once.
        text = "\n".join(merged(reports))
        console.print(f"\n[bold]{reports[0]['title']}[/bold]\n{text}")
    console.print()
    if times := _times(study / "runs/provenance"):
        console.print(_where_time_went(times))
    for table in tables(study, attrition=_attrition(instances)):
        console.print(rendered(table))
    lists = [path for mine in instances.values() for path in _in(mine, "checks.json")]
    checks = [check for path in lists for check in json.loads(path.read_text())]
    passed = sum(check["success"] for check in checks)
    console.print(f"{passed} of {len(checks)} data checks passed; results are in {data}/")


def tables(
    study: Path, stages: Collection[str] = ("split", "evaluate", "stats"), **more: pd.DataFrame
) -> list[Printed]:
    """The report's short tables of what ``stages`` left in ``study``, and of ``more`` sources."""
    sources = {
        table.name: read_table(path, table)
        for stage, table in SOURCES
        if stage in stages and (path := study / f"data/{stage}/{table.name}.parquet").exists()
    }
    published_tables = {
        "published_scores": published.performance(),
        "published_contrasts": published.contrasts(),
    }
    return list(printed(ROOT / "reports/spec.yml", {**published_tables, **sources, **more}))


def rendered(table: Printed) -> Table:
    """A table of the report for a terminal."""
    shown = Table(*map(escape, table.heads), title=table.title, caption=table.caption)
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown


def _in(folders: list[Path], name: str) -> list[Path]:
    """The files called ``name`` of those stage instances that are finished."""
    return [path for folder in folders if (path := folder / name).exists()]


def _attrition(instances: dict[str, list[Path]]) -> pd.DataFrame:
    parts = [
        read_table(path, ATTRITION).assign(stage=name)
        for name, folders in instances.items()
        for path in _in(folders, "attrition.parquet")
    ]
    return pd.concat(parts) if parts else ATTRITION.empty().assign(stage="")


def _times(records: Path) -> dict[str, dict[str, Any]]:
    """The latest record of every stage instance; names sort by time."""
    latest: dict[str, dict[str, Any]] = {}
    for path in sorted(records.glob("*.json")):
        record = json.loads(path.read_text())
        latest[record["stage"]] = record
    return latest


def _where_time_went(times: dict[str, dict[str, Any]]) -> Table:
    table = Table(
        "stage", "wall s", "CPU s", "peak MB", title="Where the time went (latest run of each)"
    )
    total: defaultdict[str, float] = defaultdict(float)
    for name, record in times.items():
        total["wall"] += record["wall_s"]
        total["cpu"] += record["cpu_s"]
        table.add_row(
            name,
            f"{record['wall_s']:.1f}",
            f"{record['cpu_s']:.1f}",
            f"{record['peak_rss_mb']:.0f}",
        )
    table.add_row("all", f"{total['wall']:.1f}", f"{total['cpu']:.1f}", "")
    return table
