"""Still pictures, decoded from the bytes of their files."""

from __future__ import annotations

import io
import math

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS = 2**26
"""Of an image: a file of 32 KB can unpack to gigabytes."""


def decoded(encoded: bytes) -> NDArray[np.uint8]:
    """The picture of an image file's bytes, RGB ``[H, W, 3]``, contiguous.

    Raises
    ------
    ValueError
        If it cannot be decoded, or has more than `MOST_PIXELS`.
    """
    import cv2

    if pixels(encoded) > MOST_PIXELS:
        raise ValueError(f"of more than {MOST_PIXELS} pixels")
    buffer = np.frombuffer(encoded, np.uint8)
    bgr = cv2.imdecode(buffer, cv2.IMREAD_COLOR) if buffer.size else None
    if bgr is None:
        raise ValueError("cannot be decoded")
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.uint8)


def at_size(image: NDArray[np.uint8], side_px: int) -> NDArray[np.uint8]:
    """A picture ``[H, W, 3]`` as a square of ``side_px``, its proportions not kept."""
    import cv2

    if image.shape[:2] == (side_px, side_px):
        return image
    smaller = min(image.shape[:2]) > side_px
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side_px, side_px), interpolation=how), np.uint8)


def pixels(encoded: bytes) -> float:
    """How many pixels an encoded image has, by its header; 0 where the header does not say."""
    import PIL.Image  # who reads videos alone has none

    try:
        with PIL.Image.open(io.BytesIO(encoded)) as header:
            return header.width * header.height
    except PIL.Image.DecompressionBombError:
        return math.inf
    except (OSError, ValueError, SyntaxError):
        return 0
