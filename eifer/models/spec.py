"""What is chosen about the classifiers and their training. Imports nothing heavy.

Everything of the recipe is the study's and has no default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from eifer.errors import ParamsError
from eifer.ranges import Count, NotNegative, Number, Share
from eifer.training.spec import Head, Photometry, Rate

Heads = Literal["new", "carried"]
"""Whether a training draws new heads, or keeps those of its initial weights, if any."""

HEADS = LABEL, ESTIMATE = Head("classifier", 1), Head("regressor", 1)
"""The logit of class 1, and the estimate as a regression."""

BLOCK = re.compile("(?P<first>[1-9][0-9]{0,3})(-(?P<last>[1-9][0-9]{0,3}))?")
"""Without zeros in front: a repetition has one name."""


@dataclass(frozen=True)
class Phase:
    """A stage of training: ``epochs`` in all, the first ``warmup_epochs`` of rising rates.

    ``backbone`` null: the backbone is frozen, its normalisation statistics included.
    """

    epochs: Count
    warmup_epochs: Number
    heads: Rate
    backbone: Rate | None

    def __post_init__(self) -> None:
        """Refuse a warm-up longer than the phase."""
        if self.warmup_epochs > self.epochs:
            raise ValueError(f"{self.warmup_epochs} of {self.epochs} epochs are warm-up")


@dataclass(frozen=True)
class Thresholds:
    """Candidates for the decision threshold: ``low``, ``low`` + ``step`` ... ``high``."""

    low: Share
    high: Share
    step: Annotated[float, Ge(0.0001), Le(1)]

    def __post_init__(self) -> None:
        """Refuse what no candidates can be made of."""
        steps = (self.high - self.low) / self.step if self.step > 0 else -1
        if steps < 0 or abs(steps - round(steps)) > 1e-6:
            raise ValueError(
                f"thresholds {self.low} to {self.high} in steps of {self.step}; "
                "give low <= high and a step that divides their distance"
            )


@dataclass(frozen=True)
class Recipe:
    """How every model of the study is trained: two phases of AdamW.

    The loss is BCE on the label, positives weighted n_neg / n_pos of the training data, plus
    ``regression_weight`` x MSE on the estimate. Gradients are clipped to the L2 norm
    ``gradient_clip``. The kept epoch is the second phase's of best validation macro F1
    at ``epoch_threshold`` (ties: the lowest validation loss), or in the assignment ``final`` the
    last; the decision threshold is searched afterwards.
    """

    first: Phase
    second: Phase
    batch: Annotated[int, Ge(2), Le(65_536)]
    weight_decay: NotNegative
    gradient_clip: NotNegative
    regression_weight: NotNegative
    epoch_threshold: Share
    thresholds: Thresholds
    augmentation: Photometry

    def __post_init__(self) -> None:
        """Refuse phases in the wrong order."""
        if self.first.backbone is not None or self.second.backbone is None:
            raise ValueError(
                "the backbone rests in the first phase (backbone: null) and learns in the second "
                "(backbone: {start, peak})"
            )


@dataclass(frozen=True)
class Unfreezing:
    """How a pretrained backbone under new heads is trained, with all else as in `Recipe`.

    ``epochs`` of the heads alone, then after each further block is unfrozen, from the output
    down; blocks without epochs stay frozen. Each phase's rates rise and fall anew. The kept epoch
    is the best of all.
    """

    epochs: tuple[Count, ...]
    heads: Rate
    backbone: Rate

    def __post_init__(self) -> None:
        """Refuse a schedule that unfreezes nothing."""
        if len(self.epochs) < 2:
            raise ValueError("epochs: give those of the heads, and of at least one block")


def block_repetitions(block: str) -> list[int]:
    """The repetitions that a block stands for: "3" is the third, "1-5" the first five.

    Raises
    ------
    ParamsError
        If it is neither.
    """
    match = BLOCK.fullmatch(block)
    if match is None:
        raise ParamsError(
            f"block {block[:20]!r} is neither a repetition (3) nor a range (1-5); they go from 1 "
            "to 9999"
        )
    first, last = match["first"], match["last"]
    repetitions = list(range(int(first), int(last or first) + 1))
    if not repetitions:
        raise ParamsError(f"block {block!r} holds no repetition: give the lower end first")
    return repetitions
