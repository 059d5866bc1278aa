"""Crops: a function of a video's frame and the eyes found in it, so none need be stored.

The crop is upright and of one scale: the eyes come to lie on the same two places
in every crop, whatever the head's tilt and distance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
from annotated_types import Ge, Le

from eifer.faces import decoding
from eifer.faces.extraction import ExtractSpec, find
from eifer.ranges import Part
from eifer.tables.faces import EYES
from eifer.tables.selection import CROPS
from eifer.vocabulary import item_id

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Points = NDArray[np.float64]


EYE_COLUMNS = [f"{eye}_{axis}_px" for eye in EYES for axis in "xy"]
"""Where FRAMES has the eyes: x and y of the right one, then of the left."""


@dataclass(frozen=True)
class CropSpec:
    """What a crop shows.

    Parameters
    ----------
    size_px
        Its side.
    eye_distance
        Distance of the eyes, as a share of the side: the smaller, the more around the face.
    eye_height
        Distance of the eyes from the upper edge, as a share of the side.
    """

    size_px: Annotated[int, Ge(16), Le(2048)]
    eye_distance: Part
    eye_height: Part


def crops(path: Path, rows: pd.DataFrame, spec: CropSpec) -> Iterator[tuple[int, Image]]:
    """Cut the faces of ``rows`` (of FRAMES, of one video), in the order of their frames.

    The video is decoded again up to the last of them; one frame is in memory at a time.

    Raises
    ------
    RecordingError
        If the video cannot be decoded, or ends before the last of ``rows``.
    ValueError
        If a frame is there twice, or has no face.
    """
    if rows["frame"].duplicated().any() or rows[EYE_COLUMNS].isna().any(axis=None):
        raise ValueError(f"{path}: each row must be another frame, with a face")
    eyes = dict(zip(rows["frame"].tolist(), rows[EYE_COLUMNS].to_numpy(), strict=True))
    for frame, _, rgb in decoding.frames(path, wanted=eyes.keys()):
        yield frame, aligned(rgb, eyes[frame].reshape(2, 2), spec)


def crop_table(path: Path, rows: pd.DataFrame, spec: CropSpec) -> pd.DataFrame:
    """Cut the faces of ``rows`` (of FRAMES, of one video) into the table CROPS; see `crops`."""
    (video,) = rows["video_id"].unique()
    return CROPS.frame(
        [
            {
                "item_id": item_id(video, frame),
                "video_id": video,
                "frame": frame,
                "height_px": crop.shape[0],
                "width_px": crop.shape[1],
                "crop": crop.tobytes(),
            }
            for frame, crop in crops(path, rows, spec)
        ]
    )


def align_image(
    rgb: Image,
    box: tuple[float, float, float, float] | None = None,
    *,
    spec: CropSpec,
    faces: ExtractSpec,
) -> Image | None:
    """Cut the face out of a still image, found and cut exactly as in a video frame.

    Parameters
    ----------
    rgb
        uint8, height x width x 3.
    box
        Which face is meant (x, y, width, height; px); None: the largest.
    spec
        What the crop shows.
    faces
        How a face is found; eyes may be closed and the face covered.

    Returns
    -------
    array or None
        As `aligned`; None where no confident face is found (at the box).
    """
    face = find(np.ascontiguousarray(rgb), faces, box)
    return None if face is None else aligned(rgb, face[1].five()[:2].astype(float), spec)


def aligned(rgb: Image, eyes: Points, spec: CropSpec) -> Image:
    """Move, turn and scale ``rgb`` so that ``eyes`` (right, left; px) come to their places.

    Returns
    -------
    array
        uint8, ``size_px`` x ``size_px`` x 3, RGB, C-contiguous. What lies outside ``rgb``
        repeats its edge.
    """
    along = eyes[1] - eyes[0]
    scale = spec.eye_distance * spec.size_px / float(np.hypot(*along))
    # Warping reads four pixels for each of the crop's: a face much larger than the crop is
    # first warped larger by a whole number and then averaged down, or it would alias.
    times = max(1, int(np.ceil(1 / scale)))
    size = spec.size_px * times
    # A similarity is one complex number a for turn and scale, and one b for the move.
    turn = scale * times * np.hypot(*along) / complex(*along)
    place = complex(size / 2 - 0.5, spec.eye_height * size - 0.5)
    move = place - turn * complex(*eyes.mean(axis=0))
    matrix = np.array([[turn.real, -turn.imag, move.real], [turn.imag, turn.real, move.imag]])
    crop = cv2.warpAffine(
        rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    if times > 1:
        crop = cv2.resize(crop, (spec.size_px, spec.size_px), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(crop, dtype=np.uint8)
