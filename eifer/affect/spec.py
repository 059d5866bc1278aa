"""What is chosen about the affect network's training. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from eifer.ranges import Count, NotNegative, Part, Positive, Share
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
