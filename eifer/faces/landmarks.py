"""The face mesh, its presence, blendshapes and the head's pose, from MediaPipe's TFLite models.

The models inside Face Landmarker's archive run on LiteRT, which needs no graphics
library. YuNet's box and eyes take the place of Face Landmarker's own detector,
which misses small faces; the rest follows MediaPipe's graphs
(face_landmarks_detector_graph.cc, face_blendshapes_graph.cc).
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from eifer.faces import assets
from eifer.faces.tflite import TfliteModel
from eifer.tables.faces import SHAPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eifer.faces.detection import Face

    Image = NDArray[np.uint8]
    Points = NDArray[np.float32]

MESH_POINTS = 478
INPUT_PX = 256
"""Side of the landmark model's input, a square around the upright face."""

ROI_SCALE = 1.3
"""Side of that square over the longer side of YuNet's box; see docs/decisions/0003."""

RIGHT_EYE = (33, 133)
LEFT_EYE = (362, 263)
"""Corners of the person's right and left eye in the mesh; blinks leave them where they are."""

NOSE, MOUTH_RIGHT, MOUTH_LEFT = 1, 61, 291

EXPRESSION = (
    ("mouthSmileLeft", "mouthSmileRight"),
    ("jawOpen",),
    ("mouthUpperUpLeft", "mouthUpperUpRight"),
    ("browInnerUp",),
)
"""What changes a face's look most; of left and right the mean counts."""

# fmt: off
BLENDSHAPE_POINTS = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65,
    66, 67, 70, 78, 80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136,
    144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172,
    173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270, 276, 282, 283,
    284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324,
    332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385,
    386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472,
    473, 474, 475, 476, 477,
)
# fmt: on
"""The 146 mesh points that the blendshape model reads (face_blendshapes_graph.cc)."""

CANONICAL = {
    33: (-4.446, 2.664, 3.173),
    133: (-1.856, 2.585, 3.758),
    362: (1.856, 2.585, 3.758),
    263: (4.446, 2.664, 3.173),
    168: (0.0, 3.271, 5.236),
    6: (0.0, 2.473, 5.789),
    10: (0.0, 8.262, 4.482),
    151: (0.0, 6.545, 5.027),
    9: (0.0, 4.886, 5.385),
    1: (0.0, -1.127, 7.476),
    127: (-7.743, 2.365, -2.005),
    356: (7.743, 2.365, -2.005),
    234: (-7.664, 0.673, -2.436),
    454: (7.664, 0.673, -2.436),
}
"""Points of MediaPipe's canonical face in cm (x to the person's left, y up, z to the front).

Those that expressions move least; from geometry_pipeline_metadata_landmarks.binarypb in
the asset.
"""


