"""Whether a frame's face may be used, and if not, why.

The detector and the mesh keep their scores when a hand or a cup covers half a
face, so occlusion has a measure of its own: how much of the face does not look
as it does in the rest of the video with that expression and turn of the head.
docs/decisions/0003 has the error rates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eifer.ranges import NotNegative, Share
from eifer.tables.faces import CHANGE
from eifer.vocabulary import RejectionReason

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from eifer.faces.landmarks import Mesh

    Floats = NDArray[np.float64]
    Bytes = NDArray[np.uint8]

# fmt: off
SPOTS = np.array((
    (0, 0), (1, 1), (5, 5), (9, 9), (10, 151), (16, 315), (23, 231), (29, 29), (31, 35),
    (32, 194), (34, 139), (36, 129), (46, 124), (50, 123), (53, 224), (55, 107), (56, 158),
    (59, 166), (61, 185), (63, 70), (63, 105), (65, 66), (66, 69), (67, 69), (68, 68), (68, 103),
    (69, 104), (69, 108), (71, 71), (73, 73), (83, 84), (86, 86), (91, 181), (92, 165), (97, 167),
    (100, 142), (101, 119), (101, 205), (107, 108), (108, 109), (108, 151), (110, 229),
    (116, 117), (116, 227), (117, 118), (128, 233), (130, 247), (135, 169), (135, 214),
    (137, 147), (138, 138), (140, 171), (143, 143), (147, 187), (151, 337), (168, 168),
    (170, 170), (175, 175), (187, 205), (192, 207), (192, 214), (193, 221), (197, 197),
    (198, 217), (199, 200), (201, 201), (202, 210), (204, 204), (205, 206), (212, 212),
    (213, 213), (216, 216), (253, 451), (259, 259), (261, 265), (262, 262), (264, 368),
    (266, 358), (269, 269), (273, 432), (276, 353), (280, 352), (283, 444), (285, 336),
    (286, 385), (293, 300), (293, 334), (295, 296), (296, 299), (297, 299), (298, 298),
    (298, 332), (299, 333), (299, 337), (301, 301), (306, 307), (313, 421), (322, 426),
    (327, 393), (327, 423), (329, 371), (330, 348), (330, 425), (336, 337), (337, 338),
    (339, 449), (345, 346), (345, 447), (346, 347), (357, 453), (359, 467), (364, 394),
    (364, 434), (366, 376), (367, 367), (369, 396), (372, 372), (376, 411), (395, 395),
    (403, 403), (405, 406), (410, 410), (411, 425), (416, 427), (416, 434), (417, 441),
    (418, 424), (420, 437), (422, 430), (425, 426), (427, 436), (433, 433), (434, 436),
    (438, 438),
))
# fmt: on
"""Where the look of a face is read: midway between two points of the mesh, or at one.

Spread evenly over MediaPipe's canonical face as seen from the front, .9 cm apart, so that a
share of them is a share of the face: the mesh's own points crowd around eyes and mouth. None lie
within .55 cm of the outline, where the background begins, nor between the lips.
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

UNITS = np.array((0.3, 0.3, 0.3, 0.3, 10.0, 10.0))
"""A clear change of each circumstance: four scores of expression, yaw and pitch in degrees."""

CLOSE = 2.0
"""Steps from the usual look up to which a frame counts in full: about the camera's noise."""

PASSES = 6
"""Reweightings of the usual look: more change no share by as much as .01."""

BLOCK = 64
"""Values whose usual look is found at once, to keep little in memory."""

CELLS = 16
"""Rows and columns of cells in which two pictures of a face are compared."""

