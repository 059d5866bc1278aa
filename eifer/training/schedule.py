"""Learning rates at every step: each a plain function of where its phase stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eifer.training.spec import Rate


class Schedule(Protocol):
    """The rate of a step of a phase."""

    def __call__(self, step: int, per_epoch: int, losses: Sequence[float]) -> float:
        """``step`` counts from 0 within the phase; ``losses`` are its validation losses so far."""
        ...


@dataclass(frozen=True)
class WarmUpCosine:
    """Linear warm-up over ``warmup_epochs``, then cosine annealing to 0, of a phase of ``epochs``.

    It moves with every step, not in stairs an epoch wide. With W = ``warmup_epochs`` x steps an
    epoch and T the phase's steps in all, step s < W takes start + (peak - start) (s + 1) / W, so
    that step W - 1, the last of the warm-up, is the first at the peak; step s >= W takes
    peak (1 + cos(pi (s - W + 1) / (T - W + 1))) / 2, which would reach 0 one step after the last.
    """

    rate: Rate
    warmup_epochs: int
    epochs: int

    def __call__(self, step: int, per_epoch: int, losses: Sequence[float]) -> float:
        """As the class says."""
        warmup = self.warmup_epochs * per_epoch
        if step < warmup:
            return self.rate.start + (self.rate.peak - self.rate.start) * (step + 1) / warmup
        rest = self.epochs * per_epoch - warmup
        return self.rate.peak * 0.5 * (1 + math.cos(math.pi * (step - warmup + 1) / (rest + 1)))


@dataclass(frozen=True)
class WarmUpShareCosine:
    """As `WarmUpCosine` from 0, with a warm-up of a share of the steps, and twice at the peak.

    Step s >= W takes peak (1 + cos(pi (s - W) / (T - W))) / 2.
    """

    peak: float
    warmup_share: float
    epochs: int

    def __call__(self, step: int, per_epoch: int, losses: Sequence[float]) -> float:
        """As the class says."""
        steps = self.epochs * per_epoch
        warmup = max(1, round(self.warmup_share * steps))
        if step < warmup:
            return self.peak * ((step + 1) / warmup)
        rest = max(1, steps - warmup)
        return self.peak * (0.5 * (1 + math.cos(math.pi * (step - warmup) / rest)))


@dataclass(frozen=True)
class Plateau:
    """``peak``, times ``factor`` after each ``patience`` epochs without a lower validation loss.

    It is lower only if by more than ``gain``. The rate never falls below ``floor``.
    """

    peak: float
    factor: float
    patience: int
    floor: float = 0.0
    gain: float = 0.0

    def __call__(self, step: int, per_epoch: int, losses: Sequence[float]) -> float:
        """As the class says."""
        rate, best, waited = self.peak, math.inf, 0
        for loss in losses:
            best, waited = (loss, 0) if loss < best - self.gain else (best, waited + 1)
            if waited == self.patience:
                rate, waited = max(rate * self.factor, self.floor), 0
        return rate
