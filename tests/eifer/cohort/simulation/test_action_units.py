"""Action units move what they are named for, and expressions differ."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from eifer.cohort.simulation import face
from eifer.cohort.simulation.action_units import NAMES, PROTOTYPES, expressive
from eifer.seeding import generator
from eifer.vocabulary import Expression

UNIT = 60.0
X, Y = 100, 90
POSE = face.Pose(x_px=X, y_px=Y, unit_px=UNIT, roll_deg=0)
# Rows and columns in units, of brows, eyes, nose, mouth.
BROWS, EYES, NOSE, MOUTH = (
    (slice(Y + round(top * UNIT), Y + round(low * UNIT)), slice(X - 36, X + 36))
    for top, low in ((-0.7, -0.14), (-0.13, 0.06), (0.05, 0.4), (0.4, 0.85))
)
FACE = (slice(Y - 42, Y + 51), slice(X - 36, X + 36))
PLACES = {
    **dict.fromkeys((1, 2, 4), BROWS),
    **dict.fromkeys((5, 6, 7), EYES),
    9: NOSE,
    **dict.fromkeys((10, 12, 15, 20, 23, 26), MOUTH),
}


@pytest.fixture(scope="module")
def sitter() -> face.Portrait:
    who = face.identity(generator(9, "identity", 0), female=False, age_years=30)
    return face.Portrait(who, face.light(generator(9, "light")), UNIT)


def _picture(sitter: face.Portrait, units: dict[int, float]) -> np.ndarray:
    act = expressive(sitter.who, units, lids=1, gaze_x=0, gaze_y=0)
    room = np.full((200, 200, 3), 128, np.uint8)
    return face.place(room, sitter.layer(act), sitter, POSE).astype(int)


@pytest.mark.parametrize("unit", NAMES)
def test_a_unit_moves_its_own_part_of_the_face(sitter: face.Portrait, unit: int) -> None:
    moved = [np.abs(_picture(sitter, {unit: s}) - _picture(sitter, {})) for s in (0.5, 1.0)]
    assert moved[1][PLACES[unit]].mean() > 1
    assert moved[1].sum() > moved[0].sum() > 0
    elsewhere = [place for place in (BROWS, MOUTH) if place != PLACES[unit]]
    if unit != 9:  # which also lowers the brows
        for place in elsewhere:
            assert moved[1][place].mean() < 0.5 * moved[1][PLACES[unit]].mean()


def test_inner_and_outer_brows_rise_apart(sitter: face.Portrait) -> None:
    def height(units: dict[int, float], columns: slice) -> float:
        """The mean row of the dark of the brow, upwards from the eyes."""
        dark = 255 - _picture(sitter, units)[Y - 32 : Y - 7, columns].mean(axis=-1)
        dark = np.clip(dark - np.percentile(dark, 70), 0, None)
        return -float((dark.sum(axis=1) * np.arange(len(dark))).sum() / dark.sum())

    inner, outer = slice(X + 8, X + 15), slice(X + 24, X + 31)
    raised = {unit: [height({unit: 1.0}, part) - height({}, part) for part in (inner, outer)]
              for unit in (1, 2)}  # fmt: skip
    assert raised[1][0] > 2 and raised[1][0] > raised[1][1] + 1.5
    assert raised[2][1] > 2 and raised[2][1] > raised[2][0] + 1.5


def test_every_expression_has_its_own_picture(sitter: face.Portrait) -> None:
    assert set(PROTOTYPES) == set(Expression) and not PROTOTYPES[Expression.NEUTRAL]
    for strength, least in ((0.5, 2), (1.0, 4)):
        pictures = {
            name: _picture(sitter, dict.fromkeys(units, strength))[FACE]
            for name, units in PROTOTYPES.items()
        }
        for one, other in combinations(Expression, 2):
            assert np.abs(pictures[one] - pictures[other]).mean() > least


def test_a_unit_that_cannot_be_drawn_is_refused(sitter: face.Portrait) -> None:
    with pytest.raises(ValueError, match=r"no action units \[3, 43\] \(there are 1, 2"):
        expressive(sitter.who, {43: 1.0, 3: 0.5, 1: 0.5}, lids=1, gaze_x=0, gaze_y=0)
