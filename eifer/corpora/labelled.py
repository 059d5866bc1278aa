"""A labelled face corpus as its reader found it, and what params say about one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from eifer.cohort import place
from eifer.ranges import Text
from eifer.tables.expressions import ATTRIBUTES, IMAGES, UNKNOWN

SEEN = ("width_px", "height_px", "colour", "sha256", "look")
"""Columns of `IMAGES` that only the picture can tell (`eifer.corpora.reading`)."""
COLUMNS = tuple(column for column in IMAGES.columns if column.name not in SEEN)


@dataclass(frozen=True)
class CorpusSpec:
    """Where a corpus lies, and in which form.

    Parameters
    ----------
    form
        One of `eifer.corpora.readers.FORMS`.
    path
        Its file or folder, as the form says; in params, in the study's folder of corpora.
    votes
        FER+'s file ``fer2013new.csv``, for the form fer2013_csv; null for every other.
    """

    form: Text
    path: Text
    votes: Text | None

    def __post_init__(self) -> None:
        """Refuse paths that are not of this machine."""
        for path in (self.path, self.votes):
            if path is not None:
                place.local(path)


class Box(NamedTuple):
    """Where in its picture a face is: left, top, width, height; px, or shares of the picture."""

    x: float
    y: float
    width: float
    height: float
    shares: bool = False


@dataclass(frozen=True)
class Labelled:
    """A corpus whose pictures are read only when they are asked for.

    Parameters
    ----------
    rows
        The columns of `IMAGES` that need no picture (`COLUMNS`), a row per face.
    pictures
        Gives the bytes of each row's image file, in the rows' order. They are of any kind that
        OpenCV decodes; `eifer.corpora.reading` makes PNG of what is neither PNG nor JPEG.
    left_out
        Rows of ``ATTRITION``.
    boxes
        Where each row's face is, which reading cuts out; None for the whole picture.
    """

    rows: pd.DataFrame
    pictures: Callable[[], Iterator[bytes]]
    left_out: pd.DataFrame
    boxes: Sequence[Box | None] | None = None


def described(faces: Sequence[Mapping[str, object]], source: str) -> pd.DataFrame:
    """`COLUMNS` of ``faces``, of each of which is given what is known of it, by column.

    Attributes are from ``source`` where nothing else is said; those that are unknown, from none.
    """
    rows = pd.DataFrame(list(faces), columns=[column.name for column in COLUMNS])
    for name in ATTRIBUTES:
        rows[name] = rows[name].fillna(UNKNOWN)
        origin = rows[f"{name}_source"].fillna(source)
        rows[f"{name}_source"] = origin.mask(rows[name] == UNKNOWN, "none")
    return rows.astype({column.name: column.dtype for column in COLUMNS})
