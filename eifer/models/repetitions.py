"""The repetitions of a model: its data, each one's training, weights with their card, facts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer.errors import AssetError, DesignError, StudyError
from eifer.hashing import sha256_file
from eifer.models.spec import ESTIMATE, LABEL, Heads, Recipe, Unfreezing
from eifer.models.training import (
    Trained,
    classifier_description,
    positive_weight,
    step_by_step,
    train_classifier,
)
from eifer.seeding import sub_seed
from eifer.tables.training import CURVES
from eifer.training.backbones import backbone_card
from eifer.training.data import TrainingData
from eifer.training.description import Description
from eifer.training.learner import OnEpoch
from eifer.training.spec import Hardware, Keep, NetworkSpec
from eifer.training.weights import load_weights, read_metadata, save_weights
from eifer.vocabulary import Group, Partition

RANDOM = "random"
"""In the place of a file's hash, where a training started from random numbers."""


@dataclass(frozen=True)
class Model:
    """What all repetitions of a model share; ``stage`` is the name of the step that trains it.

    With ``unfreezing`` it is a network of the external check, and a fold is its repetition.
    """

    stage: str
    assignment: str
    rotation: str
    task: str
    training_group: Group
    data: TrainingData
    spec: NetworkSpec
    recipe: Recipe
    heads: Heads
    keep: Keep
    hardware: Hardware
    study_seed: int
    subject: str
    unfreezing: Unfreezing | None = None

    def describe(self) -> Description:
        """How it is trained."""
        if self.unfreezing:
            return step_by_step(self.spec, self.recipe, self.unfreezing, self.data)
        return classifier_description(self.spec, self.recipe, self.data, self.keep)

    def seed(self, number: int) -> int:
        """A repetition's seed, the same for High, Low and Total: they then differ by data alone."""
        step = "pretrain" if self.stage == "pretrain_ei" else "total"
        step = "external" if self.unfreezing else step
        return sub_seed(self.study_seed, "training", step, self.task, number)


@dataclass(frozen=True)
class Repetition:
    """What one leaves beside its weights: its row of REPETITIONS, its rows of CURVES, its card."""

    facts: dict[str, Any]
    curves: pd.DataFrame
    card: dict[str, Any]


def group_samples(samples: pd.DataFrame, task: str, group: Group, subject: str) -> pd.DataFrame:
    """The task's rows of SAMPLES of a group (Total: everybody), in the order that is trained in.

    Raises
    ------
    DesignError
        If there are none.
    """
    samples = samples[samples["task"] == task]
    samples = samples[samples["total"] if group is Group.TOTAL else samples["group"] == group]
    if samples.empty:
        raise DesignError(
            f"{subject}: no {task} item of group {group} to train on; "
            "repeat split, or add participants."
        )
    return samples.sort_values("item_id", ignore_index=True)


def training_data(samples: pd.DataFrame, images: NDArray[np.uint8]) -> TrainingData:
    """Rows of SAMPLES with their crops, RGB ``[N, S, S, 3]``, as a classifier learns from them."""
    return TrainingData(
        items=samples["item_id"].to_numpy(dtype=str),
        people=samples["participant_id"].to_numpy(dtype=str),
        images=images,
        targets={
            LABEL.name: samples["label"].to_numpy(np.int64, copy=True),
            ESTIMATE.name: samples["estimate"].to_numpy(np.float32, copy=True),
        },
        validates=(samples["partition"] == Partition.VALIDATION).to_numpy(bool, copy=True),
    )


