"""The pictures of a labelled corpus, decoded and looked at, a few hundred at a time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, repeat

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer.corpora.labelled import SEEN, Box, Labelled
from eifer.corpora.looks import Look, look_at
from eifer.errors import InputError, Problem
from eifer.faces.pictures import decoded
from eifer.tables.affect import IMAGE_SIGNATURES
from eifer.tables.attrition import ATTRITION, images_left_out
from eifer.tables.expressions import IMAGES, PICTURES

CHUNK = 256
"""Pictures of a part."""

Task = tuple[bytes, Box | None]
Seen = tuple[bytes, Look] | str
"""A picture as PNG or JPEG, and its look; or why there is none."""
Each = Callable[[Callable[[Task], Seen], Iterable[Task]], Iterable[Seen]]
"""Like ``map``, which it may be; or what shares the work and takes a few pictures at a time."""
LOST = "picture ended the process that decoded it"


@dataclass(frozen=True)
class Read:
    """Some images of a corpus: rows of ``IMAGES``, of ``PICTURES``, and of ``ATTRITION``.

    ``lost`` names those without a picture that can be decoded.
    """

    images: pd.DataFrame
    pictures: pd.DataFrame
    left_out: pd.DataFrame
    lost: list[str]


def read_corpus(labelled: Labelled, each: Each = map) -> Iterator[Read]:
    """Read a corpus in its order, `CHUNK` images at a time.

    Boxes are cut out, rounded outwards and clipped to the picture. What was cut, and what is
    neither PNG nor JPEG, becomes a PNG; every other file stays as it is. What cannot be decoded
    is left out with its reason. Together the parts do not depend on ``each``.

    Raises
    ------
    InputError
        At the end, if fewer than two classes have pictures that can be decoded.
    """
    tasks = zip(
        labelled.pictures(),
        repeat(None) if labelled.boxes is None else labelled.boxes,
        strict=False,
    )
    done = 0
    lost: Counter[str] = Counter()
    classes: set[str] = set()
    seen = iter(each(picture, tasks))
    while chunk := list(islice(seen, CHUNK)):
        rows = labelled.rows.iloc[done : done + len(chunk)]
        done += len(chunk)
        part = _part(rows, chunk)
        classes.update(part.images["label"])
        for reason, n in part.left_out[["reason", "n"]].itertuples(index=False):
            lost[reason] += n
        yield part
    if done != len(labelled.rows):
        raise ValueError(f"the reader gave {done} pictures for {len(labelled.rows)} rows")
    if len(classes) < 2:
        corpus = "".join(labelled.rows["corpus"].unique()[:1])
        reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(lost.items()))
        where = f"{done} images: {reasons or 'none was left out'}"
        remedy = "look at its files; copy them again from their source"
        raise InputError(
            f"corpus {corpus}",
            [Problem("pictures of fewer than two classes can be decoded", where, remedy)],
        )


def added_up(parts: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Attrition of several parts as one table: a reason that recurs has one row."""
    every = pd.concat([ATTRITION.empty(), *parts], ignore_index=True)
    return ATTRITION.conform(every.groupby(list(ATTRITION.key))["n"].sum().reset_index())


def picture(task: Task) -> Seen:
    """The face of an image file as PNG or JPEG with its look, or why there is none."""
    encoded, box = task
    try:
        if box is not None or not encoded.startswith(IMAGE_SIGNATURES):
            image = decoded(encoded)
            encoded = png(image if box is None else _cut(image, box))
        return encoded, look_at(encoded)
    except ValueError as error:
        return f"picture {error}"


def png(image: NDArray[np.uint8]) -> bytes:
    """A picture, RGB ``[H, W, 3]`` or grey ``[H, W]``, as a PNG file."""
    import cv2

    if image.ndim == 3:
        grey = bool((image == image[..., :1]).all())
        image = image[..., 0] if grey else image[..., ::-1]
    done, encoded = cv2.imencode(".png", np.ascontiguousarray(image))
    assert done
    return encoded.tobytes()


def _cut(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    across, down = (width, height) if box.shares else (1, 1)
    left, right = _clipped(box.x * across, (box.x + box.width) * across, width)
    top, bottom = _clipped(box.y * down, (box.y + box.height) * down, height)
    if left >= right or top >= bottom:
        raise ValueError("does not hold the face's box")
    return image[top:bottom, left:right]


def _clipped(start: float, end: float, length: int) -> tuple[int, int]:
    # Shares have six decimals: 31.99997 is the 32nd pixel's end, not the 33rd's start.
    return (
        min(max(math.floor(start + 1e-3), 0), length),
        max(min(math.ceil(end - 1e-3), length), 0),
    )


def _part(rows: pd.DataFrame, seen: list[Seen]) -> Read:
    kept = [k for k, found in enumerate(seen) if not isinstance(found, str)]
    faces = [found for found in seen if not isinstance(found, str)]
    reasons = Counter(found for found in seen if isinstance(found, str))
    images = rows.take(kept)
    for name in SEEN:
        images[name] = [getattr(look, name) for _, look in faces]
    return Read(
        IMAGES.conform(images),
        PICTURES.conform(
            pd.DataFrame(
                {"image_id": images["image_id"], "image": [encoded for encoded, _ in faces]}
            )
        ),
        images_left_out("".join(rows["corpus"].iloc[:1]), reasons),
        rows.loc[[isinstance(found, str) for found in seen], "image_id"].tolist(),
    )