@dataclass(frozen=True)
class Mesh:
    """A face's mesh.

    ``points`` is 478 x 3: x and y in px of the image, z in px too (smaller is
    nearer); ``presence`` is the model's probability that a face is there;
    ``shapes`` are the 52 blendshapes (0..1 each), as `eifer.tables.faces.SHAPES` names them.
    ``patch`` is the upright face the model saw (256 x 256 x 3, RGB) and ``in_patch``
    the points in it, 478 x 2 px.
    """

    points: Points
    presence: float
    shapes: Points
    patch: Image
    in_patch: Points

    @property
    def eye_closed(self) -> float:
        """How far both eyes are closed, 0..1: a wink is not a closed pair of eyes."""
        return min(self._shape("eyeBlinkRight"), self._shape("eyeBlinkLeft"))

    @property
    def expression(self) -> tuple[float, ...]:
        """How far the face does each of `EXPRESSION`, 0..1."""
        return tuple(sum(map(self._shape, names)) / len(names) for names in EXPRESSION)

    def _shape(self, name: str) -> float:
        return float(self.shapes[SHAPES.index(name)])

    def five(self) -> Points:
        """Give eyes, nose tip and mouth corners, 5 x 2 px, in the order of `detection.POINTS`."""
        xy = self.points[:, :2]
        eyes = [xy[list(RIGHT_EYE)].mean(axis=0), xy[list(LEFT_EYE)].mean(axis=0)]
        return np.stack([*eyes, xy[NOSE], xy[MOUTH_RIGHT], xy[MOUTH_LEFT]])

    def pose(self) -> tuple[float, float, float]:
        """Give yaw, pitch and roll of the head in degrees.

        All 0 for a face straight to the camera; yaw > 0 where the person turns to
        their own left (the right of the image), pitch > 0 where they look up, roll > 0 where
        the head tilts to their own left shoulder (clockwise in the image).

        The rotation that best lays the canonical face onto the mesh in the
        least-squares sense (Kabsch, 1976, Acta Cryst. A32:922), under weak perspective.
        """
        canonical = np.array(list(CANONICAL.values()))
        # To the canonical axes: image y points down, and mesh z away from the camera.
        points = self.points[list(CANONICAL)].astype(np.float64) * (1.0, -1.0, -1.0)
        canonical = canonical - canonical.mean(axis=0)
        points = points - points.mean(axis=0)
        u, _, vt = np.linalg.svd(points.T @ canonical)
        r = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
        # r = Rz(-roll) Ry(yaw) Rx(-pitch): the head nods, then turns, then tilts.
        yaw = math.asin(max(-1.0, min(1.0, -r[2, 0])))
        pitch = -math.atan2(r[2, 1], r[2, 2])
        roll = -math.atan2(r[1, 0], r[0, 0])
        return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


class Landmarker:
    """The landmark and blendshape models of ``archive`` (face_landmarker.task), on one thread."""

    def __init__(self, archive: Path) -> None:
        with zipfile.ZipFile(archive) as models:
            self._mesh = TfliteModel(models.read("face_landmarks_detector.tflite"))
            self._shapes = TfliteModel(models.read("face_blendshapes.tflite"))
        self._unit = np.empty((1, INPUT_PX, INPUT_PX, 3), np.float32)

    def __call__(self, rgb: Image, face: Face) -> Mesh:
        """Lay the mesh on ``face`` in an RGB image (uint8, height x width x 3)."""
        to_image = _square(face)
        patch = cv2.warpAffine(
            rgb,
            to_image,
            (INPUT_PX, INPUT_PX),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        np.multiply(patch, np.float32(1 / 255), out=self._unit[0])
        points, presence = self._mesh(self._unit, outputs=2)
        points = points.reshape(MESH_POINTS, 3)
        seen = np.ascontiguousarray(points[None, BLENDSHAPE_POINTS, :2])
        scale = math.hypot(to_image[0, 0], to_image[1, 0])
        xy = points[:, :2] @ to_image[:, :2].T + to_image[:, 2]
        return Mesh(
            points=np.column_stack([xy, points[:, 2] * scale]).astype(np.float32),
            presence=1 / (1 + math.exp(-float(presence.item()))),
            shapes=self._shapes(seen, outputs=1)[0].ravel(),
            patch=patch.astype(np.uint8, copy=False),
            in_patch=points[:, :2],
        )


def landmarker() -> Landmarker:
    """Open a landmarker with the study's model file, which must be there (`assets.locate`)."""
    return Landmarker(assets.locate(assets.FACE_LANDMARKER))


def _square(face: Face) -> NDArray[np.float64]:
    """2 x 3 map from the model's input to the image: a square on the box, its eyes level."""
    x, y, w, h = face.box
    (right_x, right_y), (left_x, left_y) = face.points[:2].tolist()
    angle = math.atan2(left_y - right_y, left_x - right_x)
    side = ROI_SCALE * max(w, h) / INPUT_PX
    turn = side * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    middle = np.array([x + w / 2, y + h / 2])
    return np.column_stack([turn, middle - turn @ np.full(2, (INPUT_PX - 1) / 2)])
