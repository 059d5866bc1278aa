"""``eifer plan``: how many trainings a run would do, how long they take and how much they leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.table import Table

from eifer.errors import ParamsError, StudyError
from eifer.models.spec import block_repetitions
from eifer.training.backbones import backbone_card, unfreezable
from eifer.vocabulary import Domain, Group, Partition
from flows.pages.summary import console
from flows.run.instances import Instance
from flows.run.plan import make
from stages import catalogue
from stages._runtime.artifacts import fill
from stages.params import Params, load_params

HOUR_S, GB = 3600, 1e9


StepS = Mapping[str, tuple[float, float]]
"""Of each backbone, seconds of a step of the heads alone, and of one of the whole network."""


@dataclass(frozen=True)
class Cost:
    """What the trainings of some instances take, on one device.

    ``steps`` are those of the heads alone, and those of more; ``backbone`` is the network's.
    """

    stage: str
    backbone: str
    instances: int
    trainings: int
    steps: tuple[int, int]

    def hours(self, step_s: StepS) -> float:
        """Hours of one device."""
        return sum(n * s for n, s in zip(self.steps, step_s[self.backbone], strict=True)) / HOUR_S


def show(
    study: Path, *, step_s: tuple[float, float] | None, participants: int | None, over: bool
) -> None:
    """Print what is to be trained, its hours and its storage.

    Parameters
    ----------
    study
        The folder of the study.
    step_s
        Of the study's network, seconds of a step in the first and in the second phase; None:
        measured here, on noise, as those of the external check's networks always are.
    participants
        Of the cohort, where it is not known yet.
    over
        Whether the budget in params may be exceeded.

    Raises
    ------
    StudyError
        If it is above the budget, or nobody knows how many participants there are.
    """
    from eifer.models import pace
    from stages._runtime.machine import Machine

    params, planned = load_params(study / "params.yaml"), make(study)
    training, budget = params.training, params.training.budget
    running = [planned.graph[address] for address in planned.why]
    divided = _divided(study, params)
    frames = divided or _most(params, participants or _participants(study, params))
    costs = list(_costs(running, params, frames))
    px, hardware = params.study.crop.size_px, params.arithmetic.hardware(Machine().hold)
    specs = {name: backbone_card(name).at(px) for name in {c.backbone: 0 for c in costs}}
    known: dict[str, tuple[float, float]] = {training.backbone: step_s} if step_s else {}
    measured = [name for name in specs if name not in known]
    known |= {name: pace.measure(specs[name], training.recipe, hardware) for name in measured}
    trainings = sum(cost.trainings for cost in costs)
    hours = sum(cost.hours(known) for cost in costs)
    stored = sum(cost.trainings * pace.weights_bytes(specs[cost.backbone]) for cost in costs) / GB

    table = Table("stage", "instances", "trainings", "steps", "hours", title="To be trained")
    for cost in costs:
        numbers = (cost.instances, cost.trainings, sum(cost.steps))
        name = cost.stage + ("" if cost.backbone == training.backbone else f" {cost.backbone}")
        table.add_row(name, *map(str, numbers), f"{cost.hours(known):.2f}")
    table.add_row("all", "", str(trainings), "", f"{hours:.2f}")
    console().print(table)
    paces = "; ".join(
        f"{first:.3g} s and {second:.3g} s with {name} "
        f"({'measured here and now' if name in measured else 'given'})"
        for name, (first, second) in known.items()
    )
    print(
        f"{hours:.2f} h on one device ({params.arithmetic.device})"
        f"{'' if divided else ', if every video has all the frames asked for'}. "
        f"Time of a step of {training.recipe.batch} crops of {px} px, of the heads alone and of "
        f"the whole network: {paces}. "
        f"{stored:.3g} GB of weights, and as much again if DVC's cache copies files"
    )
    above = [
        f"{value:.3g} {unit} of {most:g}"
        for value, most, unit in (
            (hours, budget.hours, "hours"),
            (stored, budget.storage_gb, "GB of weights"),
        )
        if value > most
    ]
    if above and not over:
        raise StudyError(
            f"above the budget: {' and '.join(above)}. Name fewer assignments, rotations or "
            "blocks, raise training.budget in params, or say --over-budget"
        )


Frames = dict[tuple[str, str, str], int]
"""Frames learnt from, by rotation, task and group."""


def _costs(running: list[Instance], params: Params, frames: Frames) -> Iterator[Cost]:
    recipe = params.training.recipe
    for folder in (catalogue.PRETRAIN_EI, catalogue.FINE_TUNE_TOTAL, catalogue.TRAIN_TOTAL):
        own = [instance for instance in running if instance.stage == folder.stage]
        trainings, steps = 0, 0
        for instance in own:
            of = instance.values
            group = of["group"] if folder is catalogue.PRETRAIN_EI else Group.TOTAL.value
            repetitions = len(block_repetitions(of["block"]))
            trainings += repetitions
            steps += repetitions * (frames[of["rotation"], of["task"], group] // recipe.batch)
        of_phases = (steps * recipe.first.epochs, steps * recipe.second.epochs)
        yield Cost(folder.stage, params.training.backbone, len(own), trainings, of_phases)
    external = params.external
    first, *rest = external.unfreezing.epochs
    # Of the samples, train alone is counted; folds divide all of them.
    learnt = (1 - 1 / external.folds) / (1 - params.split.design.validation_share)
    for name in external.networks:
        own = [
            instance
            for instance in running
            if instance.stage == catalogue.TRAIN_EXTERNAL.stage
            and instance.values["network"] == name
        ]
        sizes = [frames[i.values["rotation"], i.values["task"], i.values["group"]] for i in own]
        steps = sum(external.folds * (round(size * learnt) // recipe.batch) for size in sizes)
        of_phases = (steps * first, steps * sum(rest))
        trainings = len(own) * external.folds
        yield Cost("train_external", unfreezable()[name].name, len(own), trainings, of_phases)


def _divided(study: Path, params: Params) -> Frames:
    """Of the split, if it was made with these rotations; else nothing."""
    rotations = params.split.rotations
    samples = study / fill(catalogue.SAMPLES.path, {"item.assignment": "ei"})
    if samples.exists():
        rows = pd.read_parquet(samples, columns=["rotation", "task", "group", "partition"])
        rows = rows[(rows["partition"] == Partition.TRAIN) & rows["rotation"].isin(rotations)]
        sizes = rows.groupby(["rotation", "task", "group"]).size().unstack(fill_value=0)
        sizes[Group.TOTAL] = sizes.sum(axis=1)
        if set(sizes.index.get_level_values("rotation")) == set(rotations):
            return {(*place, g): int(n) for place, row in sizes.iterrows() for g, n in row.items()}  # type: ignore[misc]
    return {}


def _most(params: Params, people: int) -> Frames:
    """As many as there can be of so many participants."""
    design, rotations = params.split.design, params.split.rotations
    tested = people / len(rotations) if len(rotations) > 1 else 2 * design.test_per_group
    per_person = len(Domain) * 2 * params.select.top
    learnt = round((people - tested) * (1 - design.validation_share) * per_person)
    share = {Group.HIGH.value: 0.5, Group.LOW.value: 0.5, Group.TOTAL.value: 1.0}
    return {
        (rotation, task, group): round(learnt * part)
        for rotation in rotations
        for task in catalogue.TASKS
        for group, part in share.items()
    }


def _participants(study: Path, params: Params) -> int:
    listed = study / params.study.cohort / "participants.tsv"
    if listed.is_file():
        return sum(bool(line.strip()) for line in listed.read_text().splitlines()) - 1
    if params.simulate.planted is not None and params.simulate.cohorts:
        return sum(params.simulate.planted.participants_per_wave)
    raise ParamsError(
        f"{listed} is not there, so that nobody knows how many participants there are: "
        "say --participants"
    )
