"""The affect network, and estimates made with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eifer.affect.agreement import DIMENSIONS
from eifer.affect.spec import AffectSpec
from eifer.affect.weights import fit_state
from eifer.errors import AssetError, did_you_mean

DECIMALS = 6
"""Estimates are rounded here, below which the arithmetic of devices and batches differs."""

GRAIN = 16
"""Batches are filled up to a multiple of this many crops.

oneDNN's convolutions pick their kernel by batch size, and the last bits follow the
kernel: multiples of 16 gave the same bits in every network tried, 7 or 33 did not.
"""

Precision = Literal["float32", "bfloat16"]


class AffectNetwork(nn.Module):
    """A timm backbone's pooled features, one linear layer, tanh: arousal and valence.

    Takes RGB ``[N, 3, S, S]`` in 0..255 and gives ``[N, 2]`` in [-1, 1]; normalisation
    is part of the network, so that no caller can forget it.

    Raises
    ------
    AssetError
        If timm has no backbone of that name.
    """

    def __init__(self, spec: AffectSpec) -> None:
        super().__init__()
        import timm

        if spec.backbone not in timm.list_models():
            raise AssetError(
                f"timm has no backbone {spec.backbone!r}"
                f"{did_you_mean(spec.backbone, timm.list_models())}. "
                "timm.list_models() lists the names; name one in the params."
            )
        self.backbone = timm.create_model(spec.backbone, pretrained=False, num_classes=0)
        # Some backbones (MobileNetV3) widen their features once more after pooling.
        width = getattr(self.backbone, "head_hidden_size", self.backbone.num_features)
        self.head = nn.Linear(width, len(DIMENSIONS))
        # Not saved: they are the spec's, and the weights hold only what was learnt.
        self.scale: Tensor
        self.shift: Tensor
        # Spread over the picture: repeating three numbers along the innermost axis, which
        # channels_last makes of the channels, is four times slower.
        mean, std = torch.tensor(spec.mean), torch.tensor(spec.std)
        for name, values in (("scale", 1 / (255 * std)), ("shift", -mean / std)):
            spread = values.view(1, 3, 1, 1).expand(1, 3, spec.size_px, spec.size_px)
            spread = spread.contiguous(memory_format=torch.channels_last)
            self.register_buffer(name, spread, persistent=False)
        self.to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> Tensor:
        """Arousal and valence of ``images``."""
        normal = torch.addcmul(self.shift, images, self.scale)
        return torch.tanh(self.head(self.backbone(normal)))


class Estimator:
    """Estimates arousal and valence of crops.

    On a CPU no estimate depends on ``precision`` or ``batch``.

    Parameters
    ----------
    state
        The network's weights by name (``eifer.affect.weights.load_weights``), or those of a
        whole timm model of two classes, arousal and valence before tanh.
    spec
        The network and the crops it takes.
    device
        A torch device, such as "cpu" or "cuda".
    precision
        "float32", or "bfloat16" for autocast on a GPU; a CPU always takes float32.
    batch
        Crops at a time; rounded up to a multiple of 16.

    Raises
    ------
    AssetError
        If the weights are another architecture's, or the device is not there.
    """

    def __init__(
        self,
        state: Mapping[str, Tensor],
        spec: AffectSpec,
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
        network = AffectNetwork(spec)
        fit_state(network, _parted(state, network), f"affect weights for {spec.backbone}")
        self.network = network.eval().to(self.device)

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

    def estimate_stream(
        self, crops: Iterable[tuple[int, NDArray[np.uint8]]]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Frames ``[N]`` and their arousal and valence ``[N, 2]``, from (frame, crop) pairs.

        One batch of crops is held at a time, whatever the number of frames.

        Raises
        ------
        ValueError
            If a crop has another size or type than the network takes.
        """
        frames: list[int] = []
        # Kept on the device until the end: fetching each would wait for it, and the next
        # batch's crops are made meanwhile.
        outputs: list[Tensor] = []
        for numbers, images in self._batches(crops):
            frames += numbers
            outputs.append(self._forward(images)[: len(numbers)])
        if not outputs:
            return np.empty(0, np.int64), np.empty((0, len(DIMENSIONS)), np.float32)
        estimates = torch.cat(outputs).float().cpu().numpy()
        # + 0.0 turns -0.0 into 0.0.
        return np.array(frames, np.int64), np.round(estimates, DECIMALS) + np.float32(0.0)

    def _batches(
        self, crops: Iterable[tuple[int, NDArray[np.uint8]]]
    ) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
        side = self.spec.size_px
        buffer = np.zeros((self.batch, side, side, 3), np.uint8)
        numbers: list[int] = []
        for frame, crop in crops:
            if crop.shape != (side, side, 3) or crop.dtype != np.uint8:
                raise ValueError(
                    f"crop of frame {frame} is {crop.dtype} {crop.shape}; {self.spec.backbone} "
                    f"takes uint8 ({side}, {side}, 3). Cut crops of the estimator's size_px."
                )
            buffer[len(numbers)] = crop
            numbers.append(frame)
            if len(numbers) == self.batch:
                yield numbers, buffer
                numbers = []
        if numbers:
            yield numbers, buffer[: -(-len(numbers) // GRAIN) * GRAIN]

    def _forward(self, images: NDArray[np.uint8]) -> Tensor:
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16),
        ):
            estimates: Tensor = self.network(as_input(images, self.device))
        return estimates


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


def classifier_names(backbone: Any) -> tuple[str, ...]:
    """Give the beginnings of the names that timm's own classifier has in this backbone's files."""
    names = backbone.pretrained_cfg.get("classifier") or ()
    return tuple(f"{name}." for name in ([names] if isinstance(names, str) else names))


def _parted(state: Mapping[str, Tensor], network: AffectNetwork) -> Mapping[str, Tensor]:
    """``state`` with its names as ours are, where they are those of a whole timm model."""
    heads = classifier_names(network.backbone)
    ours = any(name.startswith("backbone.") for name in state)
    if ours or len(heads) != 1 or not any(name.startswith(heads) for name in state):
        return state
    return {
        f"head.{name.removeprefix(heads[0])}" if name.startswith(heads) else f"backbone.{name}": t
        for name, t in state.items()
    }
