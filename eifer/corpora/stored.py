"""The pictures of a study's corpora, as a stage stored them: read by id, a few at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from eifer.errors import InputError, Problem
from eifer.faces.pictures import at_size, decoded
from eifer.faces.stored import CHUNK, mapped_crops

SHARD = 4096
"""Pictures of a file."""


def encoded(shards: Sequence[Path], ids: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The image files of ``ids``, with their ids, in the order in which they lie in ``shards``.

    Parameters
    ----------
    shards
        Parquet files of the table PICTURES, or folders of them.

    Raises
    ------
    InputError
        At the end, if an image has no picture there.
    """
    wanted = set(ids)
    files = [f for path in shards for f in (sorted(path.iterdir()) if path.is_dir() else [path])]
    for path in files:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(CHUNK, columns=["image_id", "image"]):
                for name, image in zip(*batch.to_pydict().values(), strict=True):
                    if name in wanted:
                        wanted.discard(name)
                        yield name, image
    if wanted:
        remedy = "repeat the stage corpora"
        lost = [Problem("image without a picture", name, remedy) for name in sorted(wanted)]
        raise InputError("pictures", lost)


def in_order(shards: Sequence[Path], ids: Sequence[str], scratch: Path) -> Iterator[bytes]:
    """The image files of ``ids``, in that order; what lies in another is kept in a file meanwhile.

    ``scratch`` is a folder for that file.

    Raises
    ------
    InputError
        As `encoded`.
    """
    with tempfile.TemporaryFile(dir=scratch) as spool:
        places: dict[str, tuple[int, int]] = {}
        for name, image in encoded(shards, ids):
            places[name] = spool.tell(), len(image)
            spool.write(image)
        for name in ids:
            start, length = places[name]
            spool.seek(start)
            yield spool.read(length)


def faces(
    shards: Sequence[Path], ids: Sequence[str], side_px: int, scratch: Path | None = None
) -> NDArray[np.uint8]:
    """The pictures of ``ids``, in that order, as RGB ``[N, S, S, 3]``.

    Each is brought to a square of ``side_px`` as it is, without keeping its proportions: corpora
    give faces as squares. ``scratch`` is a folder for `eifer.faces.stored.mapped_crops`.

    Raises
    ------
    InputError
        As `encoded`.
    """
    row = {name: k for k, name in enumerate(ids)}
    images = mapped_crops(len(row), side_px, scratch)
    for name, file in encoded(shards, ids):
        images[row[name]] = at_size(decoded(file), side_px)
    return images
