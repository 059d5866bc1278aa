"""What is chosen about the affect network: its form and its training. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AffectSpec:
    """What a crop must be and which network reads it.

    ``backbone`` is a timm name, ``size_px`` the side of the square crop, ``mean`` and
    ``std`` the normalisation of RGB in [0, 1].
    """

    backbone: str
    size_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Augmentation:
    """How far training images may be changed; 0 leaves a property alone.

    ``flip`` is the probability of a mirror image; ``brightness`` the largest relative
    change of all values; ``rotation_deg``, ``shift`` (share of the side) and ``zoom``
    (share) the largest change of geometry, to either side.
    """

    flip: float
    brightness: float
    rotation_deg: float
    shift: float
    zoom: float


@dataclass(frozen=True)
class AffectTraining:
    """The recipe: AdamW, a linear warm-up over ``warmup_share`` of the steps, then a cosine.

    The loss is MSE + ``ccc_weight`` x (1 - CCC), CCC per batch and averaged over the two
    dimensions, as is usual for AffectNet (Toisoul et al., Nature Machine Intelligence 2021).
    ``validation_share`` is the share of identities held out.
    """

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    warmup_share: float
    gradient_clip: float
    ccc_weight: float
    validation_share: float
    augmentation: Augmentation
