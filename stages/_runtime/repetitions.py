"""How the training stages run: the repetitions of a block, one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.progress import Progress

from eifer import designs
from eifer.faces.stored import read_crops
from eifer.hashing import sha256_file
from eifer.models.spec import block_repetitions
from eifer.tables.training import REPETITIONS
from eifer.vocabulary import Group
from stages._runtime.artifacts import read_table
from stages._runtime.checkpoints import checkpoints
from stages._runtime.places import Given, Made, MadeTable
from stages._runtime.stage import Outcome, Report, Run
from stages.catalogue import CROPS, Training

if TYPE_CHECKING:  # torch and Lightning take ten seconds to import, too long for --help
    from eifer.models.repetitions import Model, Repetition
    from eifer.training.spec import NetworkSpec

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
    origin: Callable[[int], Origin],
) -> Outcome:
    """Train and write every repetition of the run's block.

    A repetition that was finished before a kill is not trained again, one that was under way
    goes on after its last epoch: see ``runs/checkpoints``. Of the samples ``learnt`` those of
    High, Low or (everybody's) Total are used, as ``learns_from`` says; each repetition starts
    from the weights of its ``origin``.

    Raises
    ------
    StudyError
        If data, weights, machine or disk do not allow it; nothing half-written stays.
    """
    model = model_of(run, samples_of(run, learnt, learns_from))
    numbers = block_repetitions(run.item["block"])
    outputs, rows = train_each(run, made, dict.fromkeys(numbers, model), origin)
    return Outcome(outputs, _report(rows, model, learns_from, run))


def train_each(
    run: Run,
    made: Training,
    models: Mapping[int, Model],
    origin: Callable[[int], Origin | None],
) -> tuple[dict[Made, Any], list[dict[str, Any]]]:
    """Train the repetitions of ``models`` by number; what is handed on, and the facts of each."""
    from eifer.models.repetitions import repeat

    folder = checkpoints(run)
    done: dict[int, Repetition] = {}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        epochs = sum(model.describe().epochs for model in models.values())
        line = bar.add_task(run.stage.name, total=epochs)
        for number, model in models.items():
            before = bar.tasks[line].completed
            done[number] = repeat(
                model,
                number,
                origin(number),
                run.folder,
                checkpoint=folder / f"repetition-{number}.pt",
                on_epoch=lambda row: bar.advance(line),
            )
            bar.update(line, completed=before + model.describe().epochs)
    rows = [repetition.facts for repetition in done.values()]
    curves = pd.concat([part.curves for part in done.values()])
    outputs = {
        made.weights: None,
        made.cards: {f"repetition-{n}.safetensors": part.card for n, part in done.items()},
        made.repetitions: made.repetitions.table.frame(rows),
        made.curves: made.curves.table.conform(curves),
    }
    return outputs, rows


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


def samples_of(run: Run, learnt: MadeTable, learns_from: Group) -> pd.DataFrame:
    """The samples of the run's rotation and task, of the group or of everybody."""
    from eifer.models.repetitions import group_samples

    samples = run.read(learnt)
    samples = samples[samples["rotation"] == run.item["rotation"]]
    return group_samples(samples, run.item["task"], learns_from, run.stage.name)


def model_of(run: Run, samples: pd.DataFrame, other: NetworkSpec | None = None) -> Model:
    """What all repetitions share, with ``samples`` and their crops, read once.

    ``other``: another network than the study's, under new heads.
    """
    from eifer.models.repetitions import Model, training_data
    from eifer.training.backbones import backbone_card

    chosen, px = run.params.training, run.params.study.crop.size_px
    items = samples["item_id"].tolist()
    images = read_crops(run.paths(CROPS), samples["video_id"], items, px, run.folder)
    assignment = run.item.get("assignment") or run.item.get("total") or designs.EI
    return Model(
        stage=run.stage.name,
        assignment=assignment,
        rotation=run.item["rotation"],
        task=run.item["task"],
        training_group=Group(run.item.get("group", Group.TOTAL)),
        data=training_data(samples, images),
        spec=other or backbone_card(chosen.backbone).at(px),
        recipe=chosen.recipe,
        heads="new" if other else chosen.heads,
        keep="last" if assignment == designs.FINAL else "best",
        hardware=run.params.arithmetic.hardware(run.machine.hold),
        study_seed=run.params.study.seed,
        subject="@".join([run.stage.name, *run.item.values()]),
    )


def numbers_of(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a report says of each repetition."""
    shown = ("kept_epoch", "threshold", "validation_macro_f1", "validation_roc_auc")
    return {str(row["repetition"]): {name: row[name] for name in shown} for row in rows}


def _report(rows: list[dict[str, Any]], model: Model, learns_from: Group, run: Run) -> Report:
    recipe, data = model.recipe, model.data
    first, second = recipe.first, recipe.second
    whose = "all participants" if learns_from is Group.TOTAL else f"the {learns_from} participants"
    kept = "the epoch of best macro F1" if model.keep == "best" else "the last epoch"
    return Report(
        f"""{run.params.training.backbone} with two linear heads was trained on the
        {run.item["task"]} of {len(data.train)} frames of {whose}: for {first.epochs} epochs the
        heads alone, then for {second.epochs} the whole network, by AdamW [@loshchilov2019] in
        batches of {recipe.batch}. Of the second phase {kept} on {len(data.validation)} validation
        frames was kept, and the decision threshold was chosen on these.""",
        numbers_of(rows),
    )
