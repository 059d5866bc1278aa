"""Random changes of training images, a whole batch at a time, on the images' own device.

What chance decides is drawn for the whole batch before any device takes its part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eifer.training.spec import Geometry, Photometry

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, what RGB pictures are usually made gray with."""

REACH = 3.0
"""The Gaussian is cut off here, in standard deviations: .3 % of its weight lie beyond."""

Floats = NDArray[np.float64]

Draws = Mapping[str, NDArray[Any]]
"""Decisions by name, each an array whose first axis is the images."""

Changed = tuple[Tensor, Mapping[str, Tensor]]
"""Images, float ``[N, 3, H, W]`` in 0..255, and their targets by head."""


class Augmentation(Protocol):
    """Changes training images, and their targets where it mixes them."""

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Decide for ``n`` images."""
        ...

    def __call__(self, images: Tensor, targets: Mapping[str, Tensor], draws: Draws) -> Changed:
        """Change them as drawn; ``images`` may be changed in place."""
        ...


@dataclass(frozen=True)
class Photometric:
    """Grayscale, brightness and blur, each with its probability, its size uniform in its range."""

    how: Photometry

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Gray or not, the factor of brightness, the blur's sigma (0: none)."""
        happens = rng.random((3, n)) < self.how.probability
        brightness = rng.uniform(*self.how.brightness, n)
        sigma = rng.uniform(*self.how.blur_sigma_px, n)
        return {
            "gray": happens[0],
            "brightness": np.where(happens[1], brightness, 1.0),
            "blur_sigma_px": np.where(happens[2], sigma, 0),
        }

    def __call__(self, images: Tensor, targets: Mapping[str, Tensor], draws: Draws) -> Changed:
        """Change the images in place."""
        gray = np.flatnonzero(draws["gray"])
        if len(gray):
            at = _on(images, gray)
            weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
            images[at] = (images[at] * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
        images *= _on(images, draws["brightness"].astype(np.float32)).view(-1, 1, 1, 1)
        images.clamp_(0, 255)
        blurred = np.flatnonzero(draws["blur_sigma_px"])
        if len(blurred):
            at = _on(images, blurred)
            images[at] = blur(images[at], draws["blur_sigma_px"][blurred])
        return images, targets


@dataclass(frozen=True)
class Geometric:
    """Mirror, turn, move and zoom, with a change of brightness, all uniform within bounds."""

    how: Geometry

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Angle, scale, side, shift in halves of the side (as the grid is), brightness."""
        how = self.how
        return {
            "angle": np.deg2rad(how.rotation_deg) * rng.uniform(-1, 1, n),
            "scale": 1 + how.zoom * rng.uniform(-1, 1, n),
            "mirror": np.where(rng.random(n) < how.flip, -1.0, 1.0),
            "shift": (2 * how.shift * rng.uniform(-1, 1, (2, n))).T,
            "gain": 1 + how.brightness * rng.uniform(-1, 1, n),
        }

    def __call__(self, images: Tensor, targets: Mapping[str, Tensor], draws: Draws) -> Changed:
        """Give new images, borders repeated."""
        angle, scale, mirror = draws["angle"], draws["scale"], draws["mirror"]
        rows = [
            [np.cos(angle) * scale * mirror, -np.sin(angle) * scale, draws["shift"][:, 0]],
            [np.sin(angle) * scale * mirror, np.cos(angle) * scale, draws["shift"][:, 1]],
        ]
        matrix = torch.from_numpy(np.array(rows).transpose(2, 0, 1)).to(images)
        grid = nn.functional.affine_grid(matrix, list(images.shape), align_corners=False)
        moved = nn.functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
        gain = torch.from_numpy(draws["gain"]).to(images).view(-1, 1, 1, 1)
        return (moved * gain).clamp(0, 255), targets


@dataclass(frozen=True)
class UpsideDown:
    """Turned over from top to bottom with a probability."""

    probability: float

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """Which ones."""
        return {"turned": rng.random(n) < self.probability}

    def __call__(self, images: Tensor, targets: Mapping[str, Tensor], draws: Draws) -> Changed:
        """Change the images in place."""
        turned = np.flatnonzero(draws["turned"])
        if len(turned):
            at = _on(images, turned)
            images[at] = images[at].flip(2)
        return images, targets


@dataclass(frozen=True)
class Mixup:
    """Each image mixed with another of its batch, and their targets alike (Zhang et al. 2018).

    The share is one number a batch, from Beta(``alpha``, ``alpha``). The other image is that at
    the same place from the end, on each device of several.
    """

    alpha: float

    def draw(self, n: int, rng: np.random.Generator) -> Draws:
        """One share, n times."""
        return {"share": np.full(n, rng.beta(self.alpha, self.alpha))}

    def __call__(self, images: Tensor, targets: Mapping[str, Tensor], draws: Draws) -> Changed:
        """Give new images and targets."""
        share = float(draws["share"][0])
        mixed = {name: share * t + (1 - share) * t.flip(0) for name, t in targets.items()}
        return share * images + (1 - share) * images.flip(0), mixed


def blur(images: Tensor, sigma_px: Floats) -> Tensor:
    """Blur each of ``images`` ``[N, C, H, W]`` with a Gaussian of its own; borders are mirrored."""
    n, channels, height, width = images.shape
    reach = np.minimum(np.floor(REACH * sigma_px + 0.5), min(height, width) - 1)
    radius = int(reach.max())
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-0.5 * (offsets / sigma_px[:, None]) ** 2)
    # Cut off by each one's own sigma: an image must not depend on its neighbours in the batch.
    kernel[np.abs(offsets) > reach[:, None]] = 0
    kernel /= kernel.sum(1, keepdims=True)
    # One group a channel of each image, so that a single call blurs all with their own kernels.
    weight = _on(images, kernel.astype(np.float32)).repeat_interleave(channels, 0)
    planes = images.reshape(1, n * channels, height, width)
    planes = nn.functional.pad(planes, (radius, radius, radius, radius), mode="reflect")
    planes = nn.functional.conv2d(planes, weight[:, None, :, None], groups=n * channels)
    planes = nn.functional.conv2d(planes, weight[:, None, None, :], groups=n * channels)
    return planes.view(n, channels, height, width)


def _on(images: Tensor, values: NDArray[np.generic]) -> Tensor:
    tensor = torch.from_numpy(values)
    if images.is_cuda:  # pinned, or the copy would make the host wait for the device
        tensor = tensor.pin_memory()
    return tensor.to(images.device, non_blocking=True)
