"""How the three training stages run: the repetitions of a block, one after another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from eifer import designs
from eifer.faces.stored import read_crops
from eifer.hashing import sha256_file
from eifer.models.spec import block_repetitions
from eifer.tables.training import CURVES, REPETITIONS
from eifer.vocabulary import Group
from stages._runtime.artifacts import read_table
from stages._runtime.checkpoints import checkpoints
from stages._runtime.places import Given, MadeTable
from stages._runtime.stage import Outcome, Report, Run
from stages.catalogue import CROPS, Training

if TYPE_CHECKING:  # torch and Lightning take ten seconds to import, too long for --help
    from eifer.models.repetitions import Model, Repetition

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

Origin = tuple[Path, str]
"""A file of weights to start from, and its SHA-256."""


def train_block(
    run: Run,
    made: Training,
    learnt: MadeTable,
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
    learnt
        The samples of its assignment.
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
    from eifer.models.repetitions import repeat

    model = _model(run, learnt, learns_from, training_group)
    numbers = block_repetitions(run.item["block"])
    epochs = model.recipe.first.epochs + model.recipe.second.epochs
    folder = checkpoints(run)
    done: dict[int, Repetition] = {}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        line = bar.add_task(run.stage.name, total=len(numbers) * epochs)
        for number in numbers:
            done[number] = repeat(
                model,
                number,
                origin(number),
                run.folder,
                checkpoint=folder / f"repetition-{number}.pt",
                on_epoch=lambda row: bar.advance(line),
            )
            bar.update(line, completed=len(done) * epochs)
    rows = [repetition.facts for repetition in done.values()]
    return Outcome(
        {
            made.weights: None,
            made.cards: {f"repetition-{n}.safetensors": part.card for n, part in done.items()},
            made.repetitions: REPETITIONS.frame(rows),
            made.curves: CURVES.conform(pd.concat([part.curves for part in done.values()])),
        },
        _report(rows, model, learns_from, run),
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


def _model(run: Run, learnt: MadeTable, learns_from: Group, training_group: Group) -> Model:
    """The block's data, read once for all its repetitions, and what else they share."""
    from eifer.models.repetitions import Model, group_samples, training_data
    from eifer.training.backbones import backbone_card

    chosen, task, rotation = run.params.training, run.item["task"], run.item["rotation"]
    samples = run.read(learnt)
    samples = samples[samples["rotation"] == rotation]
    samples = group_samples(samples, task, learns_from, run.stage.name)
    px, items = run.params.study.crop.size_px, samples["item_id"].tolist()
    images = read_crops(run.paths(CROPS), samples["video_id"], items, px, run.folder)
    assignment = run.item.get("assignment") or run.item["total"]
    return Model(
        stage=run.stage.name,
        assignment=assignment,
        rotation=rotation,
        task=task,
        training_group=training_group,
        data=training_data(samples, images),
        spec=backbone_card(chosen.backbone).at(px),
        recipe=chosen.recipe,
        heads=chosen.heads,
        keep="last" if assignment == designs.FINAL else "best",
        hardware=run.params.arithmetic.hardware(run.machine.hold),
        study_seed=run.params.study.seed,
        subject="@".join([run.stage.name, *run.item.values()]),
    )


def _report(rows: list[dict[str, Any]], model: Model, learns_from: Group, run: Run) -> Report:
    recipe, data = model.recipe, model.data
    first, second = recipe.first, recipe.second
    whose = "all participants" if learns_from is Group.TOTAL else f"the {learns_from} participants"
    shown = ("kept_epoch", "threshold", "validation_macro_f1", "validation_roc_auc")
    kept = "the epoch of best macro F1 there" if model.keep == "best" else "the last epoch"
    return Report(
        f"""{run.params.training.backbone} with two linear heads learnt {run.item["task"]} from
        {len(data.train)} frames of {whose}: {first.epochs} epochs of the heads alone, then
        {second.epochs} of the whole network, by AdamW in batches of {recipe.batch}.
        {len(data.validation)} frames validated: {kept} was kept of the latter, and the decision
        threshold chosen there.""",
        {str(row["repetition"]): {name: row[name] for name in shown} for row in rows},
    )
