"""Detection and landmarks on real faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.faces import decoding, detection, landmarks
from eifer.faces.detection import Detector, Face
from eifer.faces.landmarks import Landmarker

Image = NDArray[np.uint8]
OPEN, SHUT = 46, 27


@pytest.fixture(scope="module")
def pictures(clips: Path) -> dict[int, Image]:
    path = clips / "pyfeat_single_face.mp4"
    return {i: rgb for i, _, rgb in decoding.frames(path, wanted=[SHUT, OPEN])}


@pytest.fixture(scope="module")
def find(models: None) -> Detector:
    return detection.detector(width_px=256, score=0.5)


@pytest.fixture(scope="module")
def lay(models: None) -> Landmarker:
    return landmarks.landmarker()


def rotated(rgb: Image, degrees: float) -> Image:
    """Turned clockwise about its middle."""
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    return np.asarray(cv2.warpAffine(rgb, matrix, (width, height)), np.uint8)


def test_boxes_come_back_in_pixels_of_the_frame(pictures: dict[int, Image], find: Detector) -> None:
    full = detection.detector(width_px=640, score=0.5)(pictures[OPEN])
    small = find(pictures[OPEN])
    assert len(full) == len(small) == 1
    np.testing.assert_allclose(small[0].box, full[0].box, atol=0.1 * full[0].box[2])
    np.testing.assert_allclose(small[0].points, full[0].points, atol=0.05 * full[0].box[2])


def test_no_face_none_found(find: Detector) -> None:
    assert find(np.full((120, 160, 3), 128, np.uint8)) == []


def test_larger_of_two_comes_first(pictures: dict[int, Image], find: Detector) -> None:
    rgb = pictures[OPEN]
    height, width = rgb.shape[:2]
    beside = np.zeros((height, 2 * width, 3), np.uint8)
    beside[:, width:] = rgb
    beside[height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = (
        cv2.resize(rgb, (width // 2, height // 2))
    )
    faces = find(beside)
    assert len(faces) == 2
    assert faces[0].area > 2 * faces[1].area
    assert faces[0].points[0, 0] > width > faces[1].points[0, 0]


def test_mesh_agrees_with_the_detector(
    pictures: dict[int, Image], find: Detector, lay: Landmarker
) -> None:
    face = find(pictures[OPEN])[0]
    mesh = lay(pictures[OPEN], face)
    eyes = np.linalg.norm(face.points[1] - face.points[0])
    assert np.linalg.norm(mesh.five() - face.points, axis=1).max() < 0.15 * eyes
    assert mesh.presence > 0.9
    assert mesh.five()[0, 0] < mesh.five()[1, 0], "the person's right eye is left in the image"


def test_presence_is_low_where_there_is_no_face(
    pictures: dict[int, Image], lay: Landmarker
) -> None:
    points = np.array([[30, 40], [60, 40], [45, 55], [33, 70], [57, 70]], np.float32)
    mesh = lay(pictures[OPEN], Face((10, 10, 70, 80), points, 0.9))
    assert mesh.presence < 0.1


def test_shut_eyes(pictures: dict[int, Image], find: Detector, lay: Landmarker) -> None:
    shut, opened = (lay(pictures[k], find(pictures[k])[0]) for k in (SHUT, OPEN))
    assert shut.eye_closed > 0.55
    assert opened.eye_closed < 0.2


def test_head_pose_turns_with_the_picture(
    pictures: dict[int, Image], find: Detector, lay: Landmarker
) -> None:
    rgb = pictures[OPEN]

    def pose(picture: Image) -> tuple[float, float, float]:
        return lay(picture, find(picture)[0]).pose()

    yaw, pitch, roll = pose(rgb)
    assert abs(yaw) < 10
    assert abs(pitch) < 15
    for degrees in (-20, 20):
        turned = pose(rotated(rgb, degrees))
        assert turned[2] - roll == pytest.approx(degrees, abs=2)
        assert turned[0] == pytest.approx(yaw, abs=4)
    mirrored = pose(np.ascontiguousarray(rgb[:, ::-1]))
    assert mirrored[0] == pytest.approx(-yaw, abs=3)
    assert mirrored[1] == pytest.approx(pitch, abs=3)
    assert mirrored[2] == pytest.approx(-roll, abs=2)


@pytest.mark.parametrize(
    ("axis", "place"),
    [((0, 1, 0), 0), ((-1, 0, 0), 1), ((0, 0, -1), 2)],
    ids=["yaw", "pitch", "roll"],
)
@pytest.mark.parametrize("degrees", [-35.0, 20.0])
def test_pose_of_a_turned_canonical_face(
    axis: tuple[float, float, float], place: int, degrees: float
) -> None:
    # Axes: x to the person's left, y up, z to the camera; the mesh has y down and z away.
    turn, _ = cv2.Rodrigues(np.radians(degrees) * np.array(axis, float))
    points = np.zeros((landmarks.MESH_POINTS, 3), np.float32)
    for index, point in landmarks.CANONICAL.items():
        points[index] = (turn @ point) * (7, -7, -7) + (100, 80, 0)
    blank = np.zeros((256, 256, 3), np.uint8)
    mesh = landmarks.Mesh(points, 1.0, np.zeros(52, np.float32), blank, points[:, :2])
    expected = np.zeros(3)
    expected[place] = degrees
    np.testing.assert_allclose(mesh.pose(), expected, atol=1e-3)


def test_a_view_with_gaps_is_seen_like_any_other(
    pictures: dict[int, Image], find: Detector, lay: Landmarker
) -> None:
    rgb = pictures[OPEN]
    wide = np.zeros((rgb.shape[0], rgb.shape[1] + 13, 3), np.uint8)
    wide[:, : rgb.shape[1]] = rgb
    gaps = wide[:, : rgb.shape[1]]
    assert not gaps.flags.c_contiguous
    face, same = find(rgb)[0], find(gaps)[0]
    assert face.box == same.box
    np.testing.assert_array_equal(lay(rgb, face).points, lay(gaps, same).points)
