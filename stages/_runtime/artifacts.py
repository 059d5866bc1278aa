"""Files that a stage hands over: the same content gives the same bytes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from eifer.tables.schema import Table


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as Parquet without the writer's versions and settings in it."""
    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(table, path, compression="zstd")


def read_table(path: Path, table: Table, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a Parquet file, or a folder of shards by name, with the dtypes of ``table``.

    Raises
    ------
    FileNotFoundError
        If ``path`` does not exist.
    """
    wanted = [c for c in table.columns if columns is None or c.name in columns]
    names = [c.name for c in wanted]
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    parts = [pq.read_table(file).select(names).to_pandas() for file in files]
    frame = pd.concat(parts, ignore_index=True) if parts else table.empty()[names]
    return frame.astype({c.name: c.dtype for c in wanted})


def write_json(path: Path, content: object) -> None:
    """Write JSON with sorted keys and a final newline."""
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def settle(partial: Path, final: Path) -> None:
    """Put the finished folder ``partial`` in the place of ``final``, whole or not at all.

    Everything is flushed to the disk first, so that a power cut leaves the old
    folder or the new one; between the two renames, the old one for `recover`.
    """
    recover(final)
    former = _former(final)
    shutil.rmtree(former, ignore_errors=True)
    for path in [*partial.rglob("*"), partial]:
        _flush(path)
    if final.exists():
        final.rename(former)
    try:
        partial.rename(final)
    except OSError:
        recover(final)
        raise
    _flush(final.parent)
    shutil.rmtree(former, ignore_errors=True)


def recover(final: Path) -> None:
    """Put back the old folder, where `settle` was cut off before the new one had its place."""
    if not final.exists() and _former(final).exists():
        _former(final).rename(final)
        _flush(final.parent)


def _former(final: Path) -> Path:
    return final.with_name(final.name + ".former")


def _flush(path: Path) -> None:
    """Have a file, or a folder's list of names, on the disk and not only in memory."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def fill(path: str, values: Mapping[str, str]) -> str:
    """``path`` with each ``${name}`` replaced, as DVC does in dvc.yaml."""
    for name, value in values.items():
        path = path.replace("${" + name + "}", value)
    return path
