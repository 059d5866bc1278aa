"""The external check: folds over people, blocks unfrozen from the output down."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from eifer.errors import DesignError
from eifer.models.folds import fold_of_people, in_fold
from eifer.models.repetitions import RANDOM, Model, repeat
from eifer.models.spec import HEADS, Unfreezing
from eifer.models.training import step_by_step, train_classifier
from eifer.tables.external import ANSWERS, FOLD_MODELS, FOLDS
from eifer.training.backbones import BACKBONES, backbone_card, unfreezable
from eifer.training.data import TrainingData
from eifer.training.network import Network
from eifer.training.spec import Hardware, Rate
from eifer.training.weights import State, load_weights, read_metadata
from eifer.vocabulary import Group
from tests import planted

SPEC = backbone_card("test_resnet").at(planted.PX)
UNFREEZING = Unfreezing((1, 1, 1), Rate(3e-3, 3e-3), Rate(1e-3, 1e-3))


def trained(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[State]]:
    """The result, and the network after each epoch but the last."""
    states: list[State] = []
    monkeypatch.setattr(
        "eifer.training.engine.write_checkpoint",
        lambda path, progress, mark: states.append(dict(progress.network)),
    )
    description = step_by_step(SPEC, planted.RECIPE, UNFREEZING, data)
    thresholds = planted.RECIPE.thresholds
    more: dict[str, Any] = {"seed": 1, "heads": "new", "checkpoint": planted.NOWHERE}
    return train_classifier(data, None, description, thresholds, **more), states[:-1]


def changed(before: State, after: State) -> set[str]:
    return {n.split(".")[1] for n in before if not torch.equal(before[n], after[n])} - {
        "weight",
        "bias",
    }


def test_blocks_join_the_heads_from_the_output_down(monkeypatch: pytest.MonkeyPatch) -> None:
    found, states = trained(planted.samples(), monkeypatch)
    assert [row["phase"] for row in found.curves] == ["heads", "from layer4", "from layer3"]
    rates = [row["backbone_learning_rate"] for row in found.curves]
    assert rates[0] == 0 < min(rates[1:])
    assert changed(*states) == {"layer4"}


@pytest.mark.parametrize("best", [1, 2, 3])
def test_the_best_epoch_of_all_is_kept(best: int) -> None:
    data, merits = planted.samples(), iter([(float(epoch == best),) for epoch in (1, 2, 3)])
    description = replace(
        step_by_step(SPEC, planted.RECIPE, UNFREEZING, data),
        merit=lambda outputs, targets, loss: (next(merits), {}),
    )
    thresholds = planted.RECIPE.thresholds
    found = train_classifier(data, None, description, thresholds, seed=1, heads="new")
    assert found.kept_epoch == best


def test_people_who_validate_are_not_learnt_from(monkeypatch: pytest.MonkeyPatch) -> None:
    data = planted.samples()
    _, states = trained(data, monkeypatch)
    others = np.where(data.validates[:, None, None, None], 255 - data.images, data.images)
    assert all(
        torch.equal(before[n], after[n])
        for before, after in zip(
            states, trained(replace(data, images=others), monkeypatch)[1], strict=True
        )
        for n in before
    )
    learnt = np.where(data.validates[:, None, None, None], data.images, 255 - data.images)
    after = trained(replace(data, images=learnt), monkeypatch)[1]
    assert changed(states[0], after[0]) or not torch.equal(
        states[0]["classifier.weight"], after[0]["classifier.weight"]
    )


@pytest.mark.parametrize("name", sorted(unfreezable()))
def test_blocks_are_all_that_learns(name: str) -> None:
    with torch.device("meta"):
        backbone = Network(unfreezable()[name].at(64), HEADS).backbone
    named = [
        f"{module}.{weight}"
        for block in unfreezable()[name].blocks
        for module in block
        for weight, _ in backbone.get_submodule(module).named_parameters()
    ]
    assert sorted(named) == sorted(n for n, _ in backbone.named_parameters())
    assert name.isalnum() and len(unfreezable()) == sum(bool(c.blocks) for c in BACKBONES.values())


# folds ----------------------------------------------------------------------------------------


def samples(people: int = 12, lone: int = 0) -> pd.DataFrame:
    """Twelve frames of each of ``people`` a group, of which ``lone`` have one class."""
    return pd.DataFrame(
        {
            "participant_id": f"sub-{group[0]}{k:02d}",
            "group": group,
            "label": 0 if k < lone else frame % 2,
        }
        for group in ("High", "Low")
        for k in range(people)
        for frame in range(12)
    )


def test_everybody_validates_once_and_high_low_and_total_are_divided_alike() -> None:
    rows = samples()
    folds = fold_of_people(rows, 5, 7, "check")
    assert sorted(folds.index) == sorted(rows["participant_id"].unique())
    assert sorted(folds.value_counts()) == [4, 4, 4, 6, 6] and set(folds) == {1, 2, 3, 4, 5}
    again = fold_of_people(rows.sample(frac=1, random_state=1), 5, 7, "check")
    assert again.groupby(again).size().sum() == len(folds)
    for fold in range(1, 6):
        part = in_fold(rows, folds, fold).groupby("partition")["participant_id"].unique()
        assert not set(part["train"]) & set(part["validation"])
        assert set(part["validation"]) == set(folds.index[folds == fold])


def test_folds_have_both_classes_even_where_some_people_have_one() -> None:
    rows = samples(lone=3)
    folds = fold_of_people(rows, 5, 7, "check")
    by = rows.assign(fold=rows["participant_id"].map(folds)).groupby(["group", "fold"])["label"]
    assert (by.nunique() == 2).all()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (samples(people=4), "4 High participants can be trained on, fewer than external.folds 5"),
        (samples(people=5, lone=1), "none of 100 divisions of 5 High .* one class alone: sub-H00"),
    ],
)
def test_folds_that_cannot_be_are_refused(rows: pd.DataFrame, said: str) -> None:
    with pytest.raises(DesignError, match=said):
        fold_of_people(rows, 5, 7, "check")


# what is left ---------------------------------------------------------------------------------


def test_a_fold_leaves_a_model_that_says_where_it_started(tmp_path: Path) -> None:
    data = planted.samples()
    model = Model(
        stage="train_external",
        assignment="ei",
        rotation="1",
        task="arousal",
        training_group=Group.HIGH,
        data=data,
        spec=SPEC,
        recipe=planted.RECIPE,
        heads="new",
        keep="best",
        hardware=Hardware(),
        study_seed=1,
        subject="check",
        unfreezing=UNFREEZING,
    )
    made = [
        repeat(part, 2, None, tmp_path, checkpoint=planted.NOWHERE, on_epoch=lambda row: None)
        for part in (model, replace(model, training_group=Group.LOW))
    ]
    assert made[0].facts["seed"] == made[1].facts["seed"]
    assert made[0].facts["initial_sha256"] == RANDOM and made[0].facts["repetition"] == 2
    path = tmp_path / "repetition-2.safetensors"
    assert load_weights(path, made[1].facts["weights_sha256"])
    card = read_metadata(path)
    assert card["training"]["unfreezing"]["epochs"] == [1, 1, 1]
    assert card["network"]["backbone"] == "test_resnet"
    planted.NOWHERE.unlink(missing_ok=True)


def of_folds(**changes: Any) -> pd.DataFrame:
    place = {"network": "testresnet", "rotation": "1", "task": "arousal", "training_group": "High"}
    frames = {"low_frames": 3, "high_frames": 4}
    rows = [{**place, **frames, "participant_id": f"sub-{k}", "fold": 1 + k % 2} for k in range(4)]
    rows[0] |= changes
    return FOLDS.frame(rows)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        ({"participant_id": "sub-9"}, {"nobody_tested"}),
        ({"fold": 7}, {"folds_count_up"}),
    ],
)
def test_folds_that_leak_are_found(changes: dict[str, Any], names: set[str]) -> None:
    people = [f"sub-{k}" for k in range(4)]
    partitions = pd.DataFrame({"rotation": "1", "participant_id": [*people, "sub-9"]})
    others = {"partitions": partitions.assign(partition=["train"] * 4 + ["test"])}
    table = of_folds(**changes)
    assert {r.name for r in FOLDS.rules if not r.broken(table, others).empty} == names


def test_a_fold_of_one_class_is_found() -> None:
    table = of_folds().assign(high_frames=[0, 4, 0, 4])
    rule = next(r for r in FOLDS.rules if r.name == "both_classes_in_every_fold")
    assert len(rule.broken(table, {})) == 4


def test_a_model_of_other_people_than_its_fold_is_found() -> None:
    place = {"rotation": "1", "task": "arousal", "training_group": "High"}
    models = pd.DataFrame([{**place, "repetition": fold} for fold in (1, 2)]).assign(
        n_validation_participants=2, n_train_participants=[2, 3]
    )
    rule = next(r for r in FOLD_MODELS.rules if r.name == "people_of_the_fold")
    assert rule.broken(models, {"folds": of_folds()})["repetition"].tolist() == [2]


def test_a_person_who_is_tested_and_learnt_from_is_found() -> None:
    rule = next(r for r in ANSWERS.rules if r.name == "nobody_learnt_from")
    people = ["sub-0", "sub-7", "sub-0"]
    tested = pd.DataFrame({"rotation": ["1", "1", "2"], "participant_id": people})
    assert rule.broken(tested, {"folds": of_folds()}).index.tolist() == [0]
