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

from eifer.comparison import findings, short_participants
from eifer.comparison import short_table as short_contrasts
from eifer.errors import StudyError
from eifer.evaluation import short_table as short_scores
from eifer.report.fragments import merged
from eifer.tables.attrition import ATTRITION
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON
from eifer.tables.evaluation import SUMMARY
from eifer.tables.partitions import PARTITIONS
from flows.graph import folders
from stages._runtime.artifacts import read_table

PIPE_WIDTH = 140


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
    console.print(_attrition(instances))
    if (data / "split/partitions.parquet").exists():
        console.print(_partitions(read_table(data / "split/partitions.parquet", PARTITIONS)))
    if times := _times(study / "runs/provenance"):
        console.print(_where_time_went(times))
    for title, rows in short_tables(data).values():
        console.print(_texts(title, rows))
    lists = [path for mine in instances.values() for path in _in(mine, "checks.json")]
    checks = [check for path in lists for check in json.loads(path.read_text())]
    passed = sum(check["success"] for check in checks)
    console.print(f"{passed} of {len(checks)} data checks passed; results are in {data}/")


def short_tables(
    data: Path, stages: Collection[str] = ("evaluate", "stats")
) -> dict[str, tuple[str, list[dict[str, str]]]]:
    """Title and rows of the short tables that ``stages`` made in ``data``, by a name for each."""
    tables: dict[str, tuple[str, list[dict[str, str]]]] = {}
    if "evaluate" in stages and (data / "evaluate/summary.parquet").exists():
        scores = short_scores(read_table(data / "evaluate/summary.parquet", SUMMARY))
        title = "Table 2 in short: test frames, mean (SD) over repetitions"
        tables["table-2"] = (title, scores)
    if "stats" in stages and (data / "stats/by_participant.parquet").exists():
        primary = read_table(data / "stats/by_participant.parquet", BY_PARTICIPANT)
        said = findings(primary)
        title = (
            f"Primary analysis in short: {said['test_participants']} people as the sample, who "
            f"allow no p below {said['smallest_p']:.3g}"
        )
        tables["primary"] = (title, short_participants(primary))
    if "stats" in stages and (data / "stats/comparison.parquet").exists():
        contrasts = short_contrasts(read_table(data / "stats/comparison.parquet", COMPARISON))
        title = "Table 4 in short: comparison as published (its warnings are in the report)"
        tables["table-4"] = (title, contrasts)
    return tables


def _in(folders: list[Path], name: str) -> list[Path]:
    """The files called ``name`` of those stage instances that are finished."""
    return [path for folder in folders if (path := folder / name).exists()]


def _attrition(instances: dict[str, list[Path]]) -> Table:
    parts = [
        read_table(path, ATTRITION).assign(stage=name)
        for name, mine in instances.items()
        for path in _in(mine, "attrition.parquet")
    ]
    rows = pd.concat(parts) if parts else ATTRITION.empty().assign(stage="")
    # A reason that ends in numbers of its own stands once, for all who share its words.
    short = rows.assign(kind=rows["reason"].str.replace(r"\d+(\.\d+)?", "…", regex=True))
    groups = short.groupby(["stage", "level", "kind"], sort=False)
    counted = groups.agg(n=("n", "sum"), people=("participant_id", "nunique")).reset_index()
    table = Table("stage", "left out", "n", "participants", "why", title="Left out, and why")
    for row in counted.itertuples():
        table.add_row(*map(escape, map(str, (row.stage, row.level, row.n, row.people, row.kind))))
    return table


def _partitions(people: pd.DataFrame) -> Table:
    table = Table("partition", "High", "Low", "frames", "participants", title="Partitions")
    for name in ("train", "validation", "test"):
        mine = people[people["partition"] == name]
        sizes = mine["group"].value_counts()
        names = ", ".join(mine["participant_id"].str.removeprefix("sub-"))
        frames = str(mine["n_frames"].sum())
        table.add_row(name, str(sizes.get("High", 0)), str(sizes.get("Low", 0)), frames, names)
    return table


def _texts(title: str, rows: list[dict[str, str]]) -> Table:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*row.values())
    return table


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
