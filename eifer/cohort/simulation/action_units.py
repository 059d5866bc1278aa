"""Action units of the face (Ekman, Friesen & Hager, FACS, 2002), and the expressions they make."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eifer.cohort.simulation import face
from eifer.vocabulary import Expression

NAMES = {
    1: "inner brows raised",
    2: "outer brows raised",
    4: "brows lowered",
    5: "upper lids raised",
    6: "cheeks raised",
    7: "lids tight",
    9: "nose wrinkled",
    10: "upper lip raised",
    12: "corners of the mouth pulled up",
    15: "corners of the mouth pulled down",
    20: "lips stretched",
    23: "lips tight",
    26: "jaw dropped",
}
"""The units that can be drawn."""

PROTOTYPES: dict[Expression, tuple[int, ...]] = {
    Expression.ANGRY: (4, 5, 7, 23),
    Expression.DISGUST: (9, 10, 15),
    Expression.FEAR: (1, 2, 4, 5, 20, 26),
    Expression.HAPPY: (6, 12),
    Expression.NEUTRAL: (),
    Expression.SAD: (1, 4, 15),
    Expression.SURPRISE: (1, 2, 5, 26),
}
"""The units of each expression."""


def expressive(
    who: face.Identity,
    units: Mapping[int, float],
    *,
    lids: float,
    gaze_x: float,
    gaze_y: float,
) -> face.Action:
    """Choose the face that ``who`` makes with these units, each 0 (absent) to 1 (full strength).

    ``lids`` multiplies the opening of the eyes: 0 in a blink, 1 otherwise.

    Raises
    ------
    ValueError
        If a unit cannot be drawn.
    """
    if unknown := sorted(set(units) - set(NAMES)):
        raise ValueError(f"no action units {unknown} (there are {', '.join(map(str, NAMES))})")
    smile, jaw, eye, brow = who.gains
    rest_smile, rest_jaw, rest_eye, rest_brow = who.rest

    def au(number: int, gain: float = 1.0) -> float:
        return float(np.clip(gain * units.get(number, 0.0), 0, 1))

    return face.Action(
        smile=float(np.clip(au(12, smile) - au(15, smile) + rest_smile, -1, 1)),
        furrow=au(4, brow),
        jaw=float(np.clip(0.13 + 0.75 * au(26, jaw) + rest_jaw, 0, 1)),
        lids=lids * float(np.clip(1 + 0.4 * au(5, eye) + rest_eye, 0.58, 1.45)),
        # The muscles of units 4 and 9 pull the whole brow down, too.
        brows=float(np.clip(rest_brow - 0.4 * au(4) * (1 - au(1)) - 0.35 * au(9), -1, 1)),
        gaze_x=gaze_x,
        gaze_y=gaze_y,
        inner_brows=au(1, brow),
        outer_brows=au(2, brow),
        cheeks=au(6, smile),
        tight=au(7),
        nose=au(9),
        upper_lip=au(10),
        stretched=au(20),
        pressed=au(23),
    )
