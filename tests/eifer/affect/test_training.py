"""Training: learns what was planted, keeps identities apart, gives the same bytes twice."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from numpy.typing import NDArray
from scipy import ndimage

from eifer.affect.agreement import agreement
from eifer.affect.estimator import Estimator
from eifer.affect.spec import AffectSpec, AffectTraining, Augmentation
from eifer.affect.training import (
    TrainedAffect,
    affect_loss,
    augment,
    card_markdown,
    given_card,
    model_card,
    train,
    validation_rows,
)
from eifer.affect.weights import load_weights, save_weights
from eifer.errors import AssetError, DesignError
from eifer.hashing import sha256_file

SPEC = AffectSpec("test_efficientnet", 32, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
STILL = Augmentation(flip=0, brightness=0, rotation_deg=0, shift=0, zoom=0)
LIVELY = Augmentation(flip=0.5, brightness=0.1, rotation_deg=5, shift=0.05, zoom=0.05)
RECIPE = AffectTraining(
    epochs=4,
    batch=16,
    learning_rate=3e-3,
    weight_decay=0.01,
    warmup_share=0.2,
    gradient_clip=1.0,
    ccc_weight=1.0,
    validation_share=0.25,
    augmentation=LIVELY,
)
Data = tuple[NDArray[np.uint8], NDArray[np.float32], list[str]]


@pytest.fixture(scope="module")
def data() -> Data:
    """Pictures with arousal as the width of a bright bar, valence as its redness."""
    rng = np.random.default_rng(3)
    n = 160
    targets = rng.uniform(-1, 1, (n, 2)).astype(np.float32)
    images = rng.integers(60, 100, (n, 32, 32, 3)).astype(np.float64)
    for image, (arousal, valence) in zip(images, targets, strict=True):
        half = 8 + 6 * arousal
        image[10:22, int(16 - half) : int(16 + half)] = [
            150 + 90 * valence,
            150,
            150 - 90 * valence,
        ]
    return images.astype(np.uint8), targets, [f"person {i % 20}" for i in range(n)]


@pytest.fixture(scope="module")
def trained(data: Data) -> TrainedAffect:
    return train(*data, SPEC, RECIPE, seed=1)


def test_what_was_planted_is_learnt(trained: TrainedAffect, data: Data) -> None:
    assert trained.metrics["arousal"]["ccc"] > 0.6
    assert trained.metrics["valence"]["ccc"] > 0.6
    held_out = validation_rows(data[2], 0.25, seed=1)
    found = Estimator(trained.state, SPEC).estimate(data[0][held_out])
    for column, dimension in enumerate(("arousal", "valence")):
        again = agreement(found[:, column], data[1][held_out, column])
        assert again.ccc == pytest.approx(trained.metrics[dimension]["ccc"], abs=1e-4)


def test_the_kept_epoch_is_the_best(trained: TrainedAffect) -> None:
    scores = [row["validation_ccc"] for row in trained.history]
    assert len(scores) == 4
    assert trained.kept_epoch == 1 + int(np.argmax(scores))
    kept = trained.history[trained.kept_epoch - 1]
    assert kept["validation_ccc_valence"] == trained.metrics["valence"]["ccc"]


def test_the_same_seed_gives_the_same_bytes_and_leaves_no_trace(
    trained: TrainedAffect,
    data: Data,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].tobytes(), torch.get_num_threads()  # type: ignore[union-attr]
    again = train(*data, SPEC, RECIPE, seed=1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tobytes()  # type: ignore[union-attr]
    assert before[2] == torch.get_num_threads()
    assert not torch.are_deterministic_algorithms_enabled()
    assert os.listdir() == []
    assert capfd.readouterr().out == ""

    save_weights(tmp_path / "a", trained.state, {})
    save_weights(tmp_path / "b", again.state, {})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert again.history == trained.history


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
    trained: TrainedAffect, data: Data, tmp_path: Path
) -> None:
    """In a process of its own: some of it is read when Python or Lightning starts."""
    np.savez(tmp_path / "data.npz", images=data[0], targets=data[1], identities=data[2])
    save_weights(tmp_path / "here", trained.state, {})
    code = """
