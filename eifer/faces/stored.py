"""Stored crops, of the items that are asked for, as one array."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eifer.errors import InputError, Problem

CHUNK = 256


def mapped_crops(n: int, size_px: int, folder: Path | None) -> NDArray[np.uint8]:
    """Zeros ``[n, size_px, size_px, 3]`` to be filled, mapped from a file in ``folder``.

    Without a folder, in the system's for temporary files. The file has no name and goes with the
    array. The system keeps in memory what is read often, as far as there is room, and nothing of
    it is the process's own.
    """
    shape = (n, size_px, size_px, 3)
    if not n:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=folder) as file:  # lives on as long as it is mapped
        return np.memmap(file, np.uint8, "w+", shape=shape)


def read_crops(
    folders: Sequence[Path],
    videos: Iterable[str],
    items: Sequence[str],
    side: int,
    scratch: Path | None = None,
) -> NDArray[np.uint8]:
    """The crops of ``items``, in that order, as RGB ``[N, S, S, 3]``.

    A few hundred are read at a time, of the shards of ``videos`` alone, which lie in ``folders``;
    ``side`` is how large they are, in px, ``scratch`` a folder for `mapped_crops`.

    Raises
    ------
    InputError
        If an item has no crop, or one of another size than the study's.
    """
    place = {item: row for row, item in enumerate(items)}
    images = mapped_crops(len(place), side, scratch)
    problems: list[Problem] = []
    shards = [folder / f"{v}.parquet" for v in sorted(set(videos)) for folder in folders]
    for shard in filter(lambda path: path.exists(), shards):
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(CHUNK, columns=["item_id", "crop"]):
                for item, crop in zip(*batch.to_pydict().values(), strict=True):
                    row = place.get(item)
                    if row is None:
                        continue
                    if len(crop) != images[row].size:
                        what = f"crop that is not {side} x {side}"
                        remedy = "study.crop.size_px has changed since: repeat select"
                        problems.append(Problem(what, item, remedy))
                        continue
                    images[row] = np.frombuffer(crop, np.uint8).reshape(side, side, 3)
                    del place[item]
    wrong = {problem.where for problem in problems}
    problems += [
        Problem("item without a crop", item, "repeat select and split together")
        for item in place
        if item not in wrong
    ]
    if problems:
        raise InputError("crops", problems)
    return images
