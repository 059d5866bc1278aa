"""Arousal and valence as a weighted sum of what moves in a face, which params show whole.

Blendshapes are near to the action units of FACS, and the signs of their weights follow what EMFACS
(Ekman and Friesen 1983) counts to an expression, placed by its arousal and valence: a smile (AU 12)
is pleasant; a lowered brow (4), a narrowed eye (7), a lip pressed up (17) or drawn down (15) are
not; wide eyes (5), raised brows (1, 2), an open mouth (25, 26) and a lowered lip (16) are aroused,
falling lids (43) are not. How large the weights of presets/real.yaml are was fitted once, and what
they are worth is measured by `python -m benchmarks.expression`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eifer.affect.seeing import rounded
from eifer.affect.spec import PAIRS, BlendshapeSpec, Coordinates, Term
from eifer.tables.faces import SHAPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASURED = (
    "FER2013's PublicTest, with the votes of FER+, arousal agreed by a CCC of .71, valence by one "
    "of .68, with the weights of presets/real.yaml and no arousal taken off"
)
"""Said wherever these estimates speak; printed by benchmarks/expression.py."""

FITTED = BlendshapeSpec(
    terms=(
        Term("jawOpen", arousal=0.67, valence=0.0),
        Term("mouthSmile", arousal=0.5, valence=1.31),
        Term("eyeWide", arousal=0.94, valence=0.0),
        Term("mouthLowerDown", arousal=0.28, valence=0.0),
        Term("eyeBlink", arousal=-0.35, valence=0.0),
        Term("browOuterUp", arousal=0.16, valence=0.2),
        Term("eyeSquint", arousal=0.0, valence=-0.57),
        Term("mouthShrugUpper", arousal=0.0, valence=-1.15),
        Term("mouthFrown", arousal=0.0, valence=-0.65),
        Term("browDown", arousal=0.0, valence=-0.28),
    ),
    centre=Coordinates(0.2, -0.04),
)
"""Those of presets/real.yaml, which says them again because a study says all that it rests on."""


def worth(spec: BlendshapeSpec) -> str | None:
    """What was measured of these weights; None of others."""
    return MEASURED if spec.terms == FITTED.terms else None


def told(spec: BlendshapeSpec) -> str:
    """By what arousal and valence are estimated, as the end of a sentence."""
    sums = ", ".join(
        f"{name} {' '.join(_weighted(spec, name))} less {getattr(spec.centre, name):g}"
        for name in ("arousal", "valence")
    )
    return f"by a weighted sum of MediaPipe's blendshapes ({sums})"


def _weighted(spec: BlendshapeSpec, name: str) -> list[str]:
    weights = [(getattr(term, name), term.shape) for term in spec.terms]
    return [f"{weight:+g} {shape}" for weight, shape in weights if weight]


class BlendshapeEstimator:
    """Estimates arousal and valence by blendshapes (a `Seeing`)."""

    columns = ()

    def __init__(self, spec: BlendshapeSpec) -> None:
        self._weights = np.zeros((len(SHAPES), 2))
        for term in spec.terms:
            names = PAIRS.get(term.shape, (term.shape,))
            for name in names:
                added = np.array((term.arousal, term.valence)) / len(names)
                self._weights[SHAPES.index(name)] += added
        self._centre = np.array((spec.centre.arousal, spec.centre.valence))

    def see(
        self, crop: NDArray[np.uint8] | None, shapes: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Arousal and valence, ``[2]``; the crop may be missing."""
        return rounded(np.clip(shapes.astype(np.float64) @ self._weights - self._centre, -1, 1))
