"""What a network is and how it learns: the engine's only argument beside the data.

Every part is a frozen dataclass of plain values, so that the description's ``repr`` says all of
it: a checkpoint knows by that text whose it is. Its parts are in `losses`, `augmentation` and
`schedule`; a merit stands beside the description that needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from eifer.training.augmentation import Augmentation
from eifer.training.losses import Loss
from eifer.training.schedule import Schedule
from eifer.training.spec import Head, Keep, NetworkSpec

Outputs = Mapping[str, Tensor]
"""By the names of the heads: ``[N]`` for a head of one output, else ``[N, outputs]``."""

Judged = tuple[tuple[float, ...], dict[str, float]]
"""How good an epoch is (larger is better, compared as a tuple), and metrics for its row."""


class Merit(Protocol):
    """Judges an epoch by the outputs and targets of all validation items, and their loss."""

    def __call__(self, outputs: Outputs, targets: Outputs, loss: float) -> Judged:
        """Merit and metrics."""
        ...


@dataclass(frozen=True)
class Objective:
    """What a head learns; ``weight`` is its loss's in the whole loss."""

    head: Head
    loss: Loss
    weight: float = 1.0


@dataclass(frozen=True)
class Part:
    """Submodules of the network that learn at one rate; ``name`` is for the curves."""

    name: str
    modules: tuple[str, ...]
    rate: Schedule


@dataclass(frozen=True)
class Phase:
    """``epochs`` in which ``parts`` learn; the rest is frozen, normalisation included."""

    name: str
    epochs: int
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Description:
    """A network and its training by AdamW, new in each phase.

    ``batch`` images make a step; gradients are clipped to the L2 norm ``gradient_clip``. The
    epoch of best merit (or, by ``keep``, the last) is kept, of the phases from ``keeps_from`` on:
    by default of the last one, because in earlier ones the backbone may rest, and what is handed
    on would be what came in. After ``patience`` epochs without a better one training ends early.

    ``eps`` is AdamW's; a ``weight_decay`` of 0 makes it Adam.

    ``seeds`` are put before the names of all random draws. ``fused`` takes AdamW's faster kernel
    on a CPU, and ``by_storage`` has a batch's rows in their order of storage: two habits of the
    affect network, whose weights would differ in their last bits without them.
    """

    network: NetworkSpec
    objectives: tuple[Objective, ...]
    phases: tuple[Phase, ...]
    merit: Merit
    augmentation: tuple[Augmentation, ...]
    batch: int
    weight_decay: float
    gradient_clip: float
    patience: int | None = None
    keeps_from: int = -1
    keep: Keep = "best"
    seeds: tuple[str, ...] = ()
    fused: bool = True
    by_storage: bool = False
    eps: float = 1e-8

    @property
    def heads(self) -> tuple[Head, ...]:
        """Of the network, in the order of the objectives."""
        return tuple(objective.head for objective in self.objectives)

    @property
    def epochs(self) -> int:
        """Of all phases together."""
        return sum(phase.epochs for phase in self.phases)
