"""How long a training step takes on this machine, and how large a model's weights are."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch

from eifer.models.spec import ESTIMATE, LABEL, Recipe
from eifer.models.training import train_repetition
from eifer.training.data import TrainingData
from eifer.training.network import Network
from eifer.training.spec import Hardware, NetworkSpec

BATCHES = 4
"""In an epoch that is timed."""


def weights_bytes(spec: NetworkSpec) -> int:
    """How large a classifier's weights are; nothing is computed, and no memory is taken."""
    with torch.device("meta"):
        state = Network(spec, [LABEL, ESTIMATE]).state_dict()
    return sum(values.numel() * values.element_size() for values in state.values())


def measure(spec: NetworkSpec, recipe: Recipe, hardware: Hardware) -> tuple[float, float]:
    """Seconds of a step (a batch learnt from) in the first phase, and in the second.

    Trains on noise for two epochs of either phase, and times the second one of each.
    With validation and augmentation, as a training has them; the first epoch of a phase, which
    compiles and takes memory, does not count.
    """
    n, ended = recipe.batch * BATCHES, [0.0]
    rng = np.random.default_rng(0)
    labels = np.arange(n + 4) % 2
    data = TrainingData(
        items=np.array([f"{k:06d}" for k in range(n + 4)]),
        people=np.array(["learns"] * n + ["validates"] * 4),
        images=rng.integers(0, 256, (n + 4, spec.size_px, spec.size_px, 3), np.uint8),
        targets={
            LABEL.name: labels,
            ESTIMATE.name: rng.uniform(-1, 1, n + 4).astype(np.float32),
        },
        validates=np.arange(n + 4) >= n,
    )
    short = replace(
        recipe,
        first=replace(recipe.first, epochs=2, warmup_epochs=0),
        second=replace(recipe.second, epochs=2, warmup_epochs=0),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        initial = Network(spec, [LABEL, ESTIMATE]).state_dict()
    train_repetition(
        data,
        initial,
        spec,
        short,
        seed=0,
        heads="new",
        subject="pace",
        hardware=hardware,
        on_epoch=lambda row: ended.append(time.perf_counter()),
    )
    first, second = (ended[k] - ended[k - 1] for k in (2, 4))
    return first / BATCHES, second / BATCHES