MAD_TO_SD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True)
class QualitySpec:
    """What a frame's face must be, to be accepted.

    Parameters
    ----------
    max_repeat_levels
        Most that a face's picture may differ (grey levels) from an earlier one to repeat it.
    min_face_score
        Least detector score (0..1).
    min_presence
        Least probability (0..1) of the mesh model that a face is there.
    max_eye_closed
        Most that both eyes may be closed (0 open .. 1 closed).
    max_covered
        Largest share (0..1) of the face that may look unlike the rest of the video.
    prior_frames
        Weight, in frames, of the assumption that expression and turn do not change the look:
        about so many frames must show them before the video says how they do.
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

    max_repeat_levels: NotNegative
    min_face_score: Share
    min_presence: Share
    max_eye_closed: Share
    max_covered: Share
    prior_frames: NotNegative
    colour_tolerance: NotNegative
    detail_tolerance: NotNegative
    spread_tolerance: NotNegative
    light_tolerance: NotNegative
    blur_tolerance: NotNegative


def change(rgb: Bytes, before: Bytes | None, box: tuple[float, float, float, float]) -> float:
    """Measure how far the face in ``box`` (x, y, width, height; px) is from the picture before.

    The root mean square, over the CELLS x CELLS cells of the box, of the mean absolute
    difference in a cell: noise counts as much as motion, a small motion more than the same
    difference spread over the face. The green channel, which is most of the brightness.

    Returns
    -------
    float
        Grey levels; 255 where there is no picture before, or no face inside this one.
    """
    x, y, w, h = box
    left, top = max(0, int(x)), max(0, int(y))
    right, bottom = min(rgb.shape[1], int(x + w) + 1), min(rgb.shape[0], int(y + h) + 1)
    side = min(right - left, bottom - top)
    if before is None or before.shape != rgb.shape or side < CELLS:
        return 255.0
    # Every so many pixels of a large face: averaging would take the camera's noise away.
    step = max(1, side // (8 * CELLS))
    now, then = (
        np.ascontiguousarray(picture[top:bottom:step, left:right:step, 1])
        for picture in (rgb, before)
    )
    cells = cv2.resize(
        cv2.absdiff(now, then).astype(np.float32), (CELLS, CELLS), interpolation=cv2.INTER_AREA
    )
    return float(np.sqrt(np.mean(cells * cells)))


def complexion(mesh: Mesh) -> Bytes:
    """Read how the face looks at SPOTS: VALUES each, log-scaled, one byte a value."""
    # Half the size is enough, and a quarter of the work.
    side = mesh.patch.shape[0] // 2
    half = cv2.resize(mesh.patch, (side, side), interpolation=cv2.INTER_AREA)
    spots = mesh.in_patch[SPOTS].sum(axis=1) / 4
    x, y = np.clip(spots.astype(np.intp), 0, side - 1).T
    colours = np.log1p(cv2.blur(half, (CELL_PX, CELL_PX))[y, x] / DARK)
    grey = cv2.cvtColor(half, cv2.COLOR_RGB2GRAY)
    mean = cv2.boxFilter(grey, cv2.CV_32F, (WINDOW_PX, WINDOW_PX))[y, x]
    square = cv2.sqrBoxFilter(grey, cv2.CV_32F, (WINDOW_PX, WINDOW_PX))[y, x]
    variance = np.maximum(square - mean * mean, 0) / (mean + DARK) ** 2
    detail = 0.5 * np.log1p(variance / PLAIN**2)
    values = np.column_stack([colours, detail]) * STEPS
    return np.rint(np.minimum(values, 255)).astype(np.uint8).ravel()


def circumstances(mesh: Mesh, pose: tuple[float, float, float]) -> list[float]:
    """Collect what changes the look of a face that nothing covers, in the order of UNITS."""
    yaw, pitch, _ = pose
    return [*mesh.expression, yaw, pitch]


def covered(
    complexions: Bytes, circumstances: Floats, reliable: NDArray[np.bool_], spec: QualitySpec
) -> Floats:
    """Measure the share of each face that does not look as it does in the rest of the video.

    What is usual for a value is its median over the video, and how it goes with
    expression and turn of the head (`_usual`): a laugh looks like other laughs. Its usual
    spread is the median absolute deviation. Whatever covers a point for less than half of
    the time leaves both alone, and what is always there (glasses, a beard) is part of
    the face. A change of the whole face, the median over its points, is taken out first,
    up to ``light_tolerance`` and ``blur_tolerance``. A point is covered if any of its
    values departs by more than its tolerance.

    Parameters
    ----------
    complexions
        n x (VALUES p), as `complexion` gives them, a row a frame.
    circumstances
        n x 6, as `circumstances` gives them; anything where there is no face.
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
    away = circumstances / UNITS - np.median(circumstances[reliable] / UNITS, axis=0)
    away = np.nan_to_num(away)
    # Squares of the turn: shade does not fall as evenly as a head turns.
    given = np.column_stack([np.ones(n), away, away[:, -2:] ** 2]).astype(np.float32)
    usual = _usual(complexions, given, reliable, spec.prior_frames)
    whole = np.empty((n, VALUES), np.float32)
    for i in range(n):
        apart = (complexions[i] - given[i] @ usual).reshape(-1, VALUES)
        whole[i] = np.clip(np.median(apart, axis=0), -forgiven, forgiven)
    departed = np.zeros(n)
    for first in range(0, width, VALUES):
        columns = slice(first, first + VALUES)
        distance = np.abs(complexions[:, columns] - given @ usual[:, columns] - whole)
        spread = MAD_TO_SD * np.median(distance[reliable], axis=0)
        room = np.maximum(tolerance, spec.spread_tolerance * spread)
        departed += (distance > room).any(axis=1)
    return departed / (width // VALUES)


def _usual(
    looks: Bytes, given: NDArray[np.float32], reliable: NDArray[np.bool_], prior: float
) -> NDArray[np.float32]:
    """Fit how each value goes with what is ``given`` (n x k, the first column 1): k x values.

    From the ``reliable`` frames (n).

    Huber's regression (1964, Ann. Math. Statist. 35:73) by reweighting, from the median
    on. Its bound is so close that without other columns it is a median. A slope is drawn to 0
    as if ``prior`` frames of one UNIT each had shown none.
    """
    given = given[reliable]
    k = given.shape[1]
    i, j = np.triu_indices(k)
    products = given[:, i] * given[:, j]
    ridge = np.diag([1e-6, *[prior] * (k - 1)])
    usual = np.zeros((k, looks.shape[1]), np.float32)
    for first in range(0, looks.shape[1], BLOCK):
        columns = slice(first, first + BLOCK)
        known = looks[:, columns][reliable]
        values, fit = known.astype(np.float32), usual[:, columns]
        fit[0] = np.median(known, axis=0)
        normal = np.empty((values.shape[1], k, k))
        for _ in range(PASSES):
            weight = 1 / np.maximum(1, np.abs(values - given @ fit) / CLOSE)
            normal[:, i, j] = normal[:, j, i] = weight.T @ products
            target = (weight * values).T @ given
            fit = np.linalg.solve(normal + ridge, target[..., None])[..., 0].T.astype(np.float32)
        usual[:, columns] = fit
    return usual


def confident(rows: pd.DataFrame, spec: QualitySpec) -> NDArray[np.bool_]:
    """Tell which rows of FRAMES have a face that detector and mesh are sure of."""
    sure = (rows["face_score"] >= spec.min_face_score) & (
        rows["presence_score"] >= spec.min_presence
    )
    return sure.to_numpy()


def repeated(rows: pd.DataFrame, spec: QualitySpec) -> NDArray[np.bool_]:
    """Tell which rows of FRAMES show the face of an earlier frame once more."""
    return (rows[CHANGE] <= spec.max_repeat_levels).to_numpy()


def reasons(rows: pd.DataFrame, spec: QualitySpec) -> list[str | None]:
    """Tell why each row of FRAMES is rejected: the first reason that holds, in the enum's order.

    None where none holds and the frame is accepted.
    """
    holds = {
        RejectionReason.NO_FACE: rows["n_faces"] == 0,
        RejectionReason.REPEATED: repeated(rows, spec),
        RejectionReason.LOW_CONFIDENCE: ~confident(rows, spec),
        RejectionReason.EYES_CLOSED: rows["eye_closed_score"] > spec.max_eye_closed,
        RejectionReason.OCCLUDED: rows["occlusion_score"] > spec.max_covered,
    }
    names = [None, *(reason.value for reason in holds)]
    flags = [np.asarray(flag, dtype=bool) for flag in holds.values()]
    first = np.select(flags, list(range(1, len(names))), default=0)
    return [names[i] for i in first]
