"""What the estimators of arousal and valence share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from eifer.affect.agreement import DIMENSIONS
from eifer.errors import AssetError

if TYPE_CHECKING:
    from numpy.typing import NDArray

DECIMALS = 6
"""Estimates are rounded here, below which the arithmetic of devices and batches differs."""


class Seeing(Protocol):
    """An estimator that looks at one face at a time.

    ``columns`` names what it says beside arousal and valence: probabilities of expressions.
    """

    columns: tuple[str, ...]

    def see(self, crop: NDArray[np.uint8], shapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Arousal and valence (-1..1), then ``columns``: ``[2 + len(columns)]``.

        ``crop`` is an aligned face, RGB ``[S, S, 3]`` (`eifer.faces.crops`), ``shapes`` its 52
        blendshapes (`eifer.tables.faces.SHAPES`); an estimator looks at one of them.
        """
        ...


def rounded(values: NDArray[Any]) -> NDArray[np.float32]:
    """Values as they are kept."""
    # + 0.0 turns -0.0 into 0.0.
    return np.round(np.asarray(values, np.float32), DECIMALS) + np.float32(0.0)


def probes(side: int) -> NDArray[np.uint8]:
    """Pictures ``[16, side, side, 3]`` that have nothing in common, of noise and of one colour."""
    noise = np.random.default_rng(0).integers(0, 256, (12, side, side, 3), np.uint8)
    plain = np.full((4, side, side, 3), np.array([0, 85, 170, 255]).reshape(4, 1, 1, 1))
    return np.concatenate([noise, plain.astype(np.uint8)])


def refuse_constant(estimates: NDArray[np.float32], origin: str) -> None:
    """Look at the estimates ``[16, 2]`` of `probes` by the network of ``origin``.

    Raises
    ------
    AssetError
        If all of them have the same arousal, or the same valence.
    """
    same = [str(d) for d, v in zip(DIMENSIONS, estimates.T, strict=True) if np.ptp(v) == 0]
    if same:
        raise AssetError(
            f"{origin}: the network gives every picture the same {' and '.join(same)}: its "
            "outputs are dead or saturated, and frames could not be ranked by them. "
            "Give other weights."
        )
