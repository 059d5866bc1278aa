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


Colours = Literal["grey", "grey_in_3", "rgb"]
"""What a network sees of a picture: one grey channel, the same in three channels, or colours."""
Top = Literal["cnn48", "flat", "attention"]
"""Layers of this project's own: see `eifer.training.architectures`."""


@dataclass(frozen=True)
class LayeredSpec(NetworkSpec):
    """A network of this project's own layers, on a timm ``backbone`` or (cnn48) on pixels.

    ``width`` scales the layers of cnn48. ``dropout`` follows each dense layer, ``block_dropout``
    each block of cnn48. ``norm_momentum`` is the share of a new batch in running statistics.
    """

    top: Top
    colours: Colours
    width: float
    dropout: float
    block_dropout: float
    norm_momentum: float

    def __post_init__(self) -> None:
        """Refuse what the layers do not have."""
        if (self.backbone == "cnn48") != (self.top == "cnn48"):
            raise ValueError(f"{self.backbone} has no layers {self.top!r} on it")
        if self.top != "cnn48" and (self.width != 1 or self.block_dropout):
            raise ValueError(f"{self.top}: only cnn48 has a width and blocks; give 1, and 0")
        if self.top != "cnn48" and self.colours == "grey":
            raise ValueError(f"{self.top}: {self.backbone} takes 3 channels; give grey_in_3")


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
