from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.faces import quality
from eifer.faces.quality import QualitySpec
from eifer.tables.faces import CHANGE, SCORES
from eifer.vocabulary import RejectionReason

POINTS, FRAMES = 50, 40

STILL = np.zeros((FRAMES, len(quality.UNITS)))

SPEC = QualitySpec(
    max_repeat_levels=0.3,
    min_face_score=0.7,
    min_presence=0.5,
    max_eye_closed=0.5,
    max_covered=0.1,
    prior_frames=5.0,
    colour_tolerance=0.2,
    detail_tolerance=0.2,
    spread_tolerance=3.0,
    light_tolerance=0.3,
    blur_tolerance=0.3,
)


@pytest.fixture
def colours() -> NDArray[np.uint8]:
    """A face of 50 points that stays as it is, but for noise of about 3 %."""
    rng = np.random.default_rng(1)
    face = rng.integers(80, 180, quality.VALUES * POINTS)
    return (face + rng.integers(-2, 3, (FRAMES, quality.VALUES * POINTS))).astype(np.uint8)


def share(
    colours: NDArray[np.uint8], spec: QualitySpec = SPEC, given: NDArray[np.float64] = STILL
) -> NDArray[np.float64]:
    return quality.covered(colours, given, np.ones(len(colours), bool), spec)


def cover(colours: NDArray[np.uint8], frames: slice, points: slice, by: float) -> None:
    """Shift the values of some points in some frames by ``by`` natural logarithms."""
    block = colours.reshape(len(colours), -1, quality.VALUES)
    block[frames, points] += np.uint8(by * quality.STEPS)


def test_a_face_that_stays_is_not_covered(colours: NDArray[np.uint8]) -> None:
    assert share(colours).max() == 0


def test_the_covered_share_of_the_covered_frames(colours: NDArray[np.uint8]) -> None:
    cover(colours, slice(10, 18), slice(0, 20), 0.5)
    found = share(colours)
    np.testing.assert_allclose(found[10:18], 0.4)
    assert np.delete(found, range(10, 18)).max() == 0


def test_what_is_always_there_is_part_of_the_face(colours: NDArray[np.uint8]) -> None:
    cover(colours, slice(0, 38), slice(0, 20), 0.5)
    found = share(colours)
    assert found[:38].max() == 0
    np.testing.assert_allclose(found[38:], 0.4)


def test_light_on_the_whole_face_is_forgiven_up_to_its_tolerance(
    colours: NDArray[np.uint8],
) -> None:
    cover(colours, slice(5, 10), slice(None), 0.28)
    assert share(colours).max() == 0
    assert share(colours, replace(SPEC, light_tolerance=0.0, blur_tolerance=0.0))[5:10].min() == 1


