"""The participant stays the participant, whoever else comes into the picture."""

from __future__ import annotations

import numpy as np

from eifer.faces.detection import Face
from eifer.faces.following import Following, principal

POINTS = np.zeros((5, 2), np.float32)


def face(x: float, size: float = 100, score: float = 0.9) -> Face:
    return Face((x, 50, size, size), POINTS, score)


def followed(*frames: list[Face]) -> list[tuple[float | None, int, bool]]:
    """Where the face used is in each frame; the faces are listed by falling size, as YuNet's."""
    follow = Following(0.7)
    found = []
    for faces in frames:
        used, n, switched = follow(sorted(faces, key=lambda one: -one.area))
        found.append((used and used.box[0], n, switched))
    return found


def test_an_unsure_face_is_of_low_confidence() -> None:
    unsure, surer = face(0, 90, 0.4), face(0, 20, 0.6)
    assert principal([], 0.7) is None
    assert principal([unsure, surer], 0.7) is surer
    assert principal([unsure, face(0, 50, 0.8), face(0, 10, 0.95)], 0.7) == face(0, 50, 0.8)
    assert followed([], [unsure, surer]) == [(None, 0, False), (0, 1, False)]


def test_a_larger_face_that_walks_in_is_not_taken() -> None:
    found = followed([face(0)], [face(5), face(400, 200)], [face(12), face(380, 200)], [face(18)])
    assert found == [(0, 1, False), (5, 2, False), (12, 2, False), (18, 1, False)]


def test_an_unsure_participant_is_not_exchanged_for_a_sure_stranger() -> None:
    found = followed([face(0)], [face(4, score=0.4), face(400)], [face(6), face(400)])
    assert found == [(0, 1, False), (4, 1, False), (6, 2, False)]


def test_a_switch_is_flagged_and_the_participant_who_comes_back_is_taken_again() -> None:
    found = followed(
        [face(0)], [face(400)], [face(404)], [], [face(3), face(408)], [face(5), face(410)]
    )
    assert found == [
        (0, 1, False),
        (400, 1, True),
        (404, 1, False),
        (None, 0, False),
        (3, 2, True),
        (5, 2, False),
    ]


def test_who_moves_at_once_is_followed_from_there() -> None:
    found = followed([face(0)], [face(300)], [face(305), face(600)], [face(310)])
    assert found == [(0, 1, False), (300, 1, True), (305, 2, False), (310, 1, False)]


def test_nobody_unsure_elsewhere_is_gone_on_with() -> None:
    found = followed([face(0)], [face(300, score=0.4)], [face(2), face(300, 300)])
    assert found == [(0, 1, False), (300, 1, False), (2, 2, False)]
