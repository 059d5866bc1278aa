"""The study's classifiers: a logit and a regression, trained in two phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from eifer import metrics
from eifer.models.spec import ESTIMATE, LABEL, Heads, Keep, Phase, Recipe
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
from eifer.training.spec import Hardware, NetworkSpec, Rate
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


@dataclass(frozen=True)
class Latest:
    """No epoch is better than another, so that the latest is kept; the metrics of ``beside``."""

    beside: MacroF1

    def __call__(self, outputs: Outputs, targets: Outputs, loss: float) -> Judged:
        """An empty merit; metrics."""
        return (), self.beside(outputs, targets, loss)[1]


def positive_weight(data: TrainingData) -> float:
    """n_neg / n_pos of the training partition, the weight of class 1 in BCE; 1 without any."""
    positive = int(data.targets[LABEL.name][data.train].sum())
    return (len(data.train) - positive) / positive if positive else 1.0


def classifier_description(
    spec: NetworkSpec, recipe: Recipe, data: TrainingData, keep: Keep = "best"
) -> Description:
    """Heads first, then everything (section 7)."""
    f1 = MacroF1(recipe.epoch_threshold)

    def phase(name: str, chosen: Phase) -> engine.Phase:
        learning = [Part("heads", (LABEL.name, ESTIMATE.name), _rate(chosen, chosen.heads))]
        if chosen.backbone is not None:
            learning.append(Part("backbone", ("backbone",), _rate(chosen, chosen.backbone)))
        return engine.Phase(name, chosen.epochs, tuple(learning))

    return Description(
        network=spec,
        objectives=(
            Objective(LABEL, WeightedBce(positive_weight(data))),
            Objective(ESTIMATE, Mse(), recipe.regression_weight),
        ),
        phases=(phase("heads", recipe.first), phase("all", recipe.second)),
        merit=f1 if keep == "best" else Latest(f1),
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
    seed: int,
    heads: Heads,
    keep: Keep = "best",
    subject: str = "training",
    origin: str = "initial weights",
    hardware: Hardware | None = None,
    checkpoint: Path | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Train from ``initial`` weights, keep the best epoch (or the last), choose the threshold.

    ``seed`` is the repetition's; the rest is as in `eifer.training.engine.train`.

    Raises
    ------
    StudyError
        As `eifer.training.engine.train`.
    """
    backbone_card(spec.backbone)
    progress = train(
        data,
        classifier_description(spec, recipe, data, keep),
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
    threshold = best_threshold(labels, scores, recipe.thresholds)
    return Trained(
        state=progress.kept_network,
        curves=progress.curves,
        kept_epoch=progress.kept_epoch,
        threshold=threshold,
        validation=metrics.binary(labels, scores, threshold),
    )


def _rate(phase: Phase, rate: Rate) -> WarmUpCosine:
    return WarmUpCosine(rate, phase.warmup_epochs, phase.epochs)