def test_a_lively_place_has_more_room(colours: NDArray[np.uint8]) -> None:
    for start, by in enumerate(np.tile([0.0, 0.15, 0.3, 0.45], FRAMES // 4)):
        cover(colours, slice(start, start + 1), slice(0, 10), by)
    assert share(colours).max() == 0
    assert share(colours, replace(SPEC, spread_tolerance=0.0)).max() == pytest.approx(0.2)


def test_only_reliable_frames_say_what_is_usual(colours: NDArray[np.uint8]) -> None:
    reliable = np.zeros(FRAMES, bool)
    reliable[:5] = True
    cover(colours, slice(5, None), slice(0, 20), 0.5)
    np.testing.assert_allclose(quality.covered(colours, STILL, reliable, SPEC)[5:], 0.4)
    assert not quality.covered(colours, STILL, np.zeros(FRAMES, bool), SPEC).any()


@pytest.mark.parametrize("kind", range(len(quality.UNITS)))
def test_what_goes_with_an_expression_or_a_turn_covers_nothing(
    colours: NDArray[np.uint8], kind: int
) -> None:
    """A third of the film laughs (or turns), and then a fifth of the face looks otherwise."""
    colours = np.tile(colours, (10, 1))
    given, laughing = np.zeros((len(colours), len(quality.UNITS))), slice(0, len(colours) // 3)
    given[laughing, kind] = 1.5 * quality.UNITS[kind]
    cover(colours, laughing, slice(0, 10), 0.5)
    assert share(colours, given=0 * given)[laughing].min() == pytest.approx(0.2)
    assert share(colours, given=given).max() == 0
    # A hand before a laugh is a hand, and so is one before a face that does not laugh.
    hands = [30, 31, 300, 301]
    for start in hands:
        cover(colours, slice(start, start + 1), slice(20, 30), 0.5)
    found = share(colours, given=given)
    np.testing.assert_allclose(found[hands], 0.2)
    assert np.delete(found, hands).max() == 0


def test_one_frame_does_not_say_how_an_expression_looks(colours: NDArray[np.uint8]) -> None:
    given = STILL.copy()
    given[7, 0] = quality.UNITS[0]
    cover(colours, slice(7, 8), slice(0, 10), 0.5)
    assert share(colours, given=given)[7] == pytest.approx(0.2)


def test_a_frame_without_a_face_spoils_nothing(colours: NDArray[np.uint8]) -> None:
    given, reliable = STILL.copy(), np.ones(FRAMES, bool)
    given[4], colours[4], reliable[4] = np.nan, 0, False
    found = quality.covered(colours, given, reliable, SPEC)
    assert np.delete(found, 4).max() == 0


def test_spots_are_spread_over_the_mesh() -> None:
    assert quality.SPOTS.shape == (134, 2)
    assert quality.SPOTS.min() >= 0
    assert quality.SPOTS.max() < 468
    assert len(np.unique(quality.SPOTS, axis=0)) == len(quality.SPOTS)


BOX = (40.0, 30.0, 100.0, 120.0)


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    rng = np.random.default_rng(2)
    return rng.integers(60, 190, (200, 200, 3)).astype(np.uint8)


def test_the_first_picture_and_one_of_another_size_repeat_nothing(
    picture: NDArray[np.uint8],
) -> None:
    assert quality.change(picture, None, BOX) == 255
    assert quality.change(picture, picture[:150], BOX) == 255
    assert quality.change(picture, picture, (195.0, 195.0, 100.0, 100.0)) == 255


def test_only_the_face_is_compared(picture: NDArray[np.uint8]) -> None:
    other = picture.copy()
    other[:25], other[160:] = 0, 255
    assert quality.change(picture, other, BOX) == 0
    other[60:70, 70:80] += 30  # a lid that falls
    assert quality.change(picture, other, BOX) > 1


@pytest.mark.parametrize("sd", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("size_px", [100, 700])
def test_a_noisy_camera_repeats_nothing_however_large_the_face(sd: float, size_px: int) -> None:
    rng = np.random.default_rng(3)
    still = np.full((size_px + 20, size_px + 20, 3), 120.0)
    first, second = (
        np.rint(still + rng.normal(0, sd, still.shape)).astype(np.uint8) for _ in range(2)
    )
    assert quality.change(first, second, (5.0, 5.0, size_px, size_px)) > 0.6 * sd


def test_first_reason_that_holds() -> None:
    rows = pd.DataFrame(
        [
            (0, np.nan, np.nan, np.nan, np.nan, np.nan),
            (1, 0.3, 0.6, 0.4, 0.9, 0.9),
            (1, 0.31, 0.6, 0.9, 0.9, 0.9),
            (1, 9.0, 0.9, 0.4, 0.9, 0.9),
            (1, 9.0, 0.9, 0.9, 0.9, 0.9),
            (2, 9.0, 0.9, 0.9, 0.1, 0.9),
            (1, 255, 0.7, 0.5, 0.5, 0.1),
        ],
        columns=["n_faces", CHANGE, *SCORES],
    )
    assert quality.reasons(rows, SPEC) == [
        RejectionReason.NO_FACE,
        RejectionReason.REPEATED,
        RejectionReason.LOW_CONFIDENCE,
        RejectionReason.LOW_CONFIDENCE,
        RejectionReason.EYES_CLOSED,
        RejectionReason.OCCLUDED,
        None,
    ]
