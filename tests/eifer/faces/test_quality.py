from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.faces import quality
from eifer.faces.quality import QualitySpec
from eifer.vocabulary import RejectionReason

POINTS, FRAMES = 50, 40

SPEC = QualitySpec(
    min_face_score=0.7,
    min_presence=0.5,
    max_eye_closed=0.5,
    max_covered=0.1,
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


def share(colours: NDArray[np.uint8], spec: QualitySpec = SPEC) -> NDArray[np.float64]:
    return quality.covered(colours, np.ones(len(colours), bool), spec)


def cover(colours: NDArray[np.uint8], frames: slice, points: slice, by: float) -> None:
    """Shift the values of some points in some frames by ``by`` natural logarithms."""
    block = colours.reshape(len(colours), POINTS, quality.VALUES)
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
    np.testing.assert_allclose(quality.covered(colours, reliable, SPEC)[5:], 0.4)
    assert not quality.covered(colours, np.zeros(FRAMES, bool), SPEC).any()


def test_first_reason_that_holds() -> None:
    rows = pd.DataFrame(
        [
            (0, np.nan, np.nan, np.nan, np.nan),
            (1, 0.6, 0.9, 0.9, 0.9),
            (1, 0.9, 0.4, 0.9, 0.9),
            (1, 0.9, 0.9, 0.9, 0.9),
            (2, 0.9, 0.9, 0.1, 0.9),
            (1, 0.7, 0.5, 0.5, 0.1),
        ],
        columns=["n_faces", "face_score", "presence_score", "eye_closed_score", "occlusion_score"],
    )
    assert quality.reasons(rows, SPEC) == [
        RejectionReason.NO_FACE,
        RejectionReason.LOW_CONFIDENCE,
        RejectionReason.LOW_CONFIDENCE,
        RejectionReason.EYES_CLOSED,
        RejectionReason.OCCLUDED,
        None,
    ]
