"""The expressions study in MLflow: a run a network, with its results on every set of images."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import yaml

from eifer.corpora.recipes import HEAD, PUBLISHED, load
from eifer.errors import AssetError
from eifer.hashing import sha256_file
from eifer.tables.expressions import ANSWERS, EXPRESSION_CURVES, MATRIX, TRAINED
from eifer.training.network import Network
from eifer.training.weights import load_weights, save_weights
from eifer.vocabulary import Expression
from stages._runtime import pages
from stages._runtime.artifacts import write_json, write_table
from stages._runtime.mirror import Counts, mirror
from tests.stages.test_mirror import curve, figures, hashed, models, record, runs, some

SMALL = {"width": 0.02, "size_px": 16}


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study in which nothing was trained yet, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    Path("runs").mkdir()
    Path("params.yaml").write_text("protocol: expressions\nstudy: {name: demo}\n")
    return tmp_path


def train(trained_on: str, shift: float = 0.0) -> Path:
    """What two repetitions leave; ``shift`` makes other weights."""
    folder = Path(f"data/train/network-small_data-{trained_on}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    recipe = replace(PUBLISHED["fer2013"], **SMALL)
    card = {"recipe": asdict(recipe), "outputs": list(Expression)}
    rows, curves, cards = [], [], {}
    for repetition in (1, 2):
        file = folder / f"repetition-{repetition}.safetensors"
        state = Network(recipe.spec(), [HEAD]).state_dict()
        state[f"{HEAD.name}.bias"] += shift + repetition
        save_weights(file, state, card)
        cards[file.name] = card
        model = {"network": "small", "trained_on": trained_on, "repetition": repetition}
        sha256 = sha256_file(file)
        rows.append(some(TRAINED, **model, epochs=2, kept_epoch=2, weights_sha256=sha256))
        curves += [some(EXPRESSION_CURVES, **model, epoch=e, train_loss=1 / e) for e in (1, 2)]
    write_table(folder / "trained.parquet", TRAINED.frame(rows))
    write_table(folder / "curves.parquet", EXPRESSION_CURVES.frame(curves))
    write_json(folder / "cards.json", cards)
    record(folder)
    return folder


def evaluate(accuracy: float, *trained_on: str) -> None:
    """What evaluation leaves, and dvc.lock of the networks that it is of."""
    folder = Path("data/evaluate")
    folder.mkdir(exist_ok=True)
    models = [
        {"network": "small", "trained_on": name, "repetition": n}
        for name in (*trained_on, "specialists")
        for n in (1, 2)
    ]
    sets = [("all", "real", "original", accuracy), ("a", "test", "relabelled", 0.9)]
    matrix = [
        some(MATRIX, **m, tested_on=on, images=images, target=target, accuracy=value)
        for m in models
        for on, images, target, value in sets
    ]
    chances = dict.fromkeys((f"p_{name}" for name in Expression), 1 / 7)
    write_table(folder / "matrix.parquet", MATRIX.frame(matrix))
    answers = [some(ANSWERS, **m, **chances) for m in models[:-2]]
    write_table(folder / "answers.parquet", ANSWERS.frame(answers))
    lock: dict[str, Any] = {"stages": {"evaluate": {"deps": [hashed(Path("data/train"))]}}}
    Path("dvc.lock").write_text(yaml.safe_dump(lock))


def test_every_network_is_a_run_with_recipe_curves_figure_and_results() -> None:
    folder = train("merged")
    train("without-a")
    assert mirror(Path()) == Counts(added=4)
    evaluate(0.7, "merged", "without-a")
    assert mirror(Path()) == Counts(added=4, unchanged=4)
    assert mirror(Path()) == Counts(unchanged=8)
    names = ["small merged r01", "small merged r02", "small without-a r01", "small without-a r02"]
    assert [run.info.run_name for run in runs()] == names
    run = runs()[0]
    assert run.data.params["rate"] == "0.01" and run.data.params["falls.patience"] == "2"
    assert (run.data.params["network"], run.data.params["architecture"]) == ("small", "cnn48")
    assert run.data.metrics["validation_macro_f1"] == 0.5
    assert run.data.metrics["all_real/accuracy"] == 0.7
    assert run.data.metrics["a_test_agreement_with_a_model/accuracy"] == 0.9
    assert run.data.tags["weights_sha256"] == sha256_file(folder / "repetition-1.safetensors")
    assert run.data.tags["dvc_stage"] == "train@small-merged"
    assert run.data.tags["git_commit"] == "abc" and run.info.end_time == 1_060_000
    assert curve(run, "curves/train_loss") == [(1, 1.0), (2, 0.5)]
    assert ["<path" in text for text in figures(run).values()] == [True]
    charts = pages.views(runs(), pages.EXPRESSIONS)["compare-expressions"]["compareRunCharts"]
    shown = ["all_real/accuracy", "all_real/macro_f1"]
    assert [chart["metricKey"] for chart in charts] == shown


def test_results_are_not_of_networks_that_were_trained_anew_since() -> None:
    train("merged")
    evaluate(0.7, "merged")
    mirror(Path())
    train("merged", shift=1)
    assert mirror(Path()) == Counts(added=2)
    found = {
        run.data.tags["superseded"]: run.data.metrics.get("all_real/accuracy") for run in runs()
    }
    assert len(runs()) == 4 and found == {"yes": 0.7, "no": None}


def test_the_models_of_mlflow_give_seven_probabilities() -> None:
    folder = train("merged")
    mirror(Path())
    model, _ = sorted(models(), key=lambda m: m.tags["repetition"])
    assert model.tags == {"network": "small", "trained_on": "merged", "repetition": "01"}
    crops = np.random.default_rng(1).integers(0, 255, (3, 16, 16, 3), np.uint8)
    said = mlflow.pyfunc.load_model(f"models:/{model.model_id}").predict(crops)
    assert said.shape == (3, 7) and said.dtype == np.float32
    np.testing.assert_allclose(said.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(said, load(folder / "repetition-1.safetensors")(crops))


def test_weights_of_another_kind_are_no_network_of_expressions(study: Path) -> None:
    file = train("merged") / "repetition-1.safetensors"
    with pytest.raises(AssetError, match=r"sha256 is .*, expected 000"):
        load(file, "0" * 64)
    save_weights(study / "other.safetensors", load_weights(file, sha256_file(file)), {})
    with pytest.raises(AssetError, match="their card has no recipe"):
        load(study / "other.safetensors")
