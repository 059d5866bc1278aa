from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from eifer.errors import ParamsError
from flows.cli import app
from flows.graph import ROOT, stage_of
from flows.run import cost
from flows.run.instances import instances
from flows.workspace import make_workspace
from stages._runtime.params_file import read_params
from stages.params import check_params, load_params


def design(tmp_path: Path, **overrides: Any) -> Path:
    named = {name.replace("__", "."): value for name, value in overrides.items()}
    return make_workspace(tmp_path / "study", preset=ROOT / "presets/demo.yaml", overrides=named)


def test_trainings_and_steps_are_counted_by_hand(tmp_path: Path) -> None:
    study = design(
        tmp_path,
        split__assignments=["ei", "matched", "null01"],
        split__totals=["ei", "matched"],
        split__rotations=["1", "2", "3"],
        training__budget={"trainings": 1000, "hours": 10.0, "storage_gb": 10.0},
    )
    params = load_params(study / "params.yaml")
    frames = {
        (rotation, task, group): n
        for rotation in "123"
        for task in ("arousal", "valence")
        for group, n in (("High", 640), ("Low", 330), ("Total", 970))
    }
    first, tuned, total = cost._costs(list(instances(study).values()), params, frames)
    # 3 assignments, 3 rotations, 2 tasks, 2 groups, 2 repetitions in a block; batches of 32.
    assert (first.instances, first.trainings) == (36, 72)
    assert (tuned.instances, tuned.trainings) == (36, 72)
    assert (total.instances, total.trainings) == (12, 24)
    recipe = params.training.recipe
    steps = 18 * 2 * (640 // 32 + 330 // 32)
    assert first.steps == (steps * recipe.first.epochs, steps * recipe.second.epochs)
    assert tuned.steps[0] == 72 * (970 // 32) * recipe.first.epochs
    assert first.hours({"test_efficientnet": (3600.0, 0.0)}) == first.steps[0]


def test_other_networks_are_counted_fold_by_fold(tmp_path: Path) -> None:
    study = design(
        tmp_path,
        external__networks=["testresnet"],
        external__folds=4,
        report__networks_from="data/evaluate_external",
    )
    params = load_params(study / "params.yaml")
    frames = {("1", t, g): 640 for t in ("arousal", "valence") for g in ("High", "Low", "Total")}
    *_, external = cost._costs(list(instances(study).values()), params, frames)
    assert (external.backbone, external.instances, external.trainings) == ("test_resnet", 6, 24)
    # 640 of 800 samples train in the study; in each of 4 folds 600 do, in batches of 32.
    assert external.steps == (24 * 18 * 1, 24 * 18 * 2)


def test_frames_are_those_of_the_split_once_it_is_made(tmp_path: Path) -> None:
    study = design(tmp_path)
    params = load_params(study / "params.yaml")
    assert not cost._divided(study, params)
    most = cost._most(params, cost._participants(study, params))
    # 16 people of whom 4 are tested and a fifth of the rest validates; 4 videos, 2 x 24 frames.
    assert most["1", "arousal", "Total"] == round(12 * 0.8 * 4 * 48)
    place = study / "data/split/samples"
    place.mkdir(parents=True)
    rows = [
        {"rotation": "1", "task": task, "group": group, "partition": partition}
        for task in ("arousal", "valence")
        for group, n in (("High", 5), ("Low", 3))
        for partition in ("train", "validation")
        for _ in range(n)
    ]
    pd.DataFrame(rows).to_parquet(place / "assignment-ei.parquet")
    found = cost._divided(study, params)
    assert [found["1", "valence", g] for g in ("High", "Low", "Total")] == [5, 3, 8]


def test_a_design_above_the_budget_is_refused_before_anything_runs() -> None:
    content = read_params(ROOT / "params.yaml")
    content["split"]["assignments"] = ["ei", *(f"null{k:02d}" for k in range(1, 21))]
    with pytest.raises(ParamsError, match=r"340 trainings .* above training.budget.trainings 100"):
        check_params(content, "params.yaml")


def test_a_plan_above_the_budget_says_by_how_much_unless_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = design(tmp_path, training__budget={"trainings": 100, "hours": 0.01, "storage_gb": 10.0})
    monkeypatch.chdir(study)
    given = ["plan", "--step-s", "0.1", "0.2"]
    refused = CliRunner().invoke(app, given)
    assert refused.exit_code == 1
    assert "above the budget: 0.2" in refused.output
    assert "training.budget" in refused.output
    told = CliRunner().invoke(app, [*given, "--over-budget"])
    assert told.exit_code == 0
    assert "0.1 s and 0.2 s with test_efficientnet (given)" in " ".join(told.output.split())


def test_an_assignment_more_adds_its_own_instances_and_touches_no_others(tmp_path: Path) -> None:
    fewer = instances(design(tmp_path / "a"))
    more = instances(design(tmp_path / "b", split__assignments=["ei", "null01"]))
    sides = [f"{task}-{group}-1-2" for task in ("arousal", "valence") for group in ("High", "Low")]
    trained = {f"{s}@null01-1-{side}" for s in ("pretrain_ei", "fine_tune_total") for side in sides}
    assert set(more) - set(fewer) == trained | {"evaluate@null01"}
    for address, instance in fewer.items():
        assert (instance.deps, instance.outs) == (more[address].deps, more[address].outs)
    # What is trained or evaluated reads the samples of its own assignment, and not the list.
    for address in trained | {"pretrain_ei@ei-1-valence-Low-1-2", "evaluate@ei"}:
        assert "split.assignments" not in stage_of(more[address].stage).params
        name = more[address].values["assignment"]
        own = [dep for dep in more[address].deps if dep.startswith("data/split/samples")]
        assert own in ([], [f"data/split/samples/assignment-{name}.parquet"])
