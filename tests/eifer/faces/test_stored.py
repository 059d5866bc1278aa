"""Crops come in the order asked for, whichever shards they lie in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eifer.errors import InputError
from eifer.faces import stored
from eifer.faces.stored import read_crops
from eifer.tables.selection import CROPS
from stages._runtime.artifacts import write_table

VIDEOS = ("sub-01_run-1", "sub-02_run-1", "sub-03_run-1")
NAMES = [f"{video}_frame-{frame:06d}" for video in VIDEOS for frame in range(3)]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three videos of two waves, three crops of 2 x 2 each; a crop's bytes are its place."""
    monkeypatch.setattr(stored, "CHUNK", 2)
    folders = [tmp_path / "wave-1", tmp_path / "wave-2"]
    for folder, videos in zip(folders, (VIDEOS[2:], VIDEOS[:2]), strict=True):
        folder.mkdir()
        for video in videos:
            rows = [
                {"item_id": name, "video_id": video, "frame": int(name[-6:])}
                | {"height_px": 2, "width_px": 2, "crop": bytes([NAMES.index(name)] * 12)}
                for name in NAMES
                if name.startswith(video)
            ]
            write_table(folder / f"{video}.parquet", CROPS.frame(rows))
    return folders


def test_crops_are_in_the_order_asked(folders: list[Path]) -> None:
    order = [7, 0, 5, 2]
    read = read_crops(folders, VIDEOS, [NAMES[place] for place in order], 2)
    assert read.shape == (4, 2, 2, 3) and read.dtype == np.uint8
    assert read[:, 1, 0, 2].tolist() == order


def test_an_item_without_a_crop_is_named(folders: list[Path]) -> None:
    (folders[0] / f"{VIDEOS[2]}.parquet").unlink()
    with pytest.raises(InputError, match=rf"crops:.*\n.*crop \(3\): {NAMES[6]}"):
        read_crops(folders, VIDEOS, NAMES, 2)


def test_a_crop_of_another_size_is_named_once(folders: list[Path]) -> None:
    with pytest.raises(InputError, match=rf"1 problem\n.*not 4 x 4 \(1\): {NAMES[1]}"):
        read_crops(folders, VIDEOS, NAMES[1:2], 4)
