"""Where the faces are: YuNet's boxes, scores and five points, in pixels of the image given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from eifer.faces import assets

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Points = NDArray[np.float32]

OVERLAP = 0.3
"""Boxes that share more than this (intersection over union) are one face: YuNet's own value."""

CANDIDATES = 50
"""Boxes looked at before overlapping ones are merged."""

POINTS = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
"""YuNet's five points, in its order; right and left are the person's own."""


@dataclass(frozen=True)
class Face:
    """One face: ``box`` is x, y, width and height in px, ``points`` is 5 x 2 in px (see POINTS).

    The box may reach over the image's edge.
    """

    box: tuple[float, float, float, float]
    points: Points
    score: float

    @property
    def area(self) -> float:
        """The box's area in px squared."""
        return self.box[2] * self.box[3]

    def is_at(self, box: tuple[float, float, float, float]) -> bool:
        """Whether it is the face that another detector boxed (x, y, width, height; px)."""
        x, y, w, h = self.box
        wide = min(x + w, box[0] + box[2]) - max(x, box[0])
        high = min(y + h, box[1] + box[3]) - max(y, box[1])
        shared = max(0.0, wide) * max(0.0, high)
        return shared > OVERLAP * (self.area + box[2] * box[3] - shared)


class Detector:
    """YuNet at a working size: images wider than ``width_px`` are shrunk to it first.

    Boxes and points come back in pixels of the image given. A face needs a score of
    at least ``score`` (0..1) to be one.
    """

    def __init__(self, model: Path, *, width_px: int, score: float) -> None:
        self.width_px = width_px
        self._net: Any = cv2.FaceDetectorYN.create(
            str(model), "", (width_px, width_px), score, OVERLAP, CANDIDATES
        )

    def __call__(self, rgb: Image) -> list[Face]:
        """Find the faces in an RGB image (uint8, height x width x 3), largest first."""
        height, width = rgb.shape[:2]
        scale = min(1.0, self.width_px / width)
        if scale < 1:
            size = (self.width_px, max(1, round(height * scale)))
            # Averages every pixel, so that a small working size does not alias; the scales of
            # the two axes differ by the rounding of the height.
            rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        ratio = np.array([width / rgb.shape[1], height / rgb.shape[0]], np.float32)
        size = (rgb.shape[1], rgb.shape[0])
        if size != self._net.getInputSize():
            self._net.setInputSize(size)
        _, detected = self._net.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        if detected is None:
            return []
        faces = []
        for row in detected:
            x, y, w, h = (row[:4] * np.tile(ratio, 2)).tolist()
            points = (row[4:14].reshape(5, 2) * ratio).astype(np.float32)
            faces.append(Face((x, y, w, h), points, float(row[14])))
        # The score and place break a tie, so that the order is one and the same everywhere.
        return sorted(faces, key=lambda face: (-face.area, -face.score, face.box))


def detector(*, width_px: int, score: float) -> Detector:
    """Open a detector with the study's model file, which must be there (`assets.locate`)."""
    return Detector(assets.locate(assets.YUNET), width_px=width_px, score=score)
