"""What a picture looks like: its size, the hash of its pixels, and one that survives small changes.

The second is the hash of low frequencies (Zauner 2010, "Implementation and benchmarking of
perceptual image hash functions"): copies that were scaled, compressed or lit otherwise lie a few
bits apart.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from eifer.faces.pictures import decoded

Image = NDArray[np.uint8]
SIDE_PX = 32
"""The side of the grey picture whose frequencies are taken."""
LOWEST = 8
"""So many frequencies each way; without the mean, 63 in all."""


@dataclass(frozen=True)
class Look:
    """A picture's size, whether it has colours, SHA-256 of its pixels, and hash of its look."""

    width_px: int
    height_px: int
    colour: bool
    sha256: str
    look: str


def look_at(encoded: bytes) -> Look:
    """The look of an image file's bytes.

    Raises
    ------
    ValueError
        As `decoded`.
    """
    image = decoded(encoded)
    height, width = image.shape[:2]
    digest = hashlib.sha256(f"{width}x{height}".encode())
    digest.update(image.data)
    colour = bool((image != image[..., :1]).any())
    return Look(width, height, colour, digest.hexdigest(), f"{look_hash(small(image)):016x}")


def small(image: Image) -> Image:
    """An RGB picture ``[H, W, 3]`` as a grey one, ``[32, 32]``."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def look_hash(grey: Image) -> int:
    """63 bits of a `small` picture: which of its lowest frequencies lie above their median."""
    lowest = cv2.dct(grey.astype(np.float32))[:LOWEST, :LOWEST].ravel()[1:]
    bits = lowest > np.median(lowest)
    return int("".join("1" if bit else "0" for bit in bits), 2)
