"""A planted task of a second: a bar's side is the label, its width the estimate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from eifer.models.data import TrainingData
from eifer.models.network import TwoHeads
from eifer.models.spec import Augmentation, NetworkSpec, Phase, Rate, Recipe, Thresholds

PX = 32


@pytest.fixture(scope="session")
def spec() -> NetworkSpec:
    return NetworkSpec("test_efficientnet", PX)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(
        first=Phase(epochs=2, warmup_epochs=1, heads=Rate(0.0, 3e-3), backbone=None),
        second=Phase(epochs=2, warmup_epochs=1, heads=Rate(0.0, 3e-3), backbone=Rate(2e-4, 2e-3)),
        batch=16,
        weight_decay=0.01,
        gradient_clip=1.0,
        regression_weight=0.4,
        epoch_threshold=0.5,
        thresholds=Thresholds(0.2, 0.8, 0.01),
        augmentation=Augmentation(0.5, (0.8, 1.2), (0.1, 1.5)),
    )


@pytest.fixture(scope="session")
def make_data() -> Callable[..., TrainingData]:
    def make(n: int = 96, people: int = 8, seed: int = 0) -> TrainingData:
        rng = np.random.default_rng(seed)
        labels = np.arange(n) % 2
        width = rng.uniform(0.2, 1, n)
        images = rng.integers(60, 120, (n, PX, PX, 3)).astype(np.uint8)
        for image, label, wide in zip(images, labels, width, strict=True):
            columns = slice(16, 16 + int(15 * wide)) if label else slice(16 - int(15 * wide), 16)
            image[8:24, columns] = (230, 200, 180)
        person = (np.arange(n) // 2) % people
        return TrainingData(
            items=np.array([f"sub-{p:02d}_run-1_frame-{i:06d}" for i, p in enumerate(person)]),
            participants=np.array([f"sub-{p:02d}" for p in person]),
            images=images,
            labels=labels.astype(np.int64),
            estimates=((2 * labels - 1) * width).astype(np.float32),
            validates=person >= people - 2,
        )

    return make


@pytest.fixture(scope="session")
def data(make_data: Callable[..., TrainingData]) -> TrainingData:
    return make_data()


@pytest.fixture(scope="session")
def initial(spec: NetworkSpec) -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return TwoHeads(spec).state_dict()
