"""Scores made with a trained classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eifer.models.spec import HEADS, LABEL
from eifer.training.backbones import backbone_card
from eifer.training.inference import Inference
from eifer.training.network import Network
from eifer.training.spec import Hardware, NetworkSpec
from eifer.training.weights import fit_state, load_own


class Scorer(Inference):
    """Scores crops with one classifier: a `eifer.evaluation.Scorer`.

    Parameters
    ----------
    state
        The network's weights by name.
    spec
        The network they belong to.
    hardware, batch
        Where and how many crops at a time; on a CPU no score depends on them.

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
        hardware: Hardware | None = None,
        batch: int = 128,
    ) -> None:
        hardware = hardware or Hardware()
        network = Network(spec, HEADS)
        fit_state(network, state, f"classifier weights for {spec.backbone}")
        device, precision = hardware.device, hardware.precision
        super().__init__(network, spec, device=device, precision=precision, batch=batch)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The probability of class 1 for each of ``crops``, RGB uint8 ``[N, S, S, 3]``.

        Raises
        ------
        ValueError
            If the crops have another size or type than the network takes.
        """
        scores: NDArray[np.float32] = self.outputs(enumerate(crops), LABEL.name)[1][:, 0].numpy()
        return scores

    def read(self, outputs: Tensor) -> Tensor:
        """Probabilities of logits."""
        return torch.sigmoid(outputs)


def load(
    path: Path, sha256: str | None = None, *, hardware: Hardware | None = None, batch: int = 128
) -> Scorer:
    """Read a ``repetition-<r>.safetensors`` of this project; its card says which network it is.

    Raises
    ------
    AssetError
        If the file is missing, has another hash than ``sha256``, or is none of ours.
    """
    state, made = load_own(path, sha256, "network", "classifier")
    spec = backbone_card(made["backbone"]).at(made["size_px"])
    return Scorer(state, spec, hardware=hardware, batch=batch)
