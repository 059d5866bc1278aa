"""Choices that every training shares. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt

from eifer.ranges import Count, NotNegative, Positive, Share, Text

Precision = Literal["float32", "bfloat16"]
Keep = Literal["best", "last"]
"""Which epoch of the second phase is kept: the best on validation, or the last."""


@dataclass(frozen=True)
class NetworkSpec:
    """What a crop must be and which backbone reads it.

    ``backbone`` is a timm name, ``size_px`` the side of the square crop, ``mean`` and
    ``std`` the normalisation of RGB in [0, 1].
    """

    backbone: Text
    size_px: Count
    mean: tuple[Share, Share, Share]
    std: tuple[Positive, Positive, Positive]


@dataclass(frozen=True)
class Head:
    """A linear layer on the backbone's features; ``name`` is that of its weights and targets.

    ``bounded`` outputs pass through tanh.
    """

    name: str
    outputs: int
    bounded: bool = False


@dataclass(frozen=True)
class Rate:
    """A learning rate that rises from ``start`` to ``peak``, then falls to 0 along a cosine."""

    start: NotNegative
    peak: Positive

    def __post_init__(self) -> None:
        """Refuse a rise that falls."""
        if self.start > self.peak:
            raise ValueError(f"the rate starts at {self.start}, above its peak {self.peak}")


@dataclass(frozen=True)
class Photometry:
    """How colours of training images are changed; each change with ``probability``, apart.

    ``brightness`` is the range of the factor on all values, ``blur_sigma_px`` that of the
    Gaussian's standard deviation. The third change, grayscale, has no size.
    """

    probability: Share
    brightness: tuple[NotNegative, NotNegative]
    blur_sigma_px: tuple[NotNegative, NotNegative]

    def __post_init__(self) -> None:
        """Refuse a range that ends before it begins."""
        for name in ("brightness", "blur_sigma_px"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} [{low}, {high}]: give the lower end first")


@dataclass(frozen=True)
class Geometry:
    """How far training images may be changed; 0 leaves a property alone.

    ``flip`` is the probability of a mirror image; ``brightness`` the largest relative
    change of all values; ``rotation_deg``, ``shift`` (share of the side) and ``zoom``
    (share) the largest change of geometry, to either side.
    """

    flip: Share
    brightness: Share
    rotation_deg: Annotated[float, Ge(0), Le(180)]
    shift: Share
    zoom: Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class Hardware:
    """What a training may use.

    All but ``hold`` can change a result, and comes from the params (`stages.params.Arithmetic`).
    ``devices`` above 1 share each batch (DDP). ``precision`` holds on a GPU; a CPU always
    takes float32. ``hold`` says where the crops lie between batches: on the device, on the
    host, or (auto) on the device where they take no more than half of what is free there.
    ``deterministic`` makes a GPU repeat itself, at some cost in speed; a CPU always does.
    """

    device: str = "cpu"
    devices: int = 1
    precision: Precision = "float32"
    compile: bool = False
    hold: Literal["auto", "device", "host"] = "auto"
    deterministic: bool = True
