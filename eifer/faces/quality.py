"""Whether a frame's face may be used, and if not, why.

The detector and the mesh keep their scores when a hand or a cup covers half a
face, so occlusion has a measure of its own: how much of the face no longer looks
as it does in the rest of the video. docs/decisions/0003 has the error rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eifer.ranges import NotNegative, Share
from eifer.vocabulary import RejectionReason

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from eifer.faces.landmarks import Mesh

    Floats = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

# fmt: off
OUTLINE = frozenset((
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
))
INNER_LIPS = frozenset((
    13, 14, 78, 80, 81, 82, 87, 88, 95, 178, 191, 308, 310, 311, 312, 317, 318, 324, 402, 415,
))
# fmt: on
SKIN = np.array([i for i in range(468) if i not in OUTLINE | INNER_LIPS][::3])
"""Every third mesh point whose look is the face's own.

Not the outline, where the background begins, nor the inner lips, where teeth and
mouth come and go with speech. Every third, to keep little of each frame.
"""

VALUES = 4
"""Values a point: red, green, blue, and how much fine detail is around it."""

CELL_PX = 3
"""Side of the square of the upright 128 px face over which a colour is averaged."""

WINDOW_PX = 7
"""Side of the square over which detail is measured: about the width of a lip or a lid."""

DARK = 12.0
"""Added to 0..255 before the logarithm, so that noise in shadows does not look like a change."""

PLAIN = 0.02
"""Contrast (standard deviation over mean) that the camera's noise alone gives skin."""

STEPS = 58.0
"""Steps of a stored value in a natural logarithm: 1.7 % each, so that one byte holds it."""

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True)
class QualitySpec:
    """What a frame's face must be, to be accepted.

    Parameters
    ----------
    min_face_score
        Least detector score (0..1).
    min_presence
        Least probability (0..1) of the mesh model that a face is there.
    max_eye_closed
        Most that both eyes may be closed (0 open .. 1 closed).
    max_covered
        Largest share (0..1) of the face that may look unlike the rest of the video.
    colour_tolerance
        Departure of a colour channel, as a natural logarithm, that is none.
    detail_tolerance
        Departure of the fine detail, as a natural logarithm of contrast, that is none.
    spread_tolerance
        The same in standard deviations of that point over the video; the larger counts,
        so that a lively or moving face has more room where it moves.
    light_tolerance
        Change of light on the whole face, as a natural logarithm, that is forgiven.
    blur_tolerance
        Change of detail on the whole face, as a natural logarithm, that is forgiven:
        focus, motion and compression.
    """

    min_face_score: Share
    min_presence: Share
    max_eye_closed: Share
    max_covered: Share
    colour_tolerance: NotNegative
    detail_tolerance: NotNegative
    spread_tolerance: NotNegative
    light_tolerance: NotNegative
    blur_tolerance: NotNegative


def complexion(mesh: Mesh) -> Bytes:
    """Read how the face looks at the points SKIN: VALUES each, log-scaled, one byte a value."""
    # Half the size is enough, and a quarter of the work.
    side = mesh.patch.shape[0] // 2
    half = cv2.resize(mesh.patch, (side, side), interpolation=cv2.INTER_AREA)
    x, y = np.clip((mesh.in_patch[SKIN] / 2).astype(np.intp), 0, side - 1).T
    colours = np.log1p(cv2.blur(half, (CELL_PX, CELL_PX))[y, x] / DARK)
    grey = cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)
    mean = cv2.boxFilter(grey, cv2.CV_32F, (WINDOW_PX, WINDOW_PX))[y, x]
    square = cv2.sqrBoxFilter(grey, cv2.CV_32F, (WINDOW_PX, WINDOW_PX))[y, x]
    variance = np.maximum(square - mean * mean, 0) / (mean + DARK) ** 2
    detail = 0.5 * np.log1p(variance / PLAIN**2)
    values = np.column_stack([colours, detail]) * STEPS
    return np.rint(np.minimum(values, 255)).astype(np.uint8).ravel()


def covered(complexions: Bytes, reliable: NDArray[np.bool_], spec: QualitySpec) -> Floats:
    """Measure the share of each face that does not look as it does in the rest of the video.

    Each value's usual level is its median over the video, its usual spread the median
    absolute deviation: whatever covers a point for less than half of the time leaves
    both alone, and what is always there (glasses, a beard) is part of the face. A
    change of the whole face, the median over its points, is taken out first, up to
    ``light_tolerance`` and ``blur_tolerance``. A point is covered if any of its values
    departs by more than its tolerance.

    Parameters
    ----------
    complexions
        n x (VALUES p), as `complexion` gives them, a row a frame.
    reliable
        n: the frames whose mesh is to be trusted; only these say what is usual.
    spec
        The tolerances.

    Returns
    -------
    array
        n shares, 0..1; 0 for all where no frame is reliable.
    """
    n, width = complexions.shape
    if not reliable.any():
        return np.zeros(n)
    forgiven = STEPS * np.array([*[spec.light_tolerance] * 3, spec.blur_tolerance])
    tolerance = STEPS * np.array([*[spec.colour_tolerance] * 3, spec.detail_tolerance])
    usual = np.empty(width, np.float32)
    for first in range(0, width, VALUES):
        columns = slice(first, first + VALUES)
        usual[columns] = np.median(complexions[reliable, columns], axis=0)
    whole = np.empty((n, VALUES), np.float32)
    for i in range(n):
        apart = (complexions[i] - usual).reshape(-1, VALUES)
        whole[i] = np.clip(np.median(apart, axis=0), -forgiven, forgiven)
    departed = np.zeros(n)
    for first in range(0, width, VALUES):
        columns = slice(first, first + VALUES)
        distance = np.abs(complexions[:, columns] - usual[columns] - whole)
        spread = MAD_TO_SD * np.median(distance[reliable], axis=0)
        room = np.maximum(tolerance, spec.spread_tolerance * spread)
        departed += (distance > room).any(axis=1)
    return departed / (width // VALUES)


def confident(rows: pd.DataFrame, spec: QualitySpec) -> NDArray[np.bool_]:
    """Tell which rows of FRAMES have a face that detector and mesh are sure of."""
    sure = (rows["face_score"] >= spec.min_face_score) & (
        rows["presence_score"] >= spec.min_presence
    )
    return sure.to_numpy()


def reasons(rows: pd.DataFrame, spec: QualitySpec) -> list[str | None]:
    """Tell why each row of FRAMES is rejected: the first reason that holds, in the enum's order.

    None where none holds and the frame is accepted.
    """
    holds = {
        RejectionReason.NO_FACE: rows["n_faces"] == 0,
        RejectionReason.LOW_CONFIDENCE: ~confident(rows, spec),
        RejectionReason.EYES_CLOSED: rows["eye_closed_score"] > spec.max_eye_closed,
        RejectionReason.OCCLUDED: rows["occlusion_score"] > spec.max_covered,
    }
    names = [None, *(reason.value for reason in holds)]
    flags = [np.asarray(flag, dtype=bool) for flag in holds.values()]
    first = np.select(flags, list(range(1, len(names))), default=0)
    return [names[i] for i in first]
