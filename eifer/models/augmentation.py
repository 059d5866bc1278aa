"""Random changes of training images: grayscale, brightness, blur, a whole batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eifer.models.spec import Augmentation

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, what RGB pictures are usually made gray with."""

REACH = 3.0
"""The Gaussian is cut off here, in standard deviations: .3 % of its weight lie beyond."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """What chance decided for N images: gray or not, factor of brightness, blur (0: none)."""

    gray: NDArray[np.bool_]
    brightness: Floats
    blur_sigma_px: Floats

    def part(self, which: slice) -> Draws:
        """The draws of some of the images."""
        return Draws(self.gray[which], self.brightness[which], self.blur_sigma_px[which])


def draw(n: int, how: Augmentation, rng: np.random.Generator) -> Draws:
    """Decide for ``n`` images: each change with its probability, its size uniform in its range."""
    happens = rng.random((3, n)) < how.probability
    brightness = rng.uniform(*how.brightness, n)
    sigma = rng.uniform(*how.blur_sigma_px, n)
    return Draws(happens[0], np.where(happens[1], brightness, 1.0), np.where(happens[2], sigma, 0))


def augment(images: Tensor, draws: Draws) -> Tensor:
    """Change ``images``, float ``[N, 3, H, W]`` in 0..255, as drawn; on their own device.

    ``images`` is changed in place and returned.
    """
    gray = np.flatnonzero(draws.gray)
    if len(gray):
        at = _on(images, gray)
        weights = images.new_tensor(LUMA).view(1, 3, 1, 1)
        images[at] = (images[at] * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1)
    images *= _on(images, draws.brightness.astype(np.float32)).view(-1, 1, 1, 1)
    images.clamp_(0, 255)
    blurred = np.flatnonzero(draws.blur_sigma_px)
    if len(blurred):
        at = _on(images, blurred)
        images[at] = blur(images[at], draws.blur_sigma_px[blurred])
    return images


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
