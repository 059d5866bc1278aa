"""Crops come in the order asked for, whichever shards they lie in."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from eifer.errors import InputError
from eifer.tables.selection import CROPS
from stages._runtime import crops
from stages._runtime.artifacts import write_table
from stages._runtime.crops import read_crops
from stages._runtime.stage import Run
from stages.evaluate import evaluate

VIDEOS = ("sub-01_run-1", "sub-02_run-1", "sub-03_run-1")
NAMES = [f"{video}_frame-{frame:06d}" for video in VIDEOS for frame in range(3)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Three videos of two waves, three crops of 2 x 2 each; a crop's bytes are its place."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(crops, "CHUNK", 2)
    for wave, videos in (("1", VIDEOS[2:]), ("2", VIDEOS[:2])):
        folder = Path(f"data/select/wave-{wave}/crops")
        folder.mkdir(parents=True)
        for video in videos:
            rows = [
                {"item_id": name, "video_id": video, "frame": int(name[-6:])}
                | {"height_px": 2, "width_px": 2, "crop": bytes([NAMES.index(name)] * 12)}
                for name in NAMES
                if name.startswith(video)
            ]
            write_table(folder / f"{video}.parquet", CROPS.frame(rows))
    study = SimpleNamespace(waves=("1", "2"), crop=SimpleNamespace(size_px=2))
    params = SimpleNamespace(study=study)
    return Run(evaluate, params, {}, Path("out"), SimpleNamespace())  # type: ignore[arg-type]


def test_crops_are_in_the_order_asked(run: Run) -> None:
    order = [7, 0, 5, 2]
    read = read_crops(run, VIDEOS, [NAMES[place] for place in order])
    assert read.shape == (4, 2, 2, 3) and read.dtype == np.uint8
    assert read[:, 1, 0, 2].tolist() == order


def test_an_item_without_a_crop_is_named(run: Run) -> None:
    Path(f"data/select/wave-1/crops/{VIDEOS[2]}.parquet").unlink()
    with pytest.raises(InputError, match=rf"crops for evaluate.*\n.*crop \(3\): {NAMES[6]}"):
        read_crops(run, VIDEOS, NAMES)


def test_a_crop_of_another_size_is_named_once(run: Run) -> None:
    run.params.study.crop.size_px = 4
    with pytest.raises(InputError, match=rf"1 problem\n.*not 4 x 4 \(1\): {NAMES[1]}"):
        read_crops(run, VIDEOS, NAMES[1:2])
