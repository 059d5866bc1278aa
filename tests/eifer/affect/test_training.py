"""The affect network as a description of the engine: what is its own, and not the engine's."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from eifer.affect.agreement import agreement
from eifer.affect.estimator import Estimator
from eifer.affect.training import (
    TrainedAffect,
    affect_description,
    card_markdown,
    given_card,
    model_card,
    validation_rows,
)
from eifer.errors import DesignError, StudyError
from eifer.training.data import TrainingData
from eifer.training.losses import MseAndCcc
from eifer.training.spec import Geometry, Hardware
from eifer.training.weights import save_weights
from tests import planted

train = planted.affect
SPEC, RECIPE = planted.SPEC, planted.AFFECT_RECIPE


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return planted.affect_faces()


@pytest.fixture(scope="module")
def trained() -> TrainedAffect:
    return train()


def test_what_was_planted_is_learnt(trained: TrainedAffect, data: TrainingData) -> None:
    assert trained.metrics["arousal"]["ccc"] > 0.6
    assert trained.metrics["valence"]["ccc"] > 0.6
    found = Estimator(trained.state, SPEC).estimate(data.images[data.validation])
    for column, dimension in enumerate(("arousal", "valence")):
        again = agreement(found[:, column], data.targets["head"][data.validation, column])
        assert again.ccc == pytest.approx(trained.metrics[dimension]["ccc"], abs=1e-4)


def test_the_kept_epoch_is_the_best(trained: TrainedAffect) -> None:
    scores = [row["validation_ccc"] for row in trained.history]
    assert len(scores) == 4
    assert trained.kept_epoch == 1 + int(np.argmax(scores))
    kept = trained.history[trained.kept_epoch - 1]
    assert kept["validation_ccc_valence"] == trained.metrics["valence"]["ccc"]


FOREIGN = {
    # A cluster's job, as its programs find it.
    "SLURM_NTASKS": "4",
    "SLURM_JOB_NAME": "study",
    "SLURM_JOB_ID": "7",
    "SLURM_PROCID": "1",
    "SLURM_LOCALID": "1",
    "SLURM_NODELIST": "node[1-4]",
    "TORCHELASTIC_RUN_ID": "7",
    "RANK": "3",
    "LOCAL_RANK": "3",
    "GROUP_RANK": "1",
    "NODE_RANK": "1",
    "WORLD_SIZE": "8",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "99999",
    "LSB_JOBID": "7",
    "LSB_DJOB_RANKFILE": "/nowhere",
    "JSM_NAMESPACE_LOCAL_RANK": "1",
    "JSM_NAMESPACE_SIZE": "4",
    "OMPI_COMM_WORLD_SIZE": "4",
    "TPU_WORKER_ID": "1",
    "PJRT_DEVICE": "TPU",
    # What Lightning takes for a choice.
    "PL_TRAINER_FAST_DEV_RUN": "1",
    "PL_TRAINER_LIMIT_TRAIN_BATCHES": "1",
    "PL_TRAINER_ACCUMULATE_GRAD_BATCHES": "2",
    "PL_TRAINER_NUM_NODES": "2",
    "PL_GLOBAL_SEED": "5",
    # What a shell may say.
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONHASHSEED": "5",
    "LC_ALL": "C",
    "LANG": "C",
    "OMP_NUM_THREADS": "2",
}


def test_the_environment_of_a_cluster_changes_nothing(
    trained: TrainedAffect, data: TrainingData, tmp_path: Path
) -> None:
    """In a process of its own: some of it is read when Python or Lightning starts."""
    save_weights(tmp_path / "here", trained.state, {})
    code = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
import planted
from eifer.training.weights import save_weights
from pathlib import Path
save_weights(Path("there"), planted.affect().state, {{}})
assert os.environ["PL_GLOBAL_SEED"] == "5"
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | FOREIGN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "there").read_bytes() == (tmp_path / "here").read_bytes()


def test_an_interrupted_training_goes_on(trained: TrainedAffect, tmp_path: Path) -> None:
    def kill(row: dict[str, Any]) -> None:
        if row["epoch"] == 2:
            raise KeyError("a power cut")

    path, epochs = tmp_path / "affect.pt", []
    with pytest.raises(KeyError):
        train(checkpoint=path, on_epoch=kill)
    resumed = train(checkpoint=path, on_epoch=lambda row: epochs.append(row["epoch"]))
    assert epochs == [3, 4]
    assert (resumed.history, resumed.metrics) == (trained.history, trained.metrics)


def test_nobody_is_on_both_sides(trained: TrainedAffect, data: TrainingData) -> None:
    people, held_out = data.people, data.validates
    assert not set(people[held_out]) & set(people[~held_out])
    assert trained.images == {
        "train": 120,
        "validation": 40,
        "train_identities": 15,
        "validation_identities": len(set(people[held_out])),
    }


def test_who_is_held_out_depends_on_the_people_not_on_the_rows() -> None:
    people = ["d", "b", "a", "c", "b", "d"]
    held_out = np.array(people)[validation_rows(people, 0.5, seed=4)]
    backwards = np.array(people[::-1])[validation_rows(people[::-1], 0.5, seed=4)]
    assert set(held_out) == set(backwards)
    assert len(set(held_out)) == 2


def test_loss_by_hand() -> None:
    estimates = torch.tensor([[1.0, 1], [2, 2], [3, 3]])
    assert MseAndCcc(2.0)(estimates, estimates + 1) == pytest.approx(1 + 2 * (1 - 4 / 7))
    assert MseAndCcc(1.0)(estimates, estimates) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": lambda i: i.astype(np.float32)}, "(?s)not uint8 32 x 32.*float32"),
        ({"targets": lambda t: np.where(t == t[7, 0], -2, t)}, r"\[-1, 1\] \(1\): picture 7"),
        ({"targets": lambda t: t[:, 0]}, r"\(160,\) for 160 items and 2 outputs"),
        ({"identities": lambda i: ["one"] * len(i)}, "1 identities"),
    ],
)
def test_data_that_do_not_fit_are_refused(change: dict[str, Any], said: str) -> None:
    changed = {name: how(planted.corpus()[name]) for name, how in change.items()}
    with pytest.raises(StudyError, match=said):
        train(data=planted.affect_faces(**changed))


@pytest.mark.parametrize("column", [0, 1])
def test_annotations_that_do_not_vary_are_refused_before_any_face_is_cut(
    data: TrainingData, column: int
) -> None:
    flat = planted.corpus()["targets"]
    flat[data.validation, column] = 0.25
    known = planted.affect_faces(targets=flat, images=None)
    with pytest.raises(DesignError, match=r"affect: validation \(5 people, 40 .* only \(0\.25\)"):
        known.check("affect", affect_description(SPEC, RECIPE))


@pytest.mark.parametrize("case", ["saturated", "pictures all the same"])
def test_a_network_that_says_nothing_ends_in_its_first_epoch(
    trained: TrainedAffect, data: TrainingData, case: str
) -> None:
    still = Geometry(flip=0, brightness=0, rotation_deg=0, shift=0, zoom=0)
    given: dict[str, Any] = {"training": replace(RECIPE, epochs=50, augmentation=still)}
    if case == "saturated":
        given["initial"] = {**trained.state, "head.bias": torch.tensor([0.0, 30.0])}
    else:
        given["data"] = replace(data, images=np.full_like(data.images, 127))
    with pytest.raises(
        DesignError, match=r"in epoch 1 of 50 .* the same .*head\[1\].*learning_rate"
    ):
        train(**given)


def test_a_cpu_trains_in_float32_whatever_the_precision(trained: TrainedAffect) -> None:
    again = train(hardware=Hardware(precision="bfloat16"))
    assert all(torch.equal(again.state[name], value) for name, value in trained.state.items())


def test_a_recipe_that_cannot_train_is_refused() -> None:
    with pytest.raises(DesignError, match="epochs 0"):
        train(training=replace(RECIPE, epochs=0))


def test_the_card_says_what_it_is_and_what_it_is_not(trained: TrainedAffect) -> None:
    card = model_card(
        trained,
        SPEC,
        RECIPE,
        corpus={"source": "drawn faces", "images": 160},
        licence="Apache-2.0",
        initial="none: random numbers",
    )
    page = card_markdown(card)
    assert card["images"]["validation_identities"] == 5
    for text in ("not ground truth", "Apache-2.0", "drawn faces", "| arousal | ", "held-out"):
        assert text in page
    assert f"{trained.metrics['valence']['ccc']:.3f}" in page


def test_given_weights_have_a_card_of_the_same_form() -> None:
    card = given_card(
        SPEC, origin="affectnet.safetensors", sha256="ab" * 32, licence="research only"
    )
    page = card_markdown(card)
    for text in ("not ground truth", "research only", "affectnet.safetensors", "ab" * 32):
        assert text in page
    assert card["validation"] == {}
    assert "Agreement" not in page
