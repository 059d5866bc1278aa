"""Descriptions for other networks train on small pictures: the engine needs no code for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from eifer.models.expressions import CLASSES, from_nothing, step_by_step
from eifer.models.training import MacroF1, classifier_description
from eifer.training.checkpoint import Progress
from eifer.training.data import TrainingData
from eifer.training.description import Description
from eifer.training.engine import train
from eifer.training.schedule import Plateau
from eifer.training.spec import Geometry, Rate
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


def test_a_backbone_is_unfrozen_step_by_step() -> None:
    data = planted.samples()
    description = step_by_step(
        planted.SPEC,
        classifier_description(planted.SPEC, planted.RECIPE, data).objectives,
        MacroF1(0.5),
        steps=[("backbone.conv_head", "backbone.bn2"), ("backbone.blocks",)],
        epochs=1,
        batch=16,
        rate=Rate(0.0, 3e-3),
        weight_decay=0.01,
        geometry=STILL,
    )
    start, states = planted.initial(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "eifer.training.engine.write_checkpoint",
            lambda path, progress, mark: states.append(dict(progress.network)),
        )
        found = epochs(data, description, initial=start, checkpoint=planted.NOWHERE)
    assert [row["phase"] for row in found.curves] == [
        "heads",
        "from backbone.conv_head",
        "from backbone.blocks",
    ]
    states[2] = found.kept_network
    changed = [
        {name.split(".")[1] for name in start if not torch.equal(start[name], state[name])}
        & {"conv_stem", "blocks", "conv_head", "bn2"}
        for state in states
    ]
    assert changed == [set(), {"conv_head", "bn2"}, {"conv_head", "bn2", "blocks"}]
