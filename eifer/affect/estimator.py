"""Arousal and valence of crops, estimated with the affect network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from eifer.affect.agreement import DIMENSIONS
from eifer.affect.seeing import probes, refuse_constant, rounded
from eifer.training.backbones import classifier_names
from eifer.training.inference import Inference, Numbered
from eifer.training.network import Network
from eifer.training.spec import Head, NetworkSpec, Precision
from eifer.training.weights import fit_state

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

    columns = ()

    def see(self, crop: NDArray[np.uint8], shapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Arousal and valence, ``[2]``, as any `Seeing`; of many crops `estimate` is faster."""
        return self.estimate(crop[None])[0]

    def refuse_constant(self, origin: str) -> None:
        """Show the network pictures that have nothing in common; see `refuse_constant`."""
        refuse_constant(self.estimate(probes(self.spec.size_px)), origin)

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
        return frames, rounded(estimates.numpy())


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
