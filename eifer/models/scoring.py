"""Scores made with a trained classifier."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eifer.affect.estimator import as_input, takes_bfloat16, usable_device
from eifer.affect.weights import fit_state, load_weights, read_metadata
from eifer.errors import AssetError
from eifer.hashing import sha256_file
from eifer.models.network import TwoHeads
from eifer.models.spec import Hardware, NetworkSpec

Score = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Crops, RGB uint8 ``[N, S, S, 3]``, to the probability of class 1 ``[N]``."""


CPU_BATCH = 64


class Scorer:
    """Scores crops with one classifier; a `Score`.

    The hardware is the machine's; on a CPU no score depends on it.

    Parameters
    ----------
    state
        The network's weights by name.
    spec
        The network they belong to.
    batch
        Crops a GPU sees at a time. A CPU always takes 64, because the last bit of a score
        follows the size of its batch.

    Raises
    ------
    AssetError
        If the backbone is not registered, the weights are another architecture's, or the
        device is not there.
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
        self.spec, self.device = spec, usable_device(hardware.device)
        self.batch = CPU_BATCH if self.device.type == "cpu" else batch
        self.bfloat16 = takes_bfloat16(self.device, hardware.precision)
        network = TwoHeads(spec)
        fit_state(network, state, f"classifier weights for {spec.backbone}")
        self.network = network.eval().to(self.device)

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The probability of class 1 for each of ``crops``, RGB uint8 ``[N, S, S, 3]``.

        Raises
        ------
        ValueError
            If the crops have another size or type than the network takes.
        """
        side = self.spec.size_px
        if crops.shape[1:] != (side, side, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"crops are {crops.dtype} {crops.shape}; {self.spec.backbone} takes uint8 "
                f"[N, {side}, {side}, 3]. Cut crops of the network's size_px."
            )
        scores = [
            self._scores(crops[start : start + self.batch])
            for start in range(0, len(crops), self.batch)
        ]
        return torch.cat(scores).cpu().numpy() if scores else np.empty(0, np.float32)

    def _scores(self, crops: NDArray[np.uint8]) -> Tensor:
        # A last, smaller batch is filled up: see CPU_BATCH.
        padded = np.zeros((self.batch, *crops.shape[1:]), np.uint8)
        padded[: len(crops)] = crops
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16),
        ):
            logits, _ = self.network(as_input(padded, self.device))
        return torch.sigmoid(logits.float())[: len(crops)]


def load(
    path: Path, sha256: str | None = None, *, hardware: Hardware | None = None, batch: int = 128
) -> Scorer:
    """Read a ``repetition-<r>.safetensors`` of this project; its card says which network it is.

    Raises
    ------
    AssetError
        If the file is missing, has another hash than ``sha256``, or is none of ours.
    """
    if sha256 is None and path.is_file():
        sha256 = sha256_file(path)
    state = load_weights(path, sha256 or "")
    made = read_metadata(path).get("network")
    if made is None:
        raise AssetError(
            f"weights {path}: their card names no network; they are not a classifier of eifer."
        )
    spec = NetworkSpec(made["backbone"], made["size_px"])
    return Scorer(state, spec, hardware=hardware, batch=batch)
