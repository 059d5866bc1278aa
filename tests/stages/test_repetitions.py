"""A block of repetitions on a planted task: blocks do not matter, kills cost one epoch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from eifer.errors import AssetError, DesignError, InputError, StudyError
from eifer.hashing import sha256_file
from eifer.models import repetitions as library
from eifer.models.scoring import load
from eifer.tables.partitions import SAMPLES
from eifer.tables.selection import CROPS
from eifer.tables.training import CURVES, REPETITIONS
from eifer.training.learner import Learner
from eifer.training.weights import read_metadata, save_weights
from stages._runtime import repetitions
from stages._runtime import stage as runtime
from stages._runtime.artifacts import read_table, write_table
from stages._runtime.stage import Run
from stages.catalogue import FINE_TUNE_TOTAL, PRETRAIN_EI
from stages.fine_tune_total import fine_tune_total
from stages.params import Params
from stages.pretrain_ei import pretrain_ei
from tests import planted
from tests.stages.test_params import accepted

PX = planted.PX
PHASES = [f"training.recipe.{phase}" for phase in ("first", "second")]
MACHINE = SimpleNamespace(hand_on=lambda: None, hold="auto")
DESIGN = {"assignment": "ei", "rotation": "1"}
SAMPLED = Path("data/split/samples/assignment-ei.parquet")
MakeRun = Callable[..., Run]
pretrain = pretrain_ei.function


def params(backbone: str = "test_efficientnet") -> Params:
    """The demo's, with an epoch a phase."""
    named = dict.fromkeys(("affect.backbone", "training.backbone"), backbone)
    phases = {f"{phase}.epochs": 1 for phase in PHASES}
    phases |= {f"{phase}.warmup_epochs": 0 for phase in PHASES}
    small = {"study.waves": ["1"], "study.crop.size_px": PX, "training.recipe.batch": 16}
    return accepted(named | phases | small)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight participants of two groups with a video each, and affect weights."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    samples: list[dict[str, Any]] = []
    for place in ("data/select/wave-1/crops", SAMPLED.parent, "data/affect", "data/declare"):
        Path(place).mkdir(parents=True)
    for person in range(8):
        video, rows = f"sub-{person:02d}_run-1", []
        for frame in range(12):
            label = frame % 2
            image = rng.integers(60, 120, (PX, PX, 3)).astype(np.uint8)
            image[8:24, 16 * label : 16 * label + 12] = 230
            item = f"{video}_frame-{frame:06d}"
            rows.append(
                {"item_id": item, "video_id": video, "frame": frame, "height_px": PX}
                | {"width_px": PX, "crop": image.tobytes()}
            )
            samples += [
                {"item_id": item, "participant_id": video[:6], "video_id": video, "frame": frame}
                | {"task": task, "partition": "validation" if person < 2 else "train"}
                | {"group": "High" if person % 2 else "Low", "label": label}
                | {"label_source": "rating", "estimate": label - 0.5}
                | {"assignment": "ei", "rotation": "1", "total": True}
                for task in ("arousal", "valence")
            ]
        write_table(Path(f"data/select/wave-1/crops/{video}.parquet"), CROPS.frame(rows))
    write_table(SAMPLED, SAMPLES.frame(samples))
    Path("data/declare/declaration.json").write_text("{}")
    save_weights(
        Path("data/affect/weights.safetensors"),
        planted.initial(),
        {"licence": "CC0", "input": {"backbone": "test_efficientnet"}},
    )
    return tmp_path


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the tables promise is checked elsewhere; Great Expectations takes 5 s to import.
    monkeypatch.setattr(Run, "_check", lambda self, table, frame: None)


@pytest.fixture
def make_run(study: Path, unchecked: None) -> MakeRun:
    def make(block: str, *, stage: Any = pretrain_ei, backbone: str = "test_efficientnet") -> Run:
        place = f"assignment-ei/rotation-1/task-arousal_group-High_block-{block}"
        folder = Path(f"data/{stage.name}/{place}")
        folder.mkdir(parents=True, exist_ok=True)
        item = {**DESIGN, "task": "arousal", "group": "High", "block": block}
        return Run(stage, params(backbone), item, folder, MACHINE)  # type: ignore[arg-type]

    return make


def weights(run: Run) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.folder.glob("*.safetensors"))}


def test_what_a_block_leaves(make_run: MakeRun) -> None:
    run = make_run("1-2")
    outcome = pretrain(run)
    models = outcome.made[PRETRAIN_EI.repetitions]
    assert list(models["repetition"]) == [1, 2]
    assert models["seed"].nunique() == 2
    assert (models["n_train"] == 36).all() and (models["n_train_participants"] == 3).all()
    for rule in (*REPETITIONS.rules, *CURVES.rules):
        table = models if rule in REPETITIONS.rules else outcome.made[PRETRAIN_EI.curves]
        others = {"curves": outcome.made[PRETRAIN_EI.curves]}
        assert rule.broken(table, others).empty, rule.name
    for number, sha256 in zip(models["repetition"], models["weights_sha256"], strict=True):
        path = run.folder / f"repetition-{number}.safetensors"
        assert sha256_file(path) == sha256
        card = read_metadata(path)
        assert card == json.loads(json.dumps(outcome.made[PRETRAIN_EI.cards][path.name]))
        assert card["licence"] == "CC0" and card["intended_use"] and card["limits"]
        assert load(path, sha256)(np.zeros((2, PX, PX, 3), np.uint8)).shape == (2,)


