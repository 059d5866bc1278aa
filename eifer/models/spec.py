"""What is chosen about the classifiers and their training. Imports nothing heavy.

Everything of the recipe is the study's and has no default; `Hardware` is the machine's,
and no choice of the study depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eifer.errors import ParamsError

Heads = Literal["new", "carried"]
"""Whether a training draws new heads, or keeps those of its initial weights, if any."""

PhaseName = Literal["heads", "all"]


@dataclass(frozen=True)
class NetworkSpec:
    """A backbone by its registered name, and the side of the square crops it takes."""

    backbone: str
    size_px: int


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed; each change happens with ``probability``, apart.

    ``brightness`` is the range of the factor on all values, ``blur_sigma_px`` that of the
    Gaussian's standard deviation. The third change, grayscale, has no size.
    """

    probability: float
    brightness: tuple[float, float]
    blur_sigma_px: tuple[float, float]


@dataclass(frozen=True)
class Rate:
    """A learning rate that rises from ``start`` to ``peak``, then falls to 0 along a cosine."""

    start: float
    peak: float


@dataclass(frozen=True)
class Phase:
    """A stage of training: ``epochs`` in all, the first ``warmup_epochs`` of rising rates.

    ``backbone`` null: the backbone is frozen, its normalisation statistics included.
    """

    epochs: int
    warmup_epochs: int
    heads: Rate
    backbone: Rate | None


@dataclass(frozen=True)
class Thresholds:
    """Candidates for the decision threshold: ``low``, ``low`` + ``step`` ... ``high``."""

    low: float
    high: float
    step: float


@dataclass(frozen=True)
class Recipe:
    """How every model of the study is trained: two phases of AdamW.

    The loss is BCE on the label, positives weighted n_neg / n_pos of the training data, plus
    ``regression_weight`` x MSE on the estimate. Gradients are clipped to the L2 norm
    ``gradient_clip``. The kept epoch is the one of best validation macro F1 at
    ``epoch_threshold`` (ties: the first); the decision threshold is searched afterwards.
    """

    first: Phase
    second: Phase
    batch: int
    weight_decay: float
    gradient_clip: float
    regression_weight: float
    epoch_threshold: float
    thresholds: Thresholds
    augmentation: Augmentation

    def phases(self) -> tuple[tuple[PhaseName, Phase], ...]:
        """The two phases in their order, by what learns in them."""
        return ("heads", self.first), ("all", self.second)


@dataclass(frozen=True)
class Hardware:
    """What a training may use: no part of the study.

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
    first, dash, last = block.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise ParamsError(f"block {block!r} is neither a repetition (3) nor a range (1-5)")
    found = list(range(int(first), int(last or first) + 1))
    if not found or found[0] < 1:
        raise ParamsError(f"block {block!r} holds no repetition; they count from 1")
    return found
