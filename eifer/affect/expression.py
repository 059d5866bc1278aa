"""Arousal and valence from a real network of seven expressions, trained on faces of people.

The network gives each expression a probability; the estimate is the mean of the expressions'
coordinates, weighted by these. Coordinates are those of Russell and Mehrabian (1977, Journal of
Research in Personality 11:273); neutral lies at 0. What it is worth on real faces is measured by
`python -m benchmarks.expression`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from eifer.affect.seeing import rounded
from eifer.affect.spec import Coordinates, ExpressionSpec, Places
from eifer.faces import assets
from eifer.faces.pictures import at_size
from eifer.faces.tflite import TfliteModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In the order of the network's outputs."""
MEASURED = (
    "FER2013's PublicTest, cut as here, 64 % of its expressions were right, and with the votes of "
    "FER+ arousal agreed by a CCC of .74, valence by one of .83"
)
"""Said wherever these estimates speak; printed by benchmarks/expression.py."""
PUBLISHED = ExpressionSpec(
    Places(
        angry=Coordinates(0.59, -0.51),
        disgust=Coordinates(0.35, -0.60),
        fear=Coordinates(0.60, -0.64),
        happy=Coordinates(0.48, 0.76),
        sad=Coordinates(-0.27, -0.63),
        surprise=Coordinates(0.67, 0.40),
        neutral=Coordinates(0.0, 0.0),
    ),
    centre=Coordinates(0.2, 0.0),
)
"""Russell and Mehrabian's coordinates with the centre of docs/decisions/0013."""
SIDE_PX = 64


def worth(spec: ExpressionSpec) -> str | None:
    """What was measured of these coordinates; None of others."""
    return MEASURED if spec.coordinates == PUBLISHED.coordinates else None


def told(spec: ExpressionSpec) -> str:
    """By what arousal and valence are estimated, as the end of a sentence."""
    return f"by a network of seven expressions (not AffectNet-trained), {as_mean(spec)}"


def as_mean(spec: ExpressionSpec) -> str:
    """How probabilities of expressions become an estimate."""
    return (
        "as the mean of their coordinates (Russell and Mehrabian 1977) weighted by their "
        f"probabilities, less the centre (arousal {spec.centre.arousal:g}, valence "
        f"{spec.centre.valence:g})"
    )


class ExpressionEstimator:
    """Estimates arousal and valence of face crops by their expressions (a `Seeing`).

    Raises
    ------
    AssetError
        If the model file is not there (`eifer assets --fetch`).
    """

    columns = EXPRESSIONS

    def __init__(self, spec: ExpressionSpec) -> None:
        self._model = TfliteModel(assets.locate(assets.EXPRESSIONS).read_bytes())
        self._set_places(spec)

    def _set_places(self, spec: ExpressionSpec) -> None:
        places = [getattr(spec.coordinates, name) for name in EXPRESSIONS]
        self._places = np.array([(place.arousal, place.valence) for place in places])
        self._centre = np.array((spec.centre.arousal, spec.centre.valence))

    def probabilities(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of `EXPRESSIONS`, ``[7]``, for an RGB face ``[S, S, 3]``."""
        grey = at_size(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), SIDE_PX)
        values = (grey.astype(np.float32) / np.float32(255) - np.float32(0.5)) * np.float32(2)
        return self._model(np.ascontiguousarray(values[None, :, :, None]), outputs=1)[0][0]

    def place(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Arousal and valence, ``[..., 2]`` in -1..1, of probabilities ``[..., 7]``."""
        weights = probabilities.astype(np.float64)
        mean = weights @ self._places / weights.sum(axis=-1, keepdims=True)
        return np.clip(mean - self._centre, -1, 1).astype(np.float32)

    def see(self, crop: NDArray[np.uint8], shapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Arousal and valence, then the probabilities of `EXPRESSIONS`: ``[9]``."""
        found = self.probabilities(crop)
        return rounded(np.concatenate([self.place(found), found]))
