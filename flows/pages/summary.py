"""What a person wants to know after a run, from the stages' own reports and tables."""

from __future__ import annotations

import json
import sys
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


def console() -> Console:
    """Where tables are printed: a pipe has no width, and 80 columns would cut their numbers."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def show(study: Path) -> None:
    """Print methods, exclusions, partitions and times of the study in the folder ``study``.

    Raises
    ------
    StudyError
        If nothing has run there yet.
    """
    data = study / "data"
    out = console()
    places = folders(study) if data.is_dir() else {}
    reports = list(filter(None, (_contents(inside, "report.json") for inside in places.values())))
    if not reports:
        raise StudyError(f"no results in {data.resolve()}; run `make demo` or `dvc repro` first")
    for of_stage in reports:
        # A sentence that all instances of a stage share is printed once.
        text = "\n".join(merged(of_stage))
        out.print(f"\n[bold]{of_stage[0]['title']}[/bold]\n{text}")
    out.print()
    out.print(_attrition(places))
    if (data / "split/partitions.parquet").exists():
        out.print(_partitions(read_table(data / "split/partitions.parquet", PARTITIONS)))
    if times := _times(study / "runs/provenance"):
        out.print(_where_time_went(times))
    for title, rows in short_tables(data).values():
        out.print(_texts(title, rows))
    lists = [_contents(inside, "checks.json") for inside in places.values()]
    checks = [check for of_stage in lists for listed in of_stage for check in listed]
    passed = sum(check["success"] for check in checks)
    out.print(f"{passed} of {len(checks)} data checks passed; results are in {data}/")


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
        values = findings(primary)
        title = (
            f"Primary analysis in short: {values['test_participants']} people as the sample, who "
            f"allow no p below {values['smallest_p']:.3g}"
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


def _contents(folders: list[Path], name: str) -> list[Any]:
    return [json.loads(path.read_text()) for path in _in(folders, name)]


def _attrition(places: dict[str, list[Path]]) -> Table:
    parts = [
        read_table(path, ATTRITION).assign(stage=name)
        for name, inside in places.items()
        for path in _in(inside, "attrition.parquet")
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
        members = people[people["partition"] == name]
        sizes = members["group"].value_counts()
        names = ", ".join(members["participant_id"].str.removeprefix("sub-"))
        frames = str(members["n_frames"].sum())
        table.add_row(name, str(sizes.get("High", 0)), str(sizes.get("Low", 0)), frames, names)
    return table


def _texts(title: str, rows: list[dict[str, str]]) -> Table:
    table = Table(*rows[0], title=title)
    for row in rows:
        table.add_row(*row.values())
    return table


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
