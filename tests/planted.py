"""Two planted tasks of a second: a bar's width and redness, and a bar's side and width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from eifer.affect.spec import AffectTraining
from eifer.affect.training import TrainedAffect, affect_data, train_affect
from eifer.models.spec import HEADS, Phase, Recipe, Thresholds
from eifer.models.training import (
    Trained,
    classifier_description,
    train_classifier,
    train_repetition,
)
from eifer.training.backbones import backbone_card
from eifer.training.data import TrainingData
from eifer.training.network import Network
from eifer.training.spec import Geometry, Keep, Photometry, Rate

NOWHERE = Path("no checkpoint is here")
PX = 32
SPEC = backbone_card("test_efficientnet").at(PX)
AFFECT_RECIPE = AffectTraining(
    epochs=4,
    batch=16,
    learning_rate=3e-3,
    weight_decay=0.01,
    warmup_share=0.2,
    gradient_clip=1.0,
    ccc_weight=1.0,
    validation_share=0.25,
    augmentation=Geometry(flip=0.5, brightness=0.1, rotation_deg=5, shift=0.05, zoom=0.05),
)
RECIPE = Recipe(
    first=Phase(epochs=2, warmup_epochs=1, heads=Rate(0.0, 3e-3), backbone=None),
    second=Phase(epochs=2, warmup_epochs=1, heads=Rate(0.0, 3e-3), backbone=Rate(2e-4, 2e-3)),
    batch=16,
    weight_decay=0.01,
    gradient_clip=1.0,
    regression_weight=0.4,
    epoch_threshold=0.5,
    thresholds=Thresholds(0.2, 0.8, 0.01),
    augmentation=Photometry(0.5, (0.8, 1.2), (0.1, 1.5)),
)


def corpus() -> dict[str, Any]:
    """Pictures with arousal as the width of a bright bar, valence as its redness."""
    rng = np.random.default_rng(3)
    n = 160
    targets = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
    images = rng.integers(60, 100, (n, PX, PX, 3)).astype(np.float64)
    for image, (arousal, valence) in zip(images, targets, strict=True):
        half, red = 8 + 6 * arousal, 90 * valence
        image[10:22, int(16 - half) : int(16 + half)] = [150 + red, 150, 150 - red]
    people = [f"person {i % 20}" for i in range(n)]
    names = [f"picture {i}" for i in range(n)]
    return {
        "items": names,
        "identities": people,
        "targets": targets,
        "images": images.astype(np.uint8),
    }


def affect_faces(share: float = AFFECT_RECIPE.validation_share, **changes: Any) -> TrainingData:
    return affect_data(**{**corpus(), **changes}, share=share, size_px=PX, seed=1)


def affect(**changes: Any) -> TrainedAffect:
    given = {"data": affect_faces(), "spec": SPEC, "training": AFFECT_RECIPE, "seed": 1}
    return train_affect(**{**given, **changes})


def samples(n: int = 96, people: int = 8, seed: int = 0) -> TrainingData:
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
        people=np.array([f"sub-{p:02d}" for p in person]),
        images=images,
        targets={
            "classifier": labels.astype(np.int64),
            "regressor": ((2 * labels - 1) * width).astype(np.float32),
        },
        validates=person >= people - 2,
    )


def initial() -> dict[str, torch.Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return Network(SPEC, HEADS).state_dict()


def classifier(**changes: Any) -> Trained:
    given = {"data": samples(), "initial": initial(), "spec": SPEC, "recipe": RECIPE}
    return train_repetition(**{**given, "seed": 1, "heads": "new", **changes})


def classifier_that_keeps(keep: Keep) -> Trained:
    """The same with the best epoch kept, or the last."""
    data = samples()
    description = classifier_description(SPEC, RECIPE, data, keep)
    return train_classifier(data, initial(), description, RECIPE.thresholds, seed=1, heads="new")
