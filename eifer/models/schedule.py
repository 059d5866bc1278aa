"""The learning rate at every step: linear warm-up, then cosine annealing to 0."""

from __future__ import annotations

import math

from eifer.models.spec import Phase, Rate


def rate_at(step: int, steps_per_epoch: int, phase: Phase, rate: Rate) -> float:
    """The learning rate of one optimiser step.

    Steps count from 0 within the phase, so the schedule moves with every step, not in stairs
    an epoch wide. With W = ``warmup_epochs`` x ``steps_per_epoch`` and T the phase's steps in
    all, step s < W takes start + (peak - start) (s + 1) / W, so that step W - 1, the last of
    the warm-up, is the first at the peak; step s >= W takes peak (1 + cos(pi (s - W + 1) /
    (T - W + 1))) / 2, which would reach 0 one step after the last.
    """
    warmup = phase.warmup_epochs * steps_per_epoch
    if step < warmup:
        return rate.start + (rate.peak - rate.start) * (step + 1) / warmup
    rest = phase.epochs * steps_per_epoch - warmup
    return rate.peak * 0.5 * (1 + math.cos(math.pi * (step - warmup + 1) / (rest + 1)))
