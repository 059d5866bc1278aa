"""Stored pictures come back by id, in the order asked for, at the size asked for."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.corpora import stored
from eifer.errors import InputError


@pytest.fixture
def shards(tmp_path: Path) -> list[Path]:
    """Five grey pictures of 8 x 6 px in two files, the value of each its number."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, numbers in {"b": (4, 0), "a": (3, 1, 2)}.items():
        files = [cv2.imencode(".png", np.full((6, 8), n, np.uint8))[1].tobytes() for n in numbers]
        frame = pd.DataFrame({"image_id": [f"x/{n}" for n in numbers], "image": files})
        frame.to_parquet(folder / f"{name}.parquet")
    return [folder]


def test_faces_come_in_the_order_asked_for_and_at_its_size(shards: list[Path]) -> None:
    ids = ["x/2", "x/4", "x/0"]
    found = stored.faces(shards, ids, 5)
    assert found.shape == (3, 5, 5, 3)
    assert [int(image.max()) for image in found] == [2, 4, 0] == [int(i.min()) for i in found]


def test_files_come_in_the_order_asked_for(shards: list[Path], tmp_path: Path) -> None:
    ids = ["x/3", "x/0", "x/1", "x/4", "x/2"]
    whole = dict(stored.encoded(shards, ids))
    assert list(stored.in_order(shards, ids, tmp_path)) == [whole[name] for name in ids]


def test_a_picture_that_is_not_there_is_named(shards: list[Path]) -> None:
    with pytest.raises(InputError, match=r"image without a picture \(2\): x/8, x/9"):
        stored.faces(shards, ["x/9", "x/1", "x/8"], 5)
