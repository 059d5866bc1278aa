"""The study's classifiers: a logit and a regression, trained in phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from eifer import metrics
from eifer.models.spec import ESTIMATE, LABEL, Heads, Phase, Recipe, Thresholds, Unfreezing
from eifer.models.threshold import best_threshold
from eifer.training import description as engine
from eifer.training.augmentation import Photometric
from eifer.training.backbones import backbone_card
from eifer.training.checkpoint import Curve
from eifer.training.data import TrainingData
from eifer.training.description import Description, Judged, Objective, Outputs, Part
from eifer.training.engine import train
from eifer.training.learner import OnEpoch
from eifer.training.losses import Mse, WeightedBce
from eifer.training.schedule import WarmUpCosine
from eifer.training.spec import Hardware, Keep, NetworkSpec, Rate
from eifer.training.weights import State

REMEDY = "Change the seed or the shares of split, or add participants to the group."


@dataclass(frozen=True)
class Trained:
    """What one repetition leaves.

    ``state`` is the network at ``kept_epoch`` (from 1), ``curves`` a row an epoch,
    ``threshold`` the one searched on validation, ``validation`` the metrics there
    (`eifer.metrics.binary`).
    """

    state: State
    curves: list[Curve]
    kept_epoch: int
    threshold: float
    validation: dict[str, float]


@dataclass(frozen=True)
class MacroF1:
    """Macro F1 at ``threshold``; between equals, the lower loss."""

    threshold: float

    def __call__(self, outputs: Outputs, targets: Outputs, loss: float) -> Judged:
        """F1 and loss; ROC-AUC beside them."""
        scores = torch.sigmoid(outputs[LABEL.name]).numpy()
        value = metrics.binary(targets[LABEL.name].numpy().astype(np.int64), scores, self.threshold)
        row = {name: value[name] for name in ("macro_f1", "roc_auc")}
        return (value["macro_f1"], -loss), row


def positive_weight(data: TrainingData) -> float:
    """n_neg / n_pos of the training partition, the weight of class 1 in BCE; 1 without any."""
    positive = int(data.targets[LABEL.name][data.train].sum())
    return (len(data.train) - positive) / positive if positive else 1.0


def classifier_description(
    spec: NetworkSpec, recipe: Recipe, data: TrainingData, keep: Keep = "best"
) -> Description:
    """Heads first, then everything (section 7)."""

    def phase(name: str, chosen: Phase) -> engine.Phase:
        learning = [Part("heads", (LABEL.name, ESTIMATE.name), _rate(chosen, chosen.heads))]
        if chosen.backbone is not None:
            learning.append(Part("backbone", ("backbone",), _rate(chosen, chosen.backbone)))
        return engine.Phase(name, chosen.epochs, tuple(learning))

    phases = (phase("heads", recipe.first), phase("all", recipe.second))
    return replace(_described(spec, recipe, data, phases), keep=keep)


def step_by_step(
    spec: NetworkSpec, recipe: Recipe, unfreezing: Unfreezing, data: TrainingData
) -> Description:
    """Heads first, then the backbone's blocks join them from the output down (section 10)."""
    first, *rest = unfreezing.epochs

    def part(name: str, modules: tuple[str, ...], rate: Rate, epochs: int) -> Part:
        return Part(name, modules, WarmUpCosine(rate, 0, epochs))

    names = (LABEL.name, ESTIMATE.name)
    phases = [engine.Phase("heads", first, (part("heads", names, unfreezing.heads, first),))]
    unfrozen: tuple[str, ...] = ()
    for epochs, modules in zip(rest, backbone_card(spec.backbone).blocks, strict=False):
        unfrozen += tuple(f"backbone.{module}" for module in modules)
        heads = part("heads", names, unfreezing.heads, epochs)
        backbone = part("backbone", unfrozen, unfreezing.backbone, epochs)
        phases.append(engine.Phase(f"from {modules[0]}", epochs, (heads, backbone)))
    return replace(_described(spec, recipe, data, tuple(phases)), keeps_from=0)


def _described(
    spec: NetworkSpec, recipe: Recipe, data: TrainingData, phases: tuple[engine.Phase, ...]
) -> Description:
    return Description(
        network=spec,
        objectives=(
            Objective(LABEL, WeightedBce(positive_weight(data))),
            Objective(ESTIMATE, Mse(), recipe.regression_weight),
        ),
        phases=phases,
        merit=MacroF1(recipe.epoch_threshold),
        augmentation=(Photometric(recipe.augmentation),),
        batch=recipe.batch,
        weight_decay=recipe.weight_decay,
        gradient_clip=recipe.gradient_clip,
    )


def train_repetition(
    data: TrainingData,
    initial: Mapping[str, Tensor],
    spec: NetworkSpec,
    recipe: Recipe,
    *,
    heads: Heads,
    **more: Any,
) -> Trained:
    """`train_classifier` by the study's recipe."""
    description = classifier_description(spec, recipe, data)
    return train_classifier(data, initial, description, recipe.thresholds, heads=heads, **more)


def train_classifier(
    data: TrainingData,
    initial: Mapping[str, Tensor] | None,
    description: Description,
    thresholds: Thresholds,
    *,
    seed: int,
    heads: Heads,
    subject: str = "training",
    origin: str = "initial weights",
    hardware: Hardware | None = None,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train from ``initial`` weights, keep an epoch, choose the threshold.

    Without ``initial`` it starts from random weights. ``seed`` is the repetition's; the rest is
    as in `eifer.training.engine.train`.

    Raises
    ------
    StudyError
        As `eifer.training.engine.train`.
    """
    backbone_card(description.network.backbone)
    progress = train(
        data,
        description,
        seed=seed,
        initial=initial,
        carried=heads == "carried",
        subject=subject,
        origin=origin,
        remedy=REMEDY,
        hardware=hardware,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
    )
    labels = data.targets[LABEL.name][data.validation]
    scores = torch.sigmoid(progress.kept_outputs[LABEL.name]).numpy()
    threshold = best_threshold(labels, scores, thresholds)
    return Trained(
        state=progress.kept_network,
        curves=progress.curves,
        kept_epoch=progress.kept_epoch,
        threshold=threshold,
        validation=metrics.binary(labels, scores, threshold),
    )


def _rate(phase: Phase, rate: Rate) -> WarmUpCosine:
    return WarmUpCosine(rate, phase.warmup_epochs, phase.epochs)
