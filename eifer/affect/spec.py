"""What is chosen about the affect network: its form and its training. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le, Lt

from eifer.ranges import Count, NotNegative, Part, Positive, Share, Text


@dataclass(frozen=True)
class AffectSpec:
    """What a crop must be and which network reads it.

    ``backbone`` is a timm name, ``size_px`` the side of the square crop, ``mean`` and
    ``std`` the normalisation of RGB in [0, 1].
    """

    backbone: Text
    size_px: Count
    mean: tuple[Share, Share, Share]
    std: tuple[Positive, Positive, Positive]


@dataclass(frozen=True)
class Augmentation:
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
class AffectTraining:
    """The recipe: AdamW, a linear warm-up over ``warmup_share`` of the steps, then a cosine.

    The loss is MSE + ``ccc_weight`` x (1 - CCC), CCC per batch and averaged over the two
    dimensions, as is usual for AffectNet (Toisoul et al., Nature Machine Intelligence 2021).
    ``validation_share`` is the share of identities held out.
    """

    epochs: Count
    batch: Annotated[int, Ge(2), Le(65_536)]
    learning_rate: Positive
    weight_decay: NotNegative
    warmup_share: Share
    gradient_clip: NotNegative
    ccc_weight: NotNegative
    validation_share: Part
    augmentation: Augmentation
