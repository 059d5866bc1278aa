"""What is chosen about the classifiers and their training. Imports nothing heavy.

Everything of the recipe is the study's and has no default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le

from eifer.errors import ParamsError
from eifer.ranges import Count, NotNegative, Number, Positive, Share, Text

Heads = Literal["new", "carried"]
"""Whether a training draws new heads, or keeps those of its initial weights, if any."""

PhaseName = Literal["heads", "all"]

BLOCK = re.compile("(?P<first>[1-9][0-9]{0,3})(-(?P<last>[1-9][0-9]{0,3}))?")
"""Without zeros in front: a repetition has one name."""


@dataclass(frozen=True)
class NetworkSpec:
    """A backbone by its registered name, and the side of the square crops it takes."""

    backbone: Text
    size_px: Count


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed; each change happens with ``probability``, apart.

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
class Rate:
    """A learning rate that rises from ``start`` to ``peak``, then falls to 0 along a cosine."""

    start: NotNegative
    peak: Positive

    def __post_init__(self) -> None:
        """Refuse a rise that falls."""
        if self.start > self.peak:
            raise ValueError(f"the rate starts at {self.start}, above its peak {self.peak}")


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
    at ``epoch_threshold`` (ties: the lowest validation loss); the decision threshold is
    searched afterwards.
    """

    first: Phase
    second: Phase
    batch: Annotated[int, Ge(2), Le(65_536)]
    weight_decay: NotNegative
    gradient_clip: NotNegative
    regression_weight: NotNegative
    epoch_threshold: Share
    thresholds: Thresholds
    augmentation: Augmentation

    def __post_init__(self) -> None:
        """Refuse phases in the wrong order."""
        if self.first.backbone is not None or self.second.backbone is None:
            raise ValueError(
                "the backbone rests in the first phase (backbone: null) and learns in the second "
                "(backbone: {start, peak})"
            )

    def phases(self) -> tuple[tuple[PhaseName, Phase], ...]:
        """The two phases in their order, by what learns in them."""
        return ("heads", self.first), ("all", self.second)


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
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False
    hold: Literal["auto", "device", "host"] = "auto"
    deterministic: bool = True


def block_repetitions(block: str) -> list[int]:
    """The repetitions that a block stands for: "3" is the third, "1-5" the first five.

    Raises
    ------
    ParamsError
        If it is neither.
    """
    said = BLOCK.fullmatch(block)
    if said is None:
        raise ParamsError(
            f"block {block[:20]!r} is neither a repetition (3) nor a range (1-5); they go from 1 "
            "to 9999"
        )
    first, last = said["first"], said["last"]
    found = list(range(int(first), int(last or first) + 1))
    if not found:
        raise ParamsError(f"block {block!r} holds no repetition: give the lower end first")
    return found
