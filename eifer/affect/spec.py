"""What is chosen about estimates of arousal and valence. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from eifer.ranges import Count, Estimate, NotNegative, Part, Positive, Share
from eifer.training.spec import Geometry


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
    augmentation: Geometry


@dataclass(frozen=True)
class Coordinates:
    """A place in the plane of arousal and valence, -1..1 each."""

    arousal: Estimate
    valence: Estimate


@dataclass(frozen=True)
class Places:
    """Where each expression lies."""

    angry: Coordinates
    disgust: Coordinates
    fear: Coordinates
    happy: Coordinates
    sad: Coordinates
    surprise: Coordinates
    neutral: Coordinates


@dataclass(frozen=True)
class ExpressionSpec:
    """Where each expression lies, and which place of the plane is 0.

    ``centre`` is taken off every estimate. Only sadness has low arousal, so that without a
    centre nearly every face would be aroused, neutral ones too.
    """

    coordinates: Places
    centre: Coordinates
