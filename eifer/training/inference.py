"""Outputs of a trained network, a batch at a time; where networks may compute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eifer.errors import AssetError
from eifer.training.network import Network
from eifer.training.spec import NetworkSpec, Precision

GRAIN = 16
"""Batches are filled up to a multiple of this many crops.

oneDNN's convolutions pick their kernel by batch size, and the last bits follow the
kernel: multiples of 16 gave the same bits in every network tried, 7 or 33 did not.
"""

Numbered = Iterable[tuple[int, NDArray[np.uint8]]]
"""Crops ``[S, S, 3]`` with the numbers that they are known by."""


class Inference:
    """Shows crops to a network; on a CPU no output depends on ``precision`` or ``batch``.

    Parameters
    ----------
    device
        A torch device, such as "cpu" or "cuda".
    precision
        "float32", or "bfloat16" for autocast on a GPU; a CPU always takes float32.
    batch
        Crops at a time; rounded up to a multiple of 16.

    Raises
    ------
    AssetError
        If the device is not there.
    """

    def __init__(
        self,
        network: Network,
        spec: NetworkSpec,
        *,
        device: str = "cpu",
        precision: Precision = "float32",
        batch: int = 64,
    ) -> None:
        if precision not in ("float32", "bfloat16") or batch < 1:
            raise ValueError(f"precision float32 or bfloat16, batch > 0: not {precision}, {batch}")
        self.spec = spec
        self.batch = -(-batch // GRAIN) * GRAIN
        self.device = usable_device(device)
        self.bfloat16 = takes_bfloat16(self.device, precision)
        self.network = network.eval().to(self.device)

    def outputs(self, crops: Numbered, head: str) -> tuple[NDArray[np.int64], Tensor]:
        """Numbers ``[N]`` and the head's float32 outputs on the host; one batch is held at a time.

        Raises
        ------
        ValueError
            If a crop has another size or type than the network takes.
        """
        numbers: list[int] = []
        # Kept on the device until the end: fetching each would wait for it, and the next
        # batch's crops are made meanwhile.
        outputs: list[Tensor] = [torch.empty((0, self.network.width(head)), device=self.device)]
        for known, images in self._batches(crops):
            numbers += known
            values = self.read(self._forward(images)[head].float())
            outputs.append(values.view(len(images), -1)[: len(known)])
        return np.array(numbers, np.int64), torch.cat(outputs).cpu()

    def read(self, outputs: Tensor) -> Tensor:
        """What is made of a filled batch's outputs: last bits follow the length of a tensor too."""
        return outputs

    def _batches(self, crops: Numbered) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
        side = self.spec.size_px
        buffer = np.zeros((self.batch, side, side, 3), np.uint8)
        numbers: list[int] = []
        for number, crop in crops:
            if crop.shape != (side, side, 3) or crop.dtype != np.uint8:
                raise ValueError(
                    f"crop {number} is {crop.dtype} {crop.shape}; {self.spec.backbone} "
                    f"takes uint8 ({side}, {side}, 3). Cut crops of the network's size_px."
                )
            buffer[len(numbers)] = crop
            numbers.append(number)
            if len(numbers) == self.batch:
                yield numbers, buffer
                numbers = []
        if numbers:
            yield numbers, buffer[: -(-len(numbers) // GRAIN) * GRAIN]

    def _forward(self, images: NDArray[np.uint8]) -> dict[str, Tensor]:
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16),
        ):
            outputs: dict[str, Tensor] = self.network(as_input(images, self.device))
        return outputs


class Chances(Inference):
    """Gives probabilities of a head's classes instead of their logits."""

    def read(self, outputs: Tensor) -> Tensor:
        """Softmax over the classes."""
        return torch.softmax(outputs, 1)


def as_input(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """uint8 ``[N, S, S, 3]`` as the network's float ``[N, 3, S, S]``, without moving channels."""
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2).to(torch.float32)


def takes_bfloat16(device: torch.device, precision: Precision) -> bool:
    """Whether networks compute in bfloat16 there: on a GPU that is told to."""
    return precision == "bfloat16" and device.type != "cpu"


def usable_device(name: str) -> torch.device:
    """Find the torch device of that name.

    Raises
    ------
    AssetError
        If this machine does not have it.
    """
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise AssetError(
            f"device {name!r} is not usable here ({str(error).splitlines()[0]}). "
            "Set the device to cpu, or run where it is."
        ) from error
    return torch.device(name)
