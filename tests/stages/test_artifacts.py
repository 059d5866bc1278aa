"""Files that stages hand over: same content, same bytes; whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from eifer.tables.schema import Column, Table
from stages._runtime import artifacts

NOTES = Table(
    "notes",
    "Notes for a test.",
    ("name",),
    (
        Column("name", "string", "who"),
        Column("count", "int?", "how many"),
        Column("share", "float32", "how much"),
        Column("blob", "bytes", "what"),
    ),
)
FRAME = NOTES.frame(
    [
        {"name": "b", "count": None, "share": 0.25, "blob": b"\x00\xff"},
        {"name": "a", "count": 3, "share": 0.5, "blob": b""},
    ]
)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    artifacts.write_table(tmp_path / "t.parquet", FRAME)
    pd.testing.assert_frame_equal(artifacts.read_table(tmp_path / "t.parquet", NOTES), FRAME)


def test_the_same_table_gives_the_same_bytes_whatever_its_index(tmp_path: Path) -> None:
    artifacts.write_table(tmp_path / "1.parquet", FRAME)
    artifacts.write_table(tmp_path / "2.parquet", FRAME.set_axis([7, 9]))
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()
    assert pq.read_schema(tmp_path / "1.parquet").metadata is None


def test_shards_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        artifacts.write_table(tmp_path / f"{name}.parquet", FRAME[FRAME["name"] == name])
    assert artifacts.read_table(tmp_path, NOTES)["name"].tolist() == ["a", "b"]


def test_a_folder_without_shards_is_an_empty_table(tmp_path: Path) -> None:
    read = artifacts.read_table(tmp_path, NOTES, ["share", "name"])
    assert read.empty and read["share"].dtype == "float32"


def test_only_the_columns_asked_for_are_read(tmp_path: Path) -> None:
    artifacts.write_table(tmp_path / "t.parquet", FRAME)
    assert list(artifacts.read_table(tmp_path / "t.parquet", NOTES, ["count"])) == ["count"]


def test_json_has_one_form_and_no_nan(tmp_path: Path) -> None:
    artifacts.write_json(tmp_path / "j.json", {"b": 1, "a": "é"})
    assert (tmp_path / "j.json").read_text(encoding="utf-8") == '{\n "a": "é",\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        artifacts.write_json(tmp_path / "nan.json", float("nan"))


def test_a_finished_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    final, partial = tmp_path / "out", tmp_path / "out.partial"
    for folder, name in ((final, "old"), (partial, "new")):
        folder.mkdir()
        (folder / name).write_text(name)
    # Left behind by a power cut between the two renames.
    (tmp_path / "out.former").mkdir()
    artifacts.settle(partial, final)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in final.iterdir()] == ["new"]


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    partial, final = tmp_path / "out.partial", tmp_path / "out"
    for folder, name in ((partial, "new"), (final, "old")):
        folder.mkdir()
        (folder / name).touch()
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self == partial:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="No space"):
        artifacts.settle(partial, final)
    assert [path.name for path in final.iterdir()] == ["old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.partial"]


def test_what_a_power_cut_left_between_two_renames_is_not_lost(tmp_path: Path) -> None:
    final, former, partial = (tmp_path / f"out{end}" for end in ("", ".former", ".partial"))
    former.mkdir()
    (former / "old").write_text("old")
    artifacts.recover(final)
    assert [path.name for path in final.iterdir()] == ["old"] and not former.exists()
    # And where there is both, what has its place is the newer.
    former.mkdir()
    artifacts.recover(final)
    assert former.exists() and (final / "old").exists()
    # A second attempt that fails must not cost what the first had put aside.
    shutil.rmtree(former)
    final.rename(former)
    with pytest.raises(FileNotFoundError):
        artifacts.settle(partial, final)
    assert [path.name for path in final.iterdir()] == ["old"]
