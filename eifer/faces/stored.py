"""Stored crops, of the items that are asked for, as one array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eifer.errors import InputError, Problem

CHUNK = 256


def read_crops(
    folders: Sequence[Path], videos: Iterable[str], items: Sequence[str], side: int
) -> NDArray[np.uint8]:
    """The crops of ``items``, in that order, as RGB ``[N, S, S, 3]``.

    A few hundred are read at a time, of the shards of ``videos`` alone, which lie in ``folders``;
    ``side`` is how large they are, in px.

    Raises
    ------
    InputError
        If an item has no crop, or one of another size than the study's.
    """
    place = {item: row for row, item in enumerate(items)}
    images = np.empty((len(place), side, side, 3), np.uint8)
    problems: list[Problem] = []
    shards = [folder / f"{v}.parquet" for v in sorted(set(videos)) for folder in folders]
    for shard in filter(lambda path: path.exists(), shards):
        with pq.ParquetFile(shard) as file:
            for batch in file.iter_batches(CHUNK, columns=["item_id", "crop"]):
                for item, crop in zip(*map(_values, batch.columns), strict=True):
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


def _values(column: Any) -> list[Any]:
    values: list[Any] = column.to_pylist()
    return values
