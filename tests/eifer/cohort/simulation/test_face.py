"""The drawn faces: what moves, who differs, what is hidden."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from eifer.cohort.simulation import face
from eifer.seeding import generator

UNIT = 60.0
POSE = face.Pose(x_px=100, y_px=90, unit_px=UNIT, roll_deg=0)
MOUTH = (slice(90 + 20, 90 + 55), slice(70, 130))
BEFORE = np.array(
    [
        [105.0, 119.5, 140.9, 102.7],
        [105.3, 163.7, 176.6, 98.9],
        [105.7, 132.6, 146.7, 100.7],
        [91.4, 90.8, 91.4, 85.1],
    ]
)
EYES = (slice(90 - 10, 90 + 8), slice(65, 135))


def _identity(number: int) -> face.Identity:
    return face.identity(generator(9, "identity", number), female=number % 2 == 0, age_years=30)


def _portrait(number: int, **how: Any) -> face.Portrait:
    return face.Portrait(_identity(number), face.Light(0.2, -0.4, 0.45, 0.6), UNIT, **how)


@pytest.fixture(scope="module")
def sitter() -> face.Portrait:
    return face.Portrait(_identity(0), face.light(generator(9, "light")), UNIT)


@pytest.fixture(scope="module")
def room() -> face.Image:
    return face.background(generator(9, "room"), 200, 200)


def _picture(
    sitter: face.Portrait, room: face.Image, arousal: float, valence: float, lids: float = 1
) -> np.ndarray:
    act = face.action(sitter.who, arousal, valence, lids=lids, gaze_x=0, gaze_y=0)
    return face.place(room, sitter.layer(act), sitter, POSE).astype(int)


def test_the_same_face_twice_is_the_same_picture(room: face.Image) -> None:
    first, second = (_picture(_portrait(3), room, 0.2, 0.3) for _ in range(2))
    assert (first == second).all()


def test_people_look_different(room: face.Image) -> None:
    pictures = [_picture(_portrait(k), room, 0, 0) for k in range(6)]
    for one, other in combinations(pictures, 2):
        assert np.abs(one - other).mean() > 4


def test_valence_moves_the_mouth_and_arousal_opens_it(
    sitter: face.Portrait, room: face.Image
) -> None:
    neutral = _picture(sitter, room, 0, 0)
    for arousal, valence in ((0, 0.7), (0, -0.7), (0.7, 0)):
        assert np.abs(_picture(sitter, room, arousal, valence) - neutral)[MOUTH].mean() > 3
    # More and more arousal: more and more of the dark inside of the mouth.
    dark = [
        (_picture(sitter, room, a, 0)[MOUTH].sum(axis=-1) < 200).sum() for a in (-0.5, 0.3, 0.9)
    ]
    assert dark[0] < dark[1] < dark[2]


def test_corners_of_the_mouth_rise_with_valence(sitter: face.Portrait) -> None:
    actions = [
        face.action(sitter.who, 0, v, lids=1, gaze_x=0, gaze_y=0) for v in np.linspace(-1, 1, 9)
    ]
    assert (np.diff([a.smile for a in actions]) >= 0).all()
    assert actions[0].furrow > 0.5 and actions[-1].furrow == 0


def test_closed_eyes_show_no_white(sitter: face.Portrait, room: face.Image) -> None:
    def white(lids: float) -> int:
        return int((_picture(sitter, room, 0, 0, lids)[EYES].min(axis=-1) > 200).sum())

    assert white(1) > 5
    assert white(0) == 0


def test_low_arousal_droops_the_lids_but_does_not_shut_them() -> None:
    for number in range(30):
        sleepy = face.action(_identity(number), -1, 0, lids=1, gaze_x=0, gaze_y=0)
        awake = face.action(_identity(number), 1, 0, lids=1, gaze_x=0, gaze_y=0)
        assert 0.5 < sleepy.lids < 0.8 < awake.lids


def test_from_behind_there_is_no_face(sitter: face.Portrait, room: face.Image) -> None:
    behind = face.place(room, sitter.turned_away(), sitter, POSE).astype(int)
    assert np.abs(behind - _picture(sitter, room, 0, 0))[EYES].mean() > 20


def test_a_cover_hides_half_of_the_face(sitter: face.Portrait, room: face.Image) -> None:
    bare = _picture(sitter, room, 0, 0)
    oval = (slice(90 - 30, 90 + 50), slice(65, 135))
    rng = generator(9, "cover")
    for _ in range(8):
        what = face.cover(rng, sitter.skin_lit)
        hidden = face.covered(bare.astype(np.uint8), what, POSE).astype(int)
        assert (np.abs(hidden - bare)[oval].max(axis=-1) > 12).mean() > 0.35


def test_the_picture_that_is_drawn_on_is_left_alone(
    sitter: face.Portrait, room: face.Image
) -> None:
    before = room.copy()
    _picture(sitter, room, 0.5, 0.5)
    assert (room == before).all()


def test_units_at_rest_and_an_adult_draw_what_they_drew_before_there_were_units(
    sitter: face.Portrait, room: face.Image
) -> None:
    # Means of 50 x 50 px of the picture that the first study has drawn ever since.
    act = face.action(sitter.who, 0.6, -0.5, lids=1, gaze_x=0, gaze_y=0)
    assert replace(act, inner_brows=0, outer_brows=0, cheeks=0, tight=0, nose=0) == act
    blocks = face.place(room, sitter.layer(act), sitter, POSE).mean(-1).reshape(4, 50, 4, 50)
    assert np.abs(blocks.mean((1, 3)) - BEFORE).max() < 0.5


def test_children_have_larger_eyes_and_no_beard() -> None:
    for number in range(12):
        ages = [
            face.identity(generator(9, number), female=number % 2 == 0, age_years=years)
            for years in (5, 11, 17.9, 18)
        ]
        eyes = [who.eye_height for who in ages]
        assert eyes == sorted(eyes, reverse=True) and eyes[2] == pytest.approx(eyes[3], rel=0.02)
        assert all(who.beard == 0 for who in ages[:3]) and ages[3].youth == 0
        assert not ages[0].made_up and ages[3].made_up == ages[3].female


def test_hair_greys_and_skin_has_the_tone_that_is_asked_for() -> None:
    def drawn(tone: float | None, years: float, number: int) -> face.Identity:
        return face.identity(generator(9, number), female=True, age_years=years, tone=tone)

    for number in range(8):
        lights = [sum(drawn(tone, 30, number).skin) for tone in (0, 1.2, 2.4, 3.6, 5)]
        assert lights == sorted(lights, reverse=True) and lights[0] > 2 * lights[-1]
        assert np.ptp(drawn(4.0, 85, number).hair) < np.ptp(drawn(4.0, 30, number).hair) + 1


def test_what_is_not_seen_need_not_be_drawn(room: face.Image) -> None:
    whole = _picture(_portrait(1), room, 0.3, 0.3)
    part = _picture(_portrait(1, seen=(-1.0, 1.0, -1.2, 1.6)), room, 0.3, 0.3)
    oval = (slice(90 - 40, 90 + 50), slice(65, 135))
    # The grain of skin and hair is laid over what is drawn, so it differs.
    assert np.abs(whole - part)[oval].mean() < 4
    with pytest.raises(ValueError, match="face and throat"):
        _portrait(1, seen=(-0.5, 0.5, -1.2, 1.6))


def test_a_wider_line_darkens_the_lids(room: face.Image) -> None:
    thin, thick = (
        _picture(_portrait(1, line=line), room, 0, 0)[EYES].mean() for line in (0.5, 2.0)
    )
    assert thick < thin - 1
