"""Descriptions for other networks train on small pictures: the engine needs no code for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eifer.models.expressions import CLASSES, from_nothing
from eifer.training.checkpoint import Progress
from eifer.training.data import TrainingData
from eifer.training.description import Description
from eifer.training.engine import train
from eifer.training.schedule import Plateau
from eifer.training.spec import Geometry
from tests import planted

STILL = Geometry(flip=0, brightness=0, rotation_deg=0, shift=0, zoom=0)


def seven(patience: int, epochs: int = 2) -> Description:
    return from_nothing(
        planted.SPEC,
        epochs=epochs,
        batch=16,
        rate=Plateau(3e-3, factor=0.5, patience=1),
        weight_decay=0.01,
        mixup_alpha=0.2,
        geometry=STILL,
        patience=patience,
    )


@pytest.fixture(scope="module")
def faces() -> TrainingData:
    """Stripes at seven heights."""
    data = planted.samples()
    classes = np.arange(len(data.items)) % CLASSES
    images = np.full_like(data.images, 90)
    for image, which in zip(images, classes, strict=True):
        image[4 * which : 4 * which + 6] = 220
    return replace(data, images=images, targets={"expression": np.eye(CLASSES)[classes]})


def epochs(data: TrainingData, description: Description, **more: object) -> Progress:
    return train(data, description, seed=1, **more)  # type: ignore[arg-type]


def test_seven_classes_are_learnt_from_nothing(faces: TrainingData) -> None:
    found = epochs(faces, seven(patience=5))
    first, last = found.curves
    assert last["train_loss"] < first["train_loss"]
    assert found.kept_outputs["expression"].shape == (len(faces.validation), CLASSES)
    assert 0 <= found.kept_merit[0] == max(row["validation_accuracy"] for row in found.curves)


def test_training_ends_early_where_nothing_gets_better(faces: TrainingData) -> None:
    description = seven(patience=1, epochs=9)
    (phase,) = description.phases
    resting = replace(phase, parts=(replace(phase.parts[0], rate=Plateau(0.0, 0.5, 1)),))
    found = epochs(faces, replace(description, phases=(resting,)))
    assert len(found.curves) < 9
    assert len(found.curves) == found.kept_epoch + 1
    assert not found.network