import numpy as np, os, pickle, sys
from eifer.affect.training import train
from eifer.affect.weights import save_weights
from pathlib import Path
data = np.load("data.npz")
spec, recipe = pickle.loads(Path("spec.pickle").read_bytes())
identities = list(map(str, data["identities"]))
found = train(data["images"], data["targets"], identities, spec, recipe, seed=1)
save_weights(Path("there"), found.state, {})
assert os.environ["PL_GLOBAL_SEED"] == "5"
"""
    (tmp_path / "spec.pickle").write_bytes(pickle.dumps((SPEC, RECIPE)))
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


def test_another_seed_gives_other_weights(trained: TrainedAffect, data: Data) -> None:
    other = train(*data, SPEC, replace(RECIPE, epochs=1), seed=2)
    assert not torch.equal(other.state["head.weight"], trained.state["head.weight"])


def test_nobody_is_on_both_sides(trained: TrainedAffect, data: Data) -> None:
    held_out = validation_rows(data[2], 0.25, seed=1)
    people = np.array(data[2])
    assert not set(people[held_out]) & set(people[~held_out])
    assert trained.n_validation_identities == len(set(people[held_out])) == 5
    assert (trained.n_train, trained.n_validation) == (120, 40)
    assert trained.n_train_identities == 15


def test_who_is_held_out_depends_on_the_people_not_on_the_rows() -> None:
    people = ["d", "b", "a", "c", "b", "d"]
    held_out = np.array(people)[validation_rows(people, 0.5, seed=4)]
    backwards = np.array(people[::-1])[validation_rows(people[::-1], 0.5, seed=4)]
    assert set(held_out) == set(backwards)
    assert len(set(held_out)) == 2


def test_a_backbone_file_is_a_start_and_its_classifier_is_left_out(
    data: Data, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    imagenet = timm.create_model(SPEC.backbone, pretrained=False)
    path = tmp_path / "imagenet.safetensors"
    save_weights(path, imagenet.state_dict(), {})
    start = load_weights(path, sha256_file(path))
    still = replace(RECIPE, epochs=1, learning_rate=0.0)
    found = train(*data, SPEC, still, seed=1, initial=start).state
    assert torch.equal(found["backbone.conv_stem.weight"], start["conv_stem.weight"])
    with pytest.raises(AssetError, match="initial weights for the backbone test_resnet"):
        train(*data, replace(SPEC, backbone="test_resnet"), still, seed=1, initial=start)


def test_whole_affect_weights_are_a_start_too(trained: TrainedAffect, data: Data) -> None:
    still = replace(RECIPE, epochs=1, learning_rate=0.0)
    found = train(*data, SPEC, still, seed=8, initial=trained.state).state
    assert torch.equal(found["head.weight"], trained.state["head.weight"])


def test_loss_by_hand() -> None:
    estimates = torch.tensor([[1.0, 1], [2, 2], [3, 3]])
    assert affect_loss(estimates, estimates + 1, 2.0) == pytest.approx(1 + 2 * (1 - 4 / 7))
    assert affect_loss(estimates, estimates, 1.0) == pytest.approx(0, abs=1e-6)


def test_no_augmentation_changes_nothing_and_a_flip_is_a_mirror() -> None:
    images = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (3, 3, 16, 16))).float()
    same = augment(images, STILL, np.random.default_rng(0))
    torch.testing.assert_close(same, images, atol=1e-2, rtol=0)
    mirrored = augment(images, replace(STILL, flip=1.0), np.random.default_rng(0))
    torch.testing.assert_close(mirrored, images.flip(-1), atol=1e-2, rtol=0)


def test_augmentation_stays_within_its_bounds() -> None:
    """A bright disc moves, grows and brightens by no more than the recipe says."""
    y, x = np.mgrid[:64, :64] - 31.5
    disc = np.where(np.hypot(y, x) < 12, 100.0, 0.0)
    images = torch.from_numpy(disc).float().expand(200, 3, 64, 64)
    moved = augment(images, replace(STILL, shift=0.1), np.random.default_rng(1)).numpy()[:, 0]
    centres = np.array([ndimage.center_of_mass(image) for image in moved]) - 31.5
    assert 5 < np.abs(centres).max() < 6.4 + 0.1  # a tenth of 64 pixels
    zoomed = augment(images, replace(STILL, zoom=0.2), np.random.default_rng(1)).numpy()[:, 0]
    radii = np.sqrt(zoomed.sum((1, 2)) / 100 / np.pi)
    assert 12 / 1.2 - 0.2 < radii.min() < 10.5
    assert 14 < radii.max() < 12 / 0.8 + 0.2
    lit = augment(images, replace(STILL, brightness=0.2), np.random.default_rng(1)).numpy()
    assert 119 < lit.max() <= 120.01


def test_a_rotation_turns_without_stretching() -> None:
    y, x = np.mgrid[:65, :65] - 32.0
    bar = np.where((np.abs(y) < 3) & (np.abs(x) < 25), 100.0, 0.0)
    images = torch.from_numpy(bar).float().expand(50, 3, 65, 65)
    turned = augment(images, replace(STILL, rotation_deg=20), np.random.default_rng(1))[:, 0]
    angles = []
    for image in turned.numpy():
        weight = image / image.sum()
        cross = (weight * x * y).sum()
        along, across = (weight * x * x).sum(), (weight * y * y).sum()
        angles.append(0.5 * np.degrees(np.arctan2(2 * cross, along - across)))
        length = np.sqrt(6 * (along + across))  # of a thin bar: 12 times its variance is length^2
        assert length == pytest.approx(np.sqrt(6 * 25**2 * 4 / 12), rel=0.05)
    assert 17 < max(angles) <= 20.5
    assert -20.5 <= min(angles) < -17


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"images": lambda i: i[:, :16]}, "not uint8"),
        ({"images": lambda i: i.astype(np.float32)}, "images are float32"),
        ({"targets": lambda t: np.where(t == t[7, 0], -2, t)}, r"1 targets lie outside.*\[7\]"),
        ({"targets": lambda t: np.where(t == t[7, 0], np.nan, t)}, r"1 targets lie outside"),
        ({"targets": lambda t: t[:, 0]}, r"targets are \(160,\)"),
        ({"identities": lambda i: ["one"] * len(i)}, "1 identities"),
        ({"identities": lambda i: i[:-1]}, "images are"),
    ],
)
def test_data_that_do_not_fit_are_refused(data: Data, change: dict[str, Any], said: str) -> None:
    given = dict(zip(("images", "targets", "identities"), data, strict=True))
    for name, how in change.items():
        given[name] = how(given[name])
    with pytest.raises(DesignError, match=said):
        train(**given, spec=SPEC, training=RECIPE, seed=1)  # type: ignore[arg-type]


@pytest.mark.parametrize("column", [0, 1])
def test_annotations_that_do_not_vary_are_refused_before_any_training(
    data: Data, column: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, targets, identities = data
    flat = targets.copy()
    flat[:, column] = 0.25
    name = ("arousal", "valence")[column]
    both = rf"{name} is 0\.25 in all \d+ train images.*{name} is 0\.25 in all \d+ validation images"
    with pytest.raises(DesignError, match=both):
        train(images, flat, identities, SPEC, RECIPE, seed=1)
    held_out = validation_rows(identities, RECIPE.validation_share, seed=1)
    flat = targets.copy()
    flat[held_out, column] = -1
    with pytest.raises(DesignError, match=rf"affect: {name} is -1 in all \d+ validation images"):
        train(images, flat, identities, SPEC, RECIPE, seed=1)


@pytest.mark.parametrize("case", ["saturated", "pictures all the same"])
def test_a_network_that_says_nothing_ends_in_its_first_epoch(
    trained: TrainedAffect, data: Data, case: str
) -> None:
    images, targets, identities = data
    recipe = replace(RECIPE, epochs=50, augmentation=STILL)
    initial = None
    if case == "saturated":
        initial = {**trained.state, "head.bias": torch.tensor([0.0, 30.0])}
    else:
        images = np.full_like(images, 127)
    with pytest.raises(DesignError, match=r"in epoch 1 of 50 .* the same.*valence.*learning_rate"):
        train(images, targets, identities, SPEC, recipe, seed=1, initial=initial)


def test_a_cpu_trains_in_float32_whatever_the_precision(trained: TrainedAffect, data: Data) -> None:
    again = train(*data, SPEC, RECIPE, seed=1, precision="bfloat16")
    assert all(torch.equal(again.state[name], value) for name, value in trained.state.items())


def test_a_recipe_that_cannot_train_is_refused(data: Data) -> None:
    with pytest.raises(DesignError, match="epochs 0"):
        train(*data, SPEC, replace(RECIPE, epochs=0), seed=1)
    with pytest.raises(DesignError, match=r"epoch 1 the training loss is nan.*learning_rate"):
        train(*data, SPEC, replace(RECIPE, learning_rate=1e30, gradient_clip=0.0), seed=1)


def test_fewer_images_than_a_batch_are_one_batch(data: Data) -> None:
    images, targets, people = (part[:24] for part in data)
    found = train(images, targets, people, SPEC, replace(RECIPE, batch=64, epochs=1), seed=1)
    assert found.n_train + found.n_validation == 24
    assert np.isfinite(found.history[0]["training_loss"])


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


def test_what_is_chosen_is_known_without_torch() -> None:
    code = "import sys, eifer.affect.spec; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
