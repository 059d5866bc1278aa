"""Training learns what was planted, repeats itself to the bit, survives kills."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp

from eifer import metrics
from eifer.errors import AssetError, DesignError, StudyError
from eifer.models.scoring import Scorer
from eifer.models.spec import Phase
from eifer.models.training import MacroF1, Trained
from eifer.training import checkpoint as checkpoints
from eifer.training.data import TrainingData, steps_per_epoch
from eifer.training.learner import Learner
from eifer.training.spec import Hardware, Keep, Rate
from eifer.training.weights import save_weights
from tests import planted
from tests.planted import RECIPE, SPEC

State = dict[str, torch.Tensor]


class KilledError(Exception):
    """What a power cut does, as far as a test can."""


train = planted.classifier


def as_bytes(state: State, folder: Path) -> bytes:
    save_weights(folder / "w", state, {})
    return (folder / "w").read_bytes()


def test_what_was_planted_is_learnt(trained: Trained, data: TrainingData) -> None:
    assert trained.validation["roc_auc"] > 0.9
    scores = Scorer(trained.state, SPEC)(data.images[data.validation])
    again = metrics.binary(data.targets["classifier"][data.validation], scores, trained.threshold)
    assert again["macro_f1"] == pytest.approx(trained.validation["macro_f1"])
    assert again["brier"] == pytest.approx(trained.validation["brier"], abs=1e-5)


def test_the_kept_epoch_is_the_best_that_trained_the_backbone(trained: Trained) -> None:
    assert len(trained.curves) == 4
    heads = RECIPE.first.epochs
    merit = [
        (row["validation_macro_f1"], -row["validation_loss"]) for row in trained.curves[heads:]
    ]
    assert trained.kept_epoch == 1 + heads + merit.index(max(merit))


@pytest.mark.parametrize(("keep", "epoch"), [("best", 3), ("last", 4)])
def test_the_last_epoch_is_kept_where_asked_for(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, keep: Keep, epoch: int
) -> None:
    judged = MacroF1.__call__
    merits = iter([0.9, 0.8, 0.7, 0.6])
    monkeypatch.setattr(MacroF1, "__call__", lambda *a: ((next(merits),), judged(*a)[1]))
    found = planted.classifier_that_keeps(keep)
    assert found.kept_epoch == epoch
    assert found.curves == trained.curves
    assert found.validation["roc_auc"] == found.curves[epoch - 1]["validation_roc_auc"]


def test_curves_say_what_learnt_when(trained: Trained) -> None:
    assert [row["phase"] for row in trained.curves] == ["heads", "heads", "all", "all"]
    assert [row["backbone_learning_rate"] for row in trained.curves][:2] == [0, 0]
    # Epochs 1 and 3 are the warm-ups: they end at the peak.
    assert trained.curves[0]["heads_learning_rate"] == pytest.approx(RECIPE.first.heads.peak)
    assert trained.curves[2]["backbone_learning_rate"] == pytest.approx(2e-3)
    for row in trained.curves:
        for part in ("train", "validation"):
            whole = row[f"{part}_bce"] + 0.4 * row[f"{part}_mse"]
            assert row[f"{part}_loss"] == pytest.approx(whole, rel=1e-5)


def test_the_backbone_that_is_handed_on_has_learnt(initial: State) -> None:
    # With a threshold nothing reaches all epochs tie at one class called: the loss decides,
    # and never for an epoch of the frozen backbone.
    flat = train(recipe=replace(RECIPE, epoch_threshold=1.0))
    heads = RECIPE.first.epochs
    losses = [row["validation_loss"] for row in flat.curves][heads:]
    assert flat.kept_epoch == 1 + heads + losses.index(min(losses))
    backbone = {name: t for name, t in initial.items() if name.startswith("backbone.")}
    assert any(not torch.equal(flat.state[name], t) for name, t in backbone.items())


def test_the_same_seed_gives_the_same_bytes_and_leaves_no_trace(
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    recwarn: pytest.WarningsRecorder,
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes(), torch.get_num_threads()  # type: ignore[union-attr]
    again = train()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tobytes()  # type: ignore[union-attr]
    assert before[2] == torch.get_num_threads()
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.listdir() == []
    said = capfd.readouterr()
    assert said.out == said.err == ""
    assert not [w for w in recwarn if "lightning" in str(w.filename)]
    assert as_bytes(again.state, tmp_path) == as_bytes(trained.state, tmp_path)
    assert again == replace(trained, state=again.state)


def test_another_seed_gives_other_weights(trained: Trained) -> None:
    other = train(seed=2)
    assert not torch.equal(other.state["classifier.weight"], trained.state["classifier.weight"])


@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
def test_a_killed_training_ends_with_the_same_bytes(
    trained: Trained, tmp_path: Path, epoch: int
) -> None:
    path = tmp_path / "runs" / "repetition-1.pt"

    def kill(row: dict[str, Any]) -> None:
        if row["epoch"] == epoch:
            raise KilledError

    with pytest.raises(KilledError):
        train(checkpoint=path, on_epoch=kill)
    torch.manual_seed(epoch)  # another process starts elsewhere
    epochs: list[int] = []
    resumed = train(checkpoint=path, on_epoch=lambda row: epochs.append(row["epoch"]))
    assert epochs == list(range(epoch + 1, 5))
    assert as_bytes(resumed.state, tmp_path) == as_bytes(trained.state, tmp_path)
    assert resumed == replace(trained, state=resumed.state)
    assert [p.name for p in path.parent.iterdir()] == ["repetition-1.pt"]


def test_a_checkpoint_of_anything_else_is_not_used(
    data: TrainingData, initial: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pt"
    short = replace(RECIPE, first=replace(RECIPE.first, epochs=1, warmup_epochs=0))
    short = replace(short, second=replace(RECIPE.second, epochs=1, warmup_epochs=0))
    train(recipe=short, checkpoint=path)
    whole = path.read_bytes()

    def epochs(**changes: Any) -> int:
        path.write_bytes(whole)
        rows: list[object] = []
        train(**{"recipe": short, "checkpoint": path, "on_epoch": rows.append, **changes})
        return len(rows)

    assert epochs() == 0
    other = {name: tensor.clone() for name, tensor in initial.items()}
    other["backbone.conv_stem.weight"][0, 0, 0, 0] += 1e-3
    assert epochs(initial=other) == 2
    assert epochs(seed=3) == 2
    assert epochs(heads="carried") == 2
    assert epochs(recipe=replace(short, weight_decay=0.02)) == 2
    assert (
        epochs(
            data=replace(data, targets={**data.targets, "regressor": data.targets["regressor"] / 2})
        )
        == 2
    )
    monkeypatch.setattr(checkpoints, "CODE", ("seeding.py",))
    assert epochs() == 2
    monkeypatch.undo()
    whole = whole[: len(whole) // 2]
    assert epochs() == 2


def test_a_full_disk_keeps_the_epochs_before(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.pt"
    save, calls = torch.save, []

    def full(content: object, file: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(content, file)

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(StudyError, match=r"c\.pt: cannot be written .*No space left.*Make room"):
        train(checkpoint=path)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]
    monkeypatch.undo()
    epochs: list[int] = []
    resumed = train(checkpoint=path, on_epoch=lambda row: epochs.append(row["epoch"]))
    assert epochs == [3, 4]
    assert as_bytes(resumed.state, tmp_path) == as_bytes(trained.state, tmp_path)


def test_a_loss_that_is_no_number_stops_at_its_batch_and_names_it(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch
) -> None:
    wild = Phase(1, 0, Rate(0.0, 1e30), None)
    steps: list[int] = []
    step = Learner.training_step

    def count(self: Learner, batch: Any, batch_idx: int) -> torch.Tensor:
        steps.append(batch_idx)
        return step(self, batch, batch_idx)

    monkeypatch.setattr(Learner, "training_step", count)
    with pytest.raises(DesignError) as error:
        train(recipe=replace(RECIPE, first=wild, gradient_clip=0.0))
    # On a CPU it stops there, not at the end of the epoch.
    total = steps_per_epoch(len(data.train), RECIPE.batch)
    assert 1 < len(steps) < total
    assert f"epoch 1, batch {len(steps)} of {total}: " in str(error.value)
    assert "on 16 items (sub-" in str(error.value)
    assert "learning rates" in str(error.value)


def test_weights_and_names_that_do_not_fit_are_refused(initial: State) -> None:
    with pytest.raises(AssetError, match="did you mean 'test_efficientnet'"):
        train(spec=replace(SPEC, backbone="test_eficientnet"))
    with pytest.raises(AssetError, match="weights of another architecture"):
        train(initial={n: t for n, t in initial.items() if "conv_stem" not in n})
    with pytest.raises(AssetError, match="device 'cuda:77' is not usable"):
        train(hardware=Hardware(device="cuda:77"))
    with pytest.raises(ValueError, match="the backbone rests in the first phase"):
        replace(RECIPE, first=RECIPE.second)


def test_a_compiled_network_is_the_one_that_runs(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(torch, "compile", lambda network: asked.append(network) or network)
    found = train(hardware=Hardware(compile=True))
    assert len(asked) == 1
    assert torch.equal(found.state["classifier.weight"], trained.state["classifier.weight"])


def test_two_processes_share_the_batches(trained: Trained, tmp_path: Path) -> None:
    """DDP over two CPU processes; what one would learn, but for rounding."""
    path = tmp_path / "c.pt"
    found = train(hardware=Hardware(devices=2), checkpoint=path)
    assert len(found.curves) == 4
    assert found.validation["roc_auc"] > 0.9
    # With the backbone frozen normalisation is the same, so the first epoch is, but for rounding.
    for name in ("train_loss", "validation_loss", "validation_roc_auc"):
        assert found.curves[0][name] == pytest.approx(trained.curves[0][name], rel=1e-4)
    assert [p.name for p in tmp_path.iterdir()] == ["c.pt"]


def test_a_fault_in_a_process_is_told_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(task: object) -> None:
        raise DesignError("epoch 1, batch 2: the loss is nan")

    def spawn(function: Callable[..., None], args: tuple[Any, ...], nprocs: int) -> None:
        with pytest.raises(DesignError):
            function(1, *args)
        raise mp.ProcessRaisedException("a traceback", 1, 1234)

    monkeypatch.setattr("eifer.training.engine._fit", fail)
    monkeypatch.setattr(mp, "spawn", spawn)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    with pytest.raises(DesignError, match=r"^epoch 1, batch 2: the loss is nan$"):
        train(hardware=Hardware(devices=2))


def test_more_devices_than_a_batch_has_items_are_refused() -> None:
    with pytest.raises(DesignError, match="batch of 2 cannot be shared among 3 devices"):
        train(recipe=replace(RECIPE, batch=2), hardware=Hardware(devices=3))