def test_final_keeps_the_last_epoch_and_says_so(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("1")
    run.item["assignment"] = "final"
    shutil.copy(SAMPLED, SAMPLED.with_name("assignment-final.parquet"))
    kept = []
    train = library.train_classifier

    def watch(*args: Any, **given: Any) -> Any:
        kept.append(args[2].keep)
        return train(*args, **given)

    monkeypatch.setattr(library, "train_classifier", watch)
    outcome = pretrain(run)
    assert kept == ["last"]
    assert "second phase the last epoch on " in outcome.report.methods
    (card,) = outcome.made[PRETRAIN_EI.cards].values()
    assert card["limits"][-1].endswith("who chose the threshold (not the epoch).")
    assert "second phase the epoch of best macro F1 on " in pretrain(make_run("1")).report.methods
    assert kept == ["last", "best"]


def test_a_repetition_is_the_same_in_whatever_block(make_run: MakeRun) -> None:
    both, alone = make_run("1-2"), make_run("2")
    pretrain(both)
    pretrain(alone)
    assert weights(alone)["repetition-2.safetensors"] == weights(both)["repetition-2.safetensors"]
    assert weights(both)["repetition-1.safetensors"] != weights(both)["repetition-2.safetensors"]


def test_after_a_kill_what_was_finished_is_not_trained_again(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("1-2")
    pretrain(run)
    whole = weights(run)
    shutil.rmtree("runs/checkpoints")
    epochs: list[tuple[int, int]] = []
    told = Learner.on_train_epoch_end

    def count(self: Any) -> None:
        told(self)
        epochs.append((self.seed, self.progress.epoch))
        if len(epochs) == 3:  # the first epoch of the second repetition
            raise KeyError("a power cut")

    monkeypatch.setattr(Learner, "on_train_epoch_end", count)
    with pytest.raises(KeyError):
        pretrain(run)
    for path in run.folder.iterdir():
        path.unlink()
    pretrain(run)
    assert len(epochs) == 4
    assert weights(run) == whole


def test_finished_trainings_outlive_a_disk_that_is_full_at_the_end(
    study: Path, unchecked: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "load_study", lambda path: params())
    monkeypatch.setattr(runtime, "Machine", lambda: MACHINE)
    item = {**DESIGN, "task": "arousal", "group": "High", "block": "1-2"}
    folder = Path("data/pretrain_ei")

    def made() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    pretrain_ei(item)
    whole = made()
    assert len(whole) == 7 and not list(Path("runs/checkpoints").rglob("*"))
    shutil.rmtree(folder)

    def full(path: Path, frame: pd.DataFrame) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(runtime.artifacts, "write_table", full)
        pretrain_ei(item)
    assert made() == {}

    def never(self: Any) -> None:
        raise AssertionError("an epoch is trained again")

    monkeypatch.setattr(Learner, "on_train_epoch_start", never)
    pretrain_ei(item)
    assert made() == whole
    assert not list(Path("runs/checkpoints").rglob("*"))


def test_fine_tuning_starts_from_the_repetition_of_the_same_number(make_run: MakeRun) -> None:
    before = make_run("1-2")
    outcome = pretrain(before)
    write_table(before.folder / PRETRAIN_EI.repetitions.name, outcome.made[PRETRAIN_EI.repetitions])
    run = make_run("1-2", stage=fine_tune_total)
    made = fine_tune_total.function(run).made[FINE_TUNE_TOTAL.repetitions]
    assert list(made["initial_sha256"]) == list(
        outcome.made[PRETRAIN_EI.repetitions]["weights_sha256"]
    )
    assert (made["n_train"] == 72).all() and set(made["training_group"]) == {"High"}
    # Weights changed since: refused, not trained from.
    save_weights(before.folder / "repetition-2.safetensors", {"a": torch.zeros(1)}, {})
    with pytest.raises(AssetError, match=r"repetition-2.safetensors: sha256 is"):
        fine_tune_total.function(run)
    origin = repetitions.trained_origin(run, PRETRAIN_EI)
    assert origin(1)[0].name == "repetition-1.safetensors"


def test_weights_of_another_backbone_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(AssetError, match=r"made for \{'backbone': 'test_efficientnet'\}, but"):
        pretrain(make_run("1", backbone="efficientnet_b0"))


def test_crops_that_are_missing_or_of_another_size_are_named(make_run: MakeRun) -> None:
    shard = Path("data/select/wave-1/crops/sub-03_run-1.parquet")
    crops = read_table(shard, CROPS)
    small = pd.concat([crops[1:].assign(crop=crops["crop"][0][:300])[:1], crops[2:]])
    write_table(shard, CROPS.conform(small))
    with pytest.raises(InputError) as error:
        pretrain(make_run("1"))
    assert "item without a crop (1): sub-03_run-1_frame-000000" in str(error.value)
    assert "crop that is not 32 x 32 (1): sub-03_run-1_frame-000001" in str(error.value)


def test_a_group_without_items_is_refused(make_run: MakeRun) -> None:
    samples = read_table(SAMPLED, SAMPLES)
    write_table(SAMPLED, samples[samples["group"] == "Low"])
    with pytest.raises(DesignError, match="pretrain_ei: no arousal item of group High"):
        pretrain(make_run("1"))


def test_a_full_disk_says_what_is_kept(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eifer.models.repetitions.save_weights", full)
    with pytest.raises(StudyError, match=r"repetition-1.*No space.*kept in runs/checkpoints"):
        pretrain(make_run("1"))
    assert list(Path("runs/checkpoints").rglob("*.pt"))
