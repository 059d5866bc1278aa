"""How the three training stages run: the repetitions of a block, one after another."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import Progress

from eifer.errors import AssetError, DesignError, StudyError
from eifer.faces.stored import read_crops
from eifer.hashing import sha256_file
from eifer.models.backbones import backbone_card
from eifer.models.data import TrainingData
from eifer.models.spec import Hardware, NetworkSpec, block_repetitions
from eifer.seeding import sub_seed
from eifer.tables.training import CURVES, REPETITIONS
from eifer.vocabulary import Dimension, Group, Partition
from stages._runtime.artifacts import read_table
from stages._runtime.places import Given
from stages._runtime.stage import Outcome, Report, Run
from stages.catalogue import CROPS, SAMPLES, Training

if TYPE_CHECKING:  # torch and Lightning take ten seconds to import, too long for --help
    from eifer.models.training import Trained

PARAMS_READ = (
    "study.seed",
    "study.waves",
    "study.crop",
    "arithmetic",
    "training.backbone",
    "training.heads",
    "training.recipe",
)
"""All but ``training.blocks``, so that a new block leaves finished ones alone."""

CHECKPOINTS = Path("runs/checkpoints")

Origin = tuple[Path, str]
"""A file of weights to start from, and its SHA-256."""


def train_block(
    run: Run,
    made: Training,
    *,
    learns_from: Group,
    training_group: Group,
    origin: Callable[[int], Origin],
) -> Outcome:
    """Train and write every repetition of the run's block.

    A repetition that was finished before a kill is not trained again, one that was under way
    goes on after its last epoch: see ``runs/checkpoints``.

    Parameters
    ----------
    made
        What it leaves.
    learns_from
        Whose items are used: High, Low or (everybody's) Total.
    training_group
        What the models are called.
    origin
        The weights that a repetition starts from.

    Raises
    ------
    StudyError
        If data, weights, machine or disk do not allow it; nothing half-written stays.
    """
    data = training_data(run, learns_from)
    spec = NetworkSpec(run.params.training.backbone, run.params.study.crop.size_px)
    numbers = block_repetitions(run.item["block"])
    recipe = run.params.training.recipe
    epochs = recipe.first.epochs + recipe.second.epochs
    checkpoints = CHECKPOINTS / "@".join([run.stage.name, *run.item.values()])
    rows: list[dict[str, object]] = []
    curves: list[pd.DataFrame] = []
    cards: dict[str, Any] = {}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        line = bar.add_task(run.stage.name, total=len(numbers) * epochs)
        for number in numbers:
            weights, sha256 = origin(number)
            seed = _seed(run, number)
            checkpoint = checkpoints / f"repetition-{number}.pt"
            trained, licence = _train(
                data, spec, run, seed, weights, sha256, checkpoint, lambda row: bar.advance(line)
            )
            bar.update(line, completed=(len(rows) + 1) * epochs)
            facts = _facts(run, data, trained, number, seed, training_group, sha256)
            card = model_card(facts, data, trained, spec, run, licence)
            path = run.folder / f"repetition-{number}.safetensors"
            facts["weights_sha256"] = _save(path, trained, card)
            model = {name: facts[name] for name in ("task", "training_group", "repetition")}
            rows.append(facts)
            curves.append(CURVES.frame([{**model, **epoch} for epoch in trained.curves]))
            cards[path.name] = card
    run.afterwards.append(lambda: shutil.rmtree(checkpoints, ignore_errors=True))
    return Outcome(
        {
            made.weights: None,
            made.cards: cards,
            made.repetitions: REPETITIONS.frame(rows),
            made.curves: CURVES.conform(pd.concat(curves)),
        },
        _report(rows, data, learns_from, run),
    )


def affect_origin(run: Run, weights: Given) -> Callable[[int], Origin]:
    """Every repetition starts from the affect network."""
    path = run.path(weights)
    known = path, sha256_file(path)
    return lambda number: known


def trained_origin(run: Run, trained: Training) -> Callable[[int], Origin]:
    """Each repetition starts from the one of the same number in another training's folder."""
    path = run.path(trained.whole)
    made = read_table(path / trained.repetitions.name, REPETITIONS).set_index("repetition")[
        "weights_sha256"
    ]
    return lambda number: (path / f"repetition-{number}.safetensors", str(made[number]))


def training_data(run: Run, learns_from: Group) -> TrainingData:
    """The task's items of a group with their crops: read once, shared by all repetitions.

    Raises
    ------
    DesignError
        If the group has none.
    InputError
        If a crop is missing or has another size than the study's.
    """
    task = Dimension(run.item["task"])
    samples = run.read(SAMPLES)
    samples = samples[samples["task"] == task]
    if learns_from is not Group.TOTAL:
        samples = samples[samples["group"] == learns_from]
    if samples.empty:
        raise DesignError(
            f"{run.stage.name}: no {task} item of group {learns_from} to train on; "
            "repeat split, or add participants."
        )
    samples = samples.sort_values("item_id", ignore_index=True)
    return TrainingData(
        items=samples["item_id"].to_numpy(dtype=str),
        participants=samples["participant_id"].to_numpy(dtype=str),
        images=read_crops(
            run.paths(CROPS),
            samples["video_id"],
            samples["item_id"].tolist(),
            run.params.study.crop.size_px,
        ),
        labels=samples["label"].to_numpy(np.int64, copy=True),
        estimates=samples["estimate"].to_numpy(np.float32, copy=True),
        validates=(samples["partition"] == Partition.VALIDATION).to_numpy(bool, copy=True),
    )


def _seed(run: Run, number: int) -> int:
    """A repetition's seed, the same for High, Low and Total: they then differ by data alone."""
    step = "pretrain" if run.stage.name == "pretrain_ei" else "total"
    return sub_seed(run.params.study.seed, "training", step, run.item["task"], number)


def _train(
    data: TrainingData,
    spec: NetworkSpec,
    run: Run,
    seed: int,
    weights: Path,
    sha256: str,
    checkpoint: Path,
    on_epoch: Callable[[dict[str, Any]], None],
) -> tuple[Trained, str]:
    """Train one repetition; also give the licence that its initial weights came under."""
    from eifer.affect.weights import load_weights, read_metadata
    from eifer.models.training import train_repetition

    state = load_weights(weights, sha256)
    card = read_metadata(weights)
    _refuse_other_input(card.get("network") or card.get("input") or {}, spec, weights)
    hardware = _hardware(run)
    trained = train_repetition(
        data,
        state,
        spec,
        run.params.training.recipe,
        seed=seed,
        heads=run.params.training.heads,
        subject="@".join([run.stage.name, *run.item.values()]),
        origin=str(weights),
        hardware=hardware,
        checkpoint=checkpoint,
        on_epoch=on_epoch if hardware.devices == 1 else None,
    )
    return trained, str(card.get("licence") or backbone_card(spec.backbone).licence)


def _hardware(run: Run) -> Hardware:
    chosen = run.params.arithmetic
    return Hardware(
        device=chosen.device,
        devices=chosen.devices,
        precision=chosen.precision,
        compile=chosen.compile,
        hold=run.machine.hold,
        deterministic=chosen.deterministic,
    )


def _refuse_other_input(known: Mapping[str, Any], spec: NetworkSpec, weights: Path) -> None:
    """Weights made for another backbone or normalisation would fit in part, and see wrongly."""
    card = backbone_card(spec.backbone)
    wanted = {"backbone": card.name, "mean": list(card.mean), "std": list(card.std)}
    other = {n: known[n] for n in wanted if n in known and known[n] != wanted[n]}
    if other:
        raise AssetError(
            f"weights {weights} were made for {other}, but training.backbone {spec.backbone!r} "
            f"takes { {n: wanted[n] for n in other} }. Name the backbone of affect in training, "
            "or give weights of this one."
        )


def _save(path: Path, trained: Trained, card: Mapping[str, Any]) -> str:
    from eifer.affect.weights import save_weights

    try:
        save_weights(path, trained.state, card)
    except OSError as error:
        raise StudyError(
            f"weights {path.name}: cannot be written ({error}). Make room and start again: "
            "the finished epochs are kept in runs/checkpoints."
        ) from error
    return sha256_file(path)


def _facts(
    run: Run,
    data: TrainingData,
    trained: Trained,
    number: int,
    seed: int,
    training_group: Group,
    initial_sha256: str,
) -> dict[str, object]:
    """The row of REPETITIONS, but for the hash of a file not yet written."""
    people = {
        name: len(set(data.participants[rows].tolist()))
        for name, rows in (("train", data.train), ("validation", data.validation))
    }
    return {
        "task": run.item["task"],
        "training_group": str(training_group),
        "repetition": number,
        "stage": run.stage.name,
        "seed": seed,
        "n_train": len(data.train),
        "n_validation": len(data.validation),
        "n_train_participants": people["train"],
        "n_validation_participants": people["validation"],
        "positive_weight": data.positive_weight(),
        "kept_epoch": trained.kept_epoch,
        "threshold": trained.threshold,
        "validation_macro_f1": trained.validation["macro_f1"],
        "validation_accuracy": trained.validation["accuracy"],
        "validation_roc_auc": trained.validation["roc_auc"],
        "initial_sha256": initial_sha256,
    }


def model_card(
    facts: Mapping[str, Any],
    data: TrainingData,
    trained: Trained,
    spec: NetworkSpec,
    run: Run,
    licence: str,
) -> dict[str, Any]:
    """State what a user must know of a trained classifier, as plain values without dates."""
    backbone = backbone_card(spec.backbone)
    return {
        "title": f"{facts['task']} classifier, {facts['training_group']}, repetition "
        f"{facts['repetition']} ({facts['stage']})",
        "intended_use": "Whether a face in a research video belongs to an elicitation that its "
        "owner felt as low or high in the task's dimension; to compare groups of training data.",
        "limits": [
            "Labels are a person's rating of a whole video, not of the frame.",
            "Not for decisions about people, nor for faces unlike those it was trained on.",
            "Metrics here are those of the validation participants, who chose epoch and threshold.",
        ],
        "licence": licence,
        "network": {**asdict(spec), "mean": list(backbone.mean), "std": list(backbone.std)},
        "backbone": {"source": backbone.source, "licence": backbone.licence},
        "data": {
            "sha256": data.digest,
            **{n: facts[n] for n in facts if n.startswith("n_")},
            "positives": int(data.labels[data.train].sum()),
        },
        "training": {
            **{n: facts[n] for n in ("stage", "task", "training_group", "repetition", "seed")},
            "initial_sha256": facts["initial_sha256"],
            "heads": run.params.training.heads,
            "recipe": asdict(run.params.training.recipe),
        },
        "kept_epoch": trained.kept_epoch,
        "threshold": trained.threshold,
        # JSON has no NaN: what has no value is left out.
        "validation": {n: v for n, v in trained.validation.items() if math.isfinite(v)},
    }


def _report(rows: list[dict[str, Any]], data: TrainingData, learns_from: Group, run: Run) -> Report:
    recipe = run.params.training.recipe
    first, second = recipe.first, recipe.second
    whose = "all participants" if learns_from is Group.TOTAL else f"the {learns_from} participants"
    shown = ("kept_epoch", "threshold", "validation_macro_f1", "validation_roc_auc")
    return Report(
        f"""{run.params.training.backbone} with two linear heads learnt {run.item["task"]} from
        {len(data.train)} frames of {whose}: {first.epochs} epochs of the heads alone, then
        {second.epochs} of the whole network, by AdamW in batches of {recipe.batch}. Of the latter
        the epoch of best macro F1 on {len(data.validation)} validation frames was kept, and the
        decision threshold chosen there.""",
        {str(row["repetition"]): {name: row[name] for name in shown} for row in rows},
    )