def repeat(
    model: Model,
    number: int,
    initial: tuple[Path, str] | None,
    folder: Path,
    *,
    checkpoint: Path,
    on_epoch: OnEpoch,
) -> Repetition:
    """Train repetition ``number`` from a file of weights (and its SHA-256) and write its own.

    Without a file it starts from random numbers.

    Raises
    ------
    StudyError
        If data, weights, machine or disk do not allow it.
    """
    description, state, known, origin, sha256 = model.describe(), None, {}, RANDOM, RANDOM
    if initial:
        weights, sha256 = initial
        origin = str(weights)
        state = load_weights(weights, sha256)
        known = read_metadata(weights)
        _refuse_other_input(known.get("network") or known.get("input") or {}, model.spec, weights)
    trained = train_classifier(
        model.data,
        state,
        description,
        model.recipe.thresholds,
        seed=model.seed(number),
        heads=model.heads,
        subject=model.subject,
        origin=origin,
        hardware=model.hardware,
        checkpoint=checkpoint,
        on_epoch=on_epoch if model.hardware.devices == 1 else None,
    )
    facts = _facts(model, trained, number, sha256)
    licence = str(known.get("licence") or backbone_card(model.spec.backbone).licence)
    card = model_card(model, facts, trained, licence)
    path = folder / f"repetition-{number}.safetensors"
    try:
        save_weights(path, trained.state, card)
    except OSError as error:
        raise StudyError(
            f"weights {path.name}: cannot be written ({error}). Make room and start again: "
            "the finished epochs are kept in runs/checkpoints."
        ) from error
    facts["weights_sha256"] = sha256_file(path)
    named = {name: facts[name] for name in CURVES.key[:-1]}
    return Repetition(facts, CURVES.frame([{**named, **epoch} for epoch in trained.curves]), card)


def model_card(
    model: Model, facts: Mapping[str, Any], trained: Trained, licence: str
) -> dict[str, Any]:
    """State what a user must know of a trained classifier, as plain values without dates."""
    backbone, data = backbone_card(model.spec.backbone), model.data
    chose = "epoch and threshold" if model.keep == "best" else "the threshold (not the epoch)"
    return {
        "title": f"{facts['task']} classifier, {facts['training_group']}, repetition "
        f"{facts['repetition']} ({facts['stage']})",
        "intended_use": "Whether a face in a research video belongs to an elicitation that its "
        "owner felt as low or high in the task's dimension; to compare groups of training data.",
        "limits": [
            "Labels are a person's rating of a whole video, not of the frame.",
            "Not for decisions about people, nor for faces unlike those it was trained on.",
            f"Metrics here are those of the validation participants, who chose {chose}.",
        ],
        "licence": licence,
        "network": asdict(model.spec),
        "backbone": {"source": backbone.source, "licence": backbone.licence},
        "data": {
            "sha256": data.digest,
            **{n: facts[n] for n in facts if n.startswith("n_")},
            "positives": int(data.targets[LABEL.name][data.train].sum()),
        },
        "training": {
            **{n: facts[n] for n in ("stage", *CURVES.key[:-1], "seed")},
            "initial_sha256": facts["initial_sha256"],
            "heads": model.heads,
            "recipe": asdict(model.recipe),
            **({"unfreezing": asdict(model.unfreezing)} if model.unfreezing else {}),
        },
        "kept_epoch": trained.kept_epoch,
        "threshold": trained.threshold,
        # JSON has no NaN: what has no value is left out.
        "validation": {n: v for n, v in trained.validation.items() if math.isfinite(v)},
    }


def _facts(model: Model, trained: Trained, number: int, initial_sha256: str) -> dict[str, Any]:
    """The row of REPETITIONS, but for the hash of a file not yet written."""
    data = model.data
    return {
        "assignment": model.assignment,
        "rotation": model.rotation,
        "task": model.task,
        "training_group": str(model.training_group),
        "repetition": number,
        "stage": model.stage,
        "seed": model.seed(number),
        "n_train": len(data.train),
        "n_validation": len(data.validation),
        "n_train_participants": data.people_in(data.train),
        "n_validation_participants": data.people_in(data.validation),
        "positive_weight": positive_weight(data),
        "kept_epoch": trained.kept_epoch,
        "threshold": trained.threshold,
        "validation_macro_f1": trained.validation["macro_f1"],
        "validation_accuracy": trained.validation["accuracy"],
        "validation_roc_auc": trained.validation["roc_auc"],
        "initial_sha256": initial_sha256,
    }


def _refuse_other_input(known: Mapping[str, Any], spec: NetworkSpec, weights: Path) -> None:
    """Weights made for another backbone or normalisation would fit in part, and see wrongly."""
    wanted = {"backbone": spec.backbone, "mean": list(spec.mean), "std": list(spec.std)}
    other = {n: known[n] for n in wanted if n in known and known[n] != wanted[n]}
    if other:
        raise AssetError(
            f"weights {weights} were made for {other}, but training.backbone {spec.backbone!r} "
            f"takes { {n: wanted[n] for n in other} }. Name the backbone of affect in training, "
            "or give weights of this one."
        )
