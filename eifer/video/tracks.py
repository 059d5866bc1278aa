"""Who is who: faces of successive frames joined by their boxes, and across cuts by their looks.

A face is the person of the box that it overlaps most, all faces of a frame being matched at once
(Jonker and Volgenant 1987, Computing 38:325). Where there is nothing to overlap (somebody comes in,
a cut, a jump), SFace's 128 numbers of the face are compared with those of the persons who are not
in the picture. The numbers are kept in memory only: they would tell a person again in any other
picture.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import lap
import numpy as np

from eifer.faces import assets

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eifer.faces.detection import Face

    Image = NDArray[np.uint8]
    Vector = NDArray[np.float32]

SAME_PERSON = 0.363
"""Cosine from which on two faces are one person's: SFace's own threshold (OpenCV Zoo)."""
OVERLAP = 0.3
"""Least intersection over union of a person's boxes in two frames looked at."""
LOST_S = 1.0
"""After so long without a face, its place says nothing of who comes next."""
CUT_LEVELS = 15.0
"""Mean change of the picture's thumbnail, in grey levels, from which on it is another shot."""
THUMBNAIL_PX, GRID = (32, 18), 160


def overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union ``[N, M]`` of boxes ``[N, 4]`` and ``[M, 4]`` (x, y, w, h; px)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = np.prod(a[:, 2:], axis=1)[:, None] + np.prod(b[:, 2:], axis=1)[None]
    return shared / (areas - shared)


def matched(gain: NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    """Pairs (row, column) of at least ``least``, whose gain above it is largest in all."""
    _, columns, _ = lap.lapjv(1 - gain, extend_cost=True, cost_limit=1 - least)
    return [(row, int(column)) for row, column in enumerate(columns) if column >= 0]


@dataclass
class _Person:
    looks: list[Vector]
    box: NDArray[np.float64]
    seen_s: float
    here: bool = True


@dataclass
class Tracks:
    """Gives each face of a video the number of its person, from 1 in order of appearance.

    ``looks(rgb, face)`` is asked for a face whose person its place does not tell.
    """

    looks: Callable[[Image, Face], Vector]
    _persons: list[_Person] = field(default_factory=list)
    _before: NDArray[np.float32] | None = None

    def __call__(self, time_s: float, rgb: Image, faces: list[Face]) -> list[int]:
        """Number the persons of ``faces`` in the next frame, RGB ``[H, W, 3]``."""
        cut = self.change(rgb) > CUT_LEVELS
        for person in self._persons:
            person.here &= not cut and time_s - person.seen_s <= LOST_S
        if not faces:
            return []
        boxes = np.array([face.box for face in faces])
        numbers = dict(self._by_place(boxes))
        new = [k for k in range(len(faces)) if k not in numbers]
        if new:
            looks = {k: self.looks(rgb, faces[k]) for k in new}
            numbers |= self._by_looks(looks, set(numbers.values()))
            for k, own in looks.items():
                if k not in numbers:
                    self._persons.append(_Person([], boxes[k], time_s))
                    numbers[k] = len(self._persons)
                self._persons[numbers[k] - 1].looks.append(own)
        for k, number in numbers.items():
            person = self._persons[number - 1]
            person.box, person.seen_s, person.here = boxes[k], time_s, True
        return [numbers[k] for k in range(len(faces))]

    def _by_place(self, boxes: NDArray[np.float64]) -> list[tuple[int, int]]:
        here = [n for n, person in enumerate(self._persons, 1) if person.here]
        if not here:
            return []
        last = np.array([self._persons[n - 1].box for n in here])
        return [(k, here[p]) for k, p in matched(overlap(boxes, last), OVERLAP)]

    def _by_looks(self, looks: dict[int, Vector], present: set[int]) -> dict[int, int]:
        away = [n for n in range(1, len(self._persons) + 1) if n not in present]
        if not away:
            return {}
        keys = list(looks)
        known = [np.stack(self._persons[n - 1].looks) for n in away]
        # The mean: the largest of many looks would let in whoever is like one of them.
        likeness = np.array([[(of @ own).mean() for of in known] for own in looks.values()], float)
        return {keys[k]: away[p] for k, p in matched(likeness, SAME_PERSON)}

    def change(self, rgb: Image) -> float:
        """How far the next frame's thumbnail is from the last one's, in grey levels; 0 at first."""
        # Averaging every pixel takes milliseconds; a grid of them tells as much.
        step = max(1, rgb.shape[1] // GRID)
        grid = np.ascontiguousarray(rgb[::step, ::step])
        now = cv2.resize(grid, THUMBNAIL_PX, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._before = self._before, now
        return 0.0 if before is None else float(np.abs(now - before).mean())


class Looks:
    """SFace: 128 numbers of a face, of length 1, whose product with another's is their cosine.

    Raises
    ------
    AssetError
        If the model file is not there (`eifer assets --fetch`).
    """

    def __init__(self) -> None:
        self._net: Any = cv2.FaceRecognizerSF.create(str(assets.locate(assets.SFACE)), "")

    def __call__(self, rgb: Image, face: Face) -> Vector:
        """Describe ``face`` in an RGB image."""
        row = np.array([*face.box, *face.points.ravel(), face.score], np.float32)[None]
        aligned = self._net.alignCrop(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), row)
        own = self._net.feature(aligned)[0]
        return np.asarray(own / np.linalg.norm(own), np.float32)
