"""Arousal and valence of crops, estimated with the affect network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eifer.affect.agreement import DIMENSIONS
from eifer.errors import AssetError
from eifer.training.backbones import classifier_names
from eifer.training.inference import Inference, Numbered
from eifer.training.network import Network
from eifer.training.spec import Head, NetworkSpec, Precision
from eifer.training.weights import fit_state

DECIMALS = 6
"""Estimates are rounded here, below which the arithmetic of devices and batches differs."""


HEAD = Head("head", len(DIMENSIONS), bounded=True)
"""Arousal and valence in [-1, 1], the only head of the affect network."""


class Estimator(Inference):
    """Estimates arousal and valence of crops.

    Parameters
    ----------
    state
        The network's weights by name (`load_weights`), or those of a whole timm model of two
        classes, arousal and valence before tanh.
    spec
        The network and the crops it takes.
    device, precision, batch
        See `Inference`.

    Raises
    ------
    AssetError
        If the weights are another architecture's, or the device is not there.
    """

    def __init__(
        self,
        state: Mapping[str, Tensor],
        spec: NetworkSpec,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        batch: int = 64,
    ) -> None:
        network = Network(spec, [HEAD])
        fit_state(network, _parted(state, network), f"affect weights for {spec.backbone}")
        super().__init__(network, spec, device=device, precision=precision, batch=batch)

    def refuse_constant(self, origin: str) -> None:
        """Show the network pictures that have nothing in common, of noise and of one colour.

        Raises
        ------
        AssetError
            If it gives all of them the same arousal, or the same valence.
        """
        side = self.spec.size_px
        noise = np.random.default_rng(0).integers(0, 256, (12, side, side, 3), np.uint8)
        plain = np.full((4, side, side, 3), np.array([0, 85, 170, 255]).reshape(4, 1, 1, 1))
        estimates = self.estimate(np.concatenate([noise, plain.astype(np.uint8)]))
        same = [str(d) for d, v in zip(DIMENSIONS, estimates.T, strict=True) if np.ptp(v) == 0]
        if same:
            raise AssetError(
                f"{origin}: the network gives every picture the same {' and '.join(same)}: its "
                "outputs are dead or saturated, and frames could not be ranked by them. "
                "Give other weights."
            )

    def estimate(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Arousal and valence ``[N, 2]`` of ``crops``, RGB ``[N, S, S, 3]``.

        Raises
        ------
        ValueError
            If the crops have another size or type than the network takes.
        """
        return self.estimate_stream(enumerate(crops))[1]

    def estimate_stream(self, crops: Numbered) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Frames ``[N]`` and their arousal and valence ``[N, 2]``, from (frame, crop) pairs.

        One batch of crops is held at a time, whatever the number of frames.

        Raises
        ------
        ValueError
            If a crop has another size or type than the network takes.
        """
        frames, estimates = self.outputs(crops, HEAD.name)
        # + 0.0 turns -0.0 into 0.0.
        return frames, np.round(estimates.numpy(), DECIMALS) + np.float32(0.0)


def _parted(state: Mapping[str, Tensor], network: Network) -> Mapping[str, Tensor]:
    """``state`` with its names as ours are, where they are those of a whole timm model."""
    heads = classifier_names(network.backbone)
    ours = any(name.startswith("backbone.") for name in state)
    if ours or len(heads) != 1 or not any(name.startswith(heads) for name in state):
        return state
    return {
        f"head.{name.removeprefix(heads[0])}" if name.startswith(heads) else f"backbone.{name}": t
        for name, t in state.items()
    }
