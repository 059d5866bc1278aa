"""The mirror in MLflow: complete and found again, nothing twice, nothing lost, nobody's hurdle."""

from __future__ import annotations

import hashlib
import importlib
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import yaml

from eifer.errors import StudyError
from eifer.hashing import sha256_file
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON, PARTICIPANT_DELTAS
from eifer.tables.evaluation import METRICS, PREDICTIONS
from eifer.tables.schema import Table
from eifer.tables.training import CURVES, REPETITIONS
from flows.servers import ui
from flows.servers.addresses import free_port
from flows.withdraw.withdrawal import mlflow_runs
from stages._runtime import content as held
from stages._runtime import contents, pages, records
from stages._runtime import mirror as module
from stages._runtime import mlflow_place as place
from stages._runtime import mlflow_store as store
from stages._runtime.artifacts import write_json, write_table
from stages._runtime.mirror import Counts, mirror
from stages._runtime.serving import read_exports
from tests.watched import STILL_S, ended, finish

ROOT = Path(__file__).parents[2]
LOADER = records.LOADER
DRAWN = contents.figure
ODD = "a ?b=c#d %20 \N{LATIN SMALL LETTER U WITH DIAERESIS}'\n[x]$HOME"
"""The folder of each study here: nothing of it may land beside it."""
EI = {"assignment": "ei", "rotation": "1"}
EVALUATED = Path("data/evaluate/assignment-ei")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes a second."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    store.make_database(path)
    return path


@pytest.fixture(autouse=True)
def study(
    tmp_path: Path,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """A study in which nothing was trained yet, to work in."""
    home = tmp_path / getattr(request, "param", ODD)
    home.mkdir()
    monkeypatch.chdir(home)
    place.DATABASE.parent.mkdir()
    shutil.copyfile(database, place.DATABASE)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    # No test is about how long a lock is held, or a server takes to answer.
    monkeypatch.setattr(module, "LOCK_WAIT_S", STILL_S)
    monkeypatch.setattr(place, "PROBE_S", STILL_S)
    # Drawing takes a third of a second; the test of figures does it.
    monkeypatch.setattr(contents, "figure", lambda name, *_: {f"{name}.svg": b"<svg/>"})
    brightness = ModuleType("eifer.brightness")
    brightness.load = _brightness  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "eifer.brightness", brightness)
    monkeypatch.setattr(records, "LOADER", "eifer.brightness:load")
    Path("params.yaml").write_text("study: {name: demo}\n")
    yield home
    assert list(tmp_path.iterdir()) == [home]
    assert not (home / "file:").exists()


def _brightness(path: Path) -> Any:
    """A model whose weights are one byte: the brightness that counts as 1."""
    full = path.read_bytes()[0]
    return lambda crops: (crops.mean(axis=(1, 2, 3)) / full).astype(np.float32)


def some(table: Table, **given: Any) -> dict[str, Any]:
    """A row of a table: what is given, and something of its kind in every other column."""
    kinds = {"int": 1, "float": 0.5, "string": "x", "bool": True}
    return {c.name: given.get(c.name, kinds.get(c.kind)) for c in table.columns}


def train(
    *weights: bytes,
    group: str = "High",
    known: bool = True,
    f1: float = 0.5,
    assignment: str = "ei",
    rotation: str = "1",
) -> Path:
    """What a block leaves, a repetition for each of ``weights``; ``known``: with its record."""
    stage = "train_total" if group == "Total" else "fine_tune_total"
    if group == "Total":
        named = f"rotation-{rotation}/total-{assignment}_task-arousal"
    else:
        named = f"assignment-{assignment}/rotation-{rotation}/task-arousal_group-{group}"
    where = {"assignment": assignment, "rotation": rotation}
    folder = Path(f"data/{stage}/{named}_block-1-2")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    rows, curves, cards = [], [], {}
    for number, content in enumerate(weights, 1):
        path = folder / f"repetition-{number}.safetensors"
        path.write_bytes(content)
        model = {**where, "task": "arousal", "training_group": group, "repetition": number}
        merits = {"validation_macro_f1": f1 / number, "validation_roc_auc": None, "threshold": 0.4}
        sha256 = {"weights_sha256": sha256_file(path), "initial_sha256": "1" * 64}
        rows.append(some(REPETITIONS, **model, stage=stage, seed=7, **merits, **sha256))
        curves += [
            some(
                CURVES, **model, epoch=e, phase="all", train_loss=1 / e, validation_roc_auc=roc_auc
            )
            for e, roc_auc in ((1, None), (2, 0.6), (3, 0.7))
        ]
        cards[path.name] = {
            "network": {"backbone": "small", "size_px": 4},
            "training": {"heads": "new", "recipe": {"first": {"lr": 0.001}, "sizes": [1, 2]}},
            "data": {"sha256": "2" * 64},
        }
    write_table(folder / "repetitions.parquet", REPETITIONS.frame(rows))
    write_table(folder / "curves.parquet", CURVES.frame(curves))
    write_json(folder / "cards.json", cards)
    if known:
        record(folder)
    return folder


def record(folder: Path, finished: str = "1970-01-01T00:17:40+00:00") -> None:
    """What `provenance` says of who made a folder."""
    Path("runs/provenance").mkdir(exist_ok=True)
    _, stage, *places = folder.parts
    item = [part.split("-", 1)[1] for place in places for part in place.split("_")]
    write_json(
        Path(f"runs/provenance/{time.time_ns()}_{'@'.join([stage, *item])}.json"),
        {
            "finished": finished,
            "wall_s": 60.0,
            "git": {"commit": "abc", "changed": False},
            "given": {"data/split/samples/assignment-ei.parquet": "3" * 64, "data/select": None},
            "made": {p.as_posix(): sha256_file(p) for p in folder.iterdir()},
            "usage": {"after_s": [1.0, 2.0], "process_cpu_percentage": [90.0, 80.0]},
        },
    )


def evaluate(roc_auc: float, group: str = "High", repetitions: int = 2) -> None:
    """What evaluation leaves, and dvc.lock of the models that it is of."""
    EVALUATED.mkdir(parents=True, exist_ok=True)
    model = {**EI, "task": "arousal", "training_group": group}
    models = [model | {"repetition": number} for number in range(1, repetitions + 1)]
    kind = {"condition": "ambiguous", "threshold": 0.4, "threshold_kind": "searched"}
    metrics = [some(METRICS, **m, **kind, roc_auc=roc_auc) for m in models]
    answers = [
        some(PREDICTIONS, **m, **kind, participant_id=f"sub-{n}", item_id=f"{n}", **answer)
        for m in models
        for n, answer in enumerate(
            ({"score": s, "label": y} for s, y in ((0.2, 0), (0.6, 0), (0.7, 1), (0.9, 1)))
        )
    ]
    write_table(EVALUATED / "metrics.parquet", METRICS.frame(metrics))
    write_table(EVALUATED / "predictions.parquet", PREDICTIONS.frame(answers))
    read = (Path("data/fine_tune_total/assignment-ei"), Path("data/train_total"))
    deps = [hashed(path) for path in read if path.exists()]
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": {"evaluate@ei": {"deps": deps}}}))


def hashed(folder: Path) -> dict[str, Any]:
    """A folder as dvc.lock has it."""
    return {"path": folder.as_posix(), **held.content(folder, ()).as_dict()}


def compare(delta: float = 0.02) -> None:
    folder = Path("data/stats")
    folder.mkdir(parents=True, exist_ok=True)
    where = {"models": "fine-tuned", "task": "arousal", "condition": "ambiguous"}
    where |= {"contrast": "High-Low"}
    for name, table in (
        ("by_participant", BY_PARTICIPANT),
        ("participant_deltas", PARTICIPANT_DELTAS),
        ("comparison", COMPARISON),
    ):
        ends = {
            f"{m}{end}": v for m in ("", "pooled_") for end, v in (("ci_low", -1), ("ci_high", 1))
        }
        rows = [some(table, **where, **ends, delta=delta, role="exploratory")]
        write_table(folder / f"{name}.parquet", table.frame(rows))
    write_json(folder / "report.json", {"numbers": {"margin": 0.005, "verdicts": {"x": 1}}})


def figures(run: Any) -> dict[str, str]:
    """The text of every figure that MLflow has of a run."""
    client = store.client()
    paths = [file.path for file in client.list_artifacts(run.info.run_id, "figures")]
    return {
        path: Path(client.download_artifacts(run.info.run_id, path)).read_text() for path in paths
    }


def experiment() -> str:
    found = store.client().get_experiment_by_name("demo")
    assert found is not None
    return found.experiment_id


def runs(kind: str = "repetition") -> list[Any]:
    of_kind, by_name = f"tags.kind = '{kind}'", ["attributes.run_name"]
    return list(store.client().search_runs([experiment()], of_kind, order_by=by_name))


def models() -> list[Any]:
    return list(store.client().search_logged_models([experiment()]))


def curve(run: Any, name: str) -> list[tuple[int, float]]:
    history = store.client().get_metric_history(run.info.run_id, name)
    return [(point.step, point.value) for point in history]


def superseded() -> dict[str, str]:
    return {r.data.tags["weights_sha256"]: r.data.tags["superseded"] for r in runs()}


def test_importing_the_mirror_does_not_import_mlflow() -> None:
    code = "import sys; from stages._runtime import mirror; print('mlflow' in sys.modules)"
    assert finish([sys.executable, "-c", code], ROOT).stdout.strip() == "False"


def test_a_study_without_a_training_needs_no_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert mirror(Path()) == Counts()
    with pytest.raises(StudyError, match="no answer from"):
        ui.show(Path(), None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(StudyError, match="nothing was trained yet"):
        ui.show(Path(), None)


def test_a_repetition_is_shown_whole() -> None:
    train(b"\xc8", b"\xc9")
    assert mirror(Path()) == Counts(added=2)
    run, second = runs()
    assert (run.info.run_name, second.info.run_name) == ("arousal High r01", "arousal High r02")
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_000_000, 1_060_000)
    assert run.data.params == {
        **EI,
        "task": "arousal",
        "training_group": "High",
        "block": "1-2",
        "backbone": "small",
        "heads": "new",
        "first.lr": "0.001",
        "sizes": "1, 2",
    }
    metrics = run.data.metrics
    assert metrics["validation_macro_f1"] == 0.5 and metrics["threshold"] == 0.4
    # Not an axis of nineteen digits in MLflow's comparison, nor what is a name.
    assert not {"seed", "repetition", "validation_roc_auc"} & metrics.keys()
    assert curve(run, "curves/validation_roc_auc") == [(2, 0.6), (3, 0.7)]
    assert curve(run, "system/process_cpu_percentage") == [(0, 90.0), (1, 80.0)]
    assert (
        run.data.tags.items()
        >= {
            "dvc_stage": "fine_tune_total@ei-1-arousal-High-1-2",
            "study": "demo",
            **EI,
            "task": "arousal",
            "training_group": "High",
            "repetition": "01",
            "model": "arousal High",
            "seed": "7",
            "superseded": "no",
            "git_commit": "abc",
            "weights_sha256": hashlib.sha256(b"\xc8").hexdigest(),
            "sha256.samples": "3" * 64,
            "sha256.training_data": "2" * 64,
        }.items()
    )
    given = {(g.dataset.name, g.dataset.digest) for g in run.inputs.dataset_inputs}
    assert given == {
        (name, digit * 16)
        for name, digit in (("samples", "3"), ("training_data", "2"), ("initial_weights", "1"))
    }
    assert list(figures(run)) == ["figures/learning_curves.svg"]


# MLflow takes the path of a model for an address, whose end begins at ? or #.
@pytest.mark.parametrize("study", ["plain \N{LATIN SMALL LETTER U WITH DIAERESIS}"], indirect=True)
def test_the_best_model_is_registered_predicts_and_is_no_pickle(study: Path) -> None:
    import mlflow

    train(b"\xc8", b"\xc9")
    mirror(Path())
    assert [str(model.status) for model in models()] == ["READY", "READY"]
    files = [p for p in place.ARTIFACTS.rglob("*") if p.is_file()]
    assert not [p for p in files if p.suffix in {".pkl", ".pickle", ".pt", ".pth"}]
    for path in files:
        assert not path.read_bytes().startswith((b"\x80\x04", b"\x80\x05")), path
        assert "cloudpickle" not in path.read_text("latin-1"), path
    best = mlflow.pyfunc.load_model("models:/demo arousal High@best")
    crops = np.zeros((3, 4, 4, 3), np.uint8)
    crops[1], crops[2] = 100, 200
    np.testing.assert_allclose(best.predict(crops), [0, 0.5, 1])
    with pytest.raises(mlflow.MlflowException):
        best.predict(np.zeros((1, 5, 5, 3), np.uint8))
    # Trained anew, the alias follows; what was registered stays.
    train(b"\x64", b"\xc9")
    for _ in range(2):
        mirror(Path())
    best = mlflow.pyfunc.load_model("models:/demo arousal High@best")
    np.testing.assert_allclose(best.predict(crops), [0, 1, 2])
    assert len(store.client().search_model_versions("name = 'demo arousal High'")) == 2


def test_what_loads_a_model_is_there_and_of_eifer(study: Path) -> None:
    name, _, function = LOADER.partition(":")
    assert callable(getattr(importlib.import_module(name), function))
    (study / "loader.json").write_text('{"loader": "os:system"}')
    with pytest.raises(ValueError, match="os:system is not a loader of eifer"):
        store._load_pyfunc(str(study))


def test_results_are_added_to_the_models_that_they_are_of() -> None:
    train(b"\xc8", b"\xc9")
    evaluate(0.7)
    assert mirror(Path()) == Counts(added=4)
    for run in runs():
        assert run.data.metrics["ambiguous/roc_auc"] == 0.7
        assert run.data.metrics["threshold"] == 0.4
        assert run.data.tags["sha256.predictions"] == sha256_file(EVALUATED / "predictions.parquet")
        assert run.info.end_time == 1_060_000  # its duration is that of the training
        assert len(figures(run)) == 2
    # Other results of the same models take their place, former ones come back.
    for roc_auc in (0.6, 0.7):
        evaluate(roc_auc)
        mirror(Path())
        assert {run.data.metrics["ambiguous/roc_auc"] for run in runs()} == {roc_auc}
    # Models that were trained since are not what was tested.
    train(b"\xc8", b"\xca")
    mirror(Path())
    (new,) = [run for run in runs() if "ambiguous/roc_auc" not in run.data.metrics]
    assert new.data.tags["weights_sha256"] == hashlib.sha256(b"\xca").hexdigest()


def test_a_model_has_the_results_of_its_own_rotation_and_labels() -> None:
    train(b"\xc8")
    train(b"\xc9", rotation="2", f1=0.9)
    train(b"\x01", assignment="null01", f1=1.0)
    evaluate(0.5, repetitions=1)
    # All rotations are measured as one; in the second everything is answered the wrong way round.
    file = EVALUATED / "predictions.parquet"
    first = pd.read_parquet(file)
    second = first.assign(rotation="2", label=1 - first["label"], item_id="2-" + first["item_id"])
    write_table(file, PREDICTIONS.conform(pd.concat([first, second])))
    assert mirror(Path()) == Counts(added=5)
    found = {run.info.run_name: run.data.metrics.get("ambiguous/roc_auc") for run in runs()}
    names = ["arousal High r01", "arousal High r01 in rotation 2", "arousal High null01 r01"]
    assert [found[name] for name in names] == [1, 0, None]
    # Only models of the EI groups are compared: the best of all their rotations.
    assert [m.name for m in store.client().search_registered_models()] == ["demo arousal High"]
    best = store.client().get_model_version_by_alias("demo arousal High", "best")
    shown = store.client().search_runs([experiment()], pages.EI.current)
    assert len(shown) == 2 and {run.data.tags["assignment"] for run in shown} == {"ei"}
    (mine,) = [run for run in shown if run.data.tags["rotation"] == "2"]
    assert best.run_id == mine.info.run_id


def test_a_model_that_was_changed_is_told_by_its_bytes() -> None:
    folder = train(b"\xc8")
    dep = hashed(folder)
    assert records._is(folder, dep)
    (folder / "repetition-1.safetensors").write_bytes(b"\xc9")  # as many
    assert not records._is(folder, dep)


def test_the_comparison_has_a_run_and_every_run_its_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(contents, "figure", DRAWN)
    train(b"\xc8")
    evaluate(0.75, repetitions=1)
    compare()
    assert mirror(Path()) == Counts(added=3), capsys.readouterr().err
    (run,), (compared,) = runs(), runs("comparison")
    drawn = figures(run) | figures(compared)
    names = ("contrasts", "learning_curves", "participant_differences", "roc_curves")
    assert sorted(drawn) == [f"figures/{name}.svg" for name in names]
    assert all("<path" in text for text in drawn.values())
    assert compared.data.metrics["arousal ambiguous High-Low/participants/delta"] == 0.02
    assert compared.data.params == {"margin": "0.005", "verdicts.x": "1"}
    assert contents.figure("learning_curves", pd.DataFrame()) == {}
    assert "learning_curves could not be drawn" in capsys.readouterr().err
    compare(0.03)
    mirror(Path())
    assert sorted(run.data.tags["superseded"] for run in runs("comparison")) == ["no", "yes"]


def test_again_it_adds_nothing_and_reads_nothing_large(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = train(b"\xc8", b"\xc9")
    evaluate(0.7)
    mirror(Path())
    monkeypatch.setattr(store.Store, "_fill", None)
    assert mirror(Path()) == Counts(unchanged=4)
    record(folder, finished="1980-01-01T00:17:40+00:00")  # the same bytes, made again
    assert mirror(Path()) == Counts(unchanged=4)
    assert [len(curve(run, "ambiguous/roc_auc")) for run in runs()] == [1, 1]
    assert len(runs()) == len(models()) == 2


def test_a_mirror_that_is_whole_says_so_to_a_flow_that_names_no_server() -> None:
    train(b"a")
    command = [sys.executable, "-m", "flows", "sync-tracking"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert place.LOCK.read_text() == place.all_shown(Path())


def test_other_code_draws_the_figures_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    train(b"\xc8")
    mirror(Path())
    monkeypatch.setattr(contents, "figure", lambda name, *_: {f"{name}.svg": b"<svg>better</svg>"})
    assert mirror(Path()) == Counts(unchanged=1)
    monkeypatch.setattr(contents, "drawn", lambda: "other code")
    assert mirror(Path()) == Counts(added=1)
    (run,) = runs()
    assert set(figures(run).values()) == {"<svg>better</svg>"}
    assert mirror(Path()) == Counts(unchanged=1)


def test_other_weights_supersede_and_the_older_run_stays() -> None:
    train(b"\x01", b"\x09")
    mirror(Path())
    train(b"\x02", b"\x09")
    mirror(Path())
    old, new, other = (hashlib.sha256(w).hexdigest() for w in (b"\x01", b"\x02", b"\x09"))
    assert superseded() == {old: "yes", new: "no", other: "no"}
    # The former weights again, as after going back in git: they are the current ones once more.
    train(b"\x01", b"\x09", known=False)
    mirror(Path())
    assert superseded() == {old: "no", new: "yes", other: "no"}


def test_what_dvc_restored_is_shown_and_completed_by_the_record_of_who_made_it() -> None:
    folder = train(b"\xc8", known=False)
    mirror(Path())
    (run,) = runs()
    assert "git_commit" not in run.data.tags and run.data.metrics["threshold"] == 0.4
    record(folder)
    assert mirror(Path()) == Counts(added=1)
    (again,) = runs()
    assert again.info.run_id == run.info.run_id
    assert again.data.tags["git_commit"] == "abc" and len(models()) == 1
    assert len(curve(again, "curves/train_loss")) == 3


def test_a_node_shows_what_it_executed_alone() -> None:
    train(b"\xc8")
    train(b"\x01", group="Low", known=False)  # of another snapshot: who knows
    assert mirror(Path(), ["fine_tune_total@ei-1-arousal-High-1-2"]) == Counts(added=1)
    assert [run.info.run_name for run in runs()] == ["arousal High r01"]
    assert store.client().search_registered_models() == []


@pytest.mark.parametrize("file", ["weights", "table"])
def test_what_is_half_restored_is_told_and_holds_nobody_up(file: str) -> None:
    folder = train(b"\xc8")
    train(b"\x01", group="Low")
    path = folder / {"weights": "repetition-1.safetensors", "table": "repetitions.parquet"}[file]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    done = mirror(Path())
    assert done.added == 1
    assert done.problems[0].startswith("fine_tune_total@ei-1-arousal-High-1-2: ")
    path.write_bytes(whole)
    assert mirror(Path()) == Counts(added=1, unchanged=1)
    assert len(models()) == len(runs()) == 2


def test_a_folder_whose_stage_runs_again_meanwhile_is_left_to_the_next_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compare()
    mirror(Path())
    listed = [*module.outputs(Path())]
    monkeypatch.setattr(module, "outputs", lambda study: iter(listed))
    (gone,) = [output.folder for output in listed if output.address == "stats"]
    shutil.rmtree(gone)
    assert mirror(Path()).problems == ()


@pytest.mark.parametrize("step", ["_fill", "_log_model", "supersede", "register"])
def test_interrupted_anywhere_it_is_completed_once(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(store.Store, step)

    def interrupted(self: store.Store, *arguments: Any) -> None:
        if step == "_log_model":
            self.client.create_logged_model(self.experiment, "half", arguments[0].info.run_id)
        else:
            real(self, *arguments)
        raise ConnectionResetError("in the middle")

    train(b"\xc8")
    with monkeypatch.context() as patch:
        patch.setattr(store.Store, step, interrupted)
        assert "in the middle" in mirror(Path()).problems[0]
    assert mirror(Path()).problems == ()
    (run,), (model,) = runs(), models()
    assert (str(model.status), run.info.status) == ("READY", "FINISHED")
    assert curve(run, "curves/train_loss") == [(1, 1.0), (2, 0.5), (3, pytest.approx(1 / 3))]


def test_a_study_is_erased_for_good_and_others_stay() -> None:
    folder = train(b"\xc8", b"\xc9")
    sha256 = sha256_file(folder / "repetition-1.safetensors")
    Path("params.yaml").write_text("study: {name: other}\n")
    mirror(Path())
    others = {path for path in place.ARTIFACTS.rglob("*") if path.is_file()}
    Path("params.yaml").write_text("study: {name: demo}\n")
    train(b"\x11", b"\x12", b"\x13")
    mirror(Path())
    train(b"\x21")  # supersedes
    mirror(Path())
    mine = sha256_file(folder / "repetition-1.safetensors")
    assert mine.encode() in place.DATABASE.read_bytes()
    assert mlflow_runs(Path()) == {"other": 2, "demo": 3 + 1}
    assert store.erase("demo", place.own_uri()) == 2 * (3 + 1)
    assert mlflow_runs(Path()) == {"other": 2}
    assert {path for path in place.ARTIFACTS.rglob("*") if path.is_file()} == others
    left = place.DATABASE.read_bytes()
    assert mine.encode() not in left and sha256.encode() in left
    assert [m.name for m in store.client().search_registered_models()] == ["other arousal High"]
    assert store.erase("demo", place.own_uri()) == store.erase("nobody's", place.own_uri()) == 0
    assert mirror(Path()) == Counts(added=1)


def test_several_at_once_on_a_fresh_database_add_each_run_once() -> None:
    import mlflow

    assert mlflow  # forked after the import, so that all reach the database together
    train(b"\xc8", b"\xc9")
    train(b"\x01", b"\x02", group="Low")
    place.DATABASE.unlink()
    with multiprocessing.get_context("fork").Pool(3) as pool:
        counts = pool.map(mirror, [Path()] * 3, chunksize=1)
    assert [done.problems for done in counts] == [()] * 3
    assert sum(done.added for done in counts) == len(runs()) == len(models()) == 4


def test_of_a_run_that_two_machines_make_at_once_one_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow import MlflowClient

    train(b"\xc8")
    once = MlflowClient.create_run
    monkeypatch.setattr(MlflowClient, "create_run", lambda *a: (once(*a), once(*a))[0])
    assert mirror(Path()) == Counts(added=1)
    assert len(runs()) == 1


def test_a_server_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    train(b"\xc8")
    for scheme in ("http", "postgresql+psycopg2"):
        uri = f"{scheme}://me:secret@127.0.0.1:{free_port()}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        (problem,) = mirror(Path()).problems
        assert "no answer from" in problem and "secret" not in problem
    monkeypatch.setattr(place, "PROBE_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert "no answer from" in mirror(Path()).problems[0]
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert mirror(Path()) == Counts(added=1)


def test_the_pages_show_each_condition_at_the_threshold_found() -> None:
    train(b"\xc8")
    evaluate(0.7, repetitions=1)
    mirror(Path())
    views = pages.views(runs())
    shown = ["metrics.`ambiguous/macro_f1`", "metrics.`ambiguous/roc_auc`", "metrics.`threshold`"]
    assert views["means"]["selectedColumns"] == shown
    tags = [f"tags.`{tag}`" for tag in ("task", "training_group", "repetition")]
    assert views["repetitions"]["selectedColumns"] == [*tags, *shown]
    charts = [chart["metricKey"] for chart in views["compare-arousal"]["compareRunCharts"]]
    assert charts == ["ambiguous/macro_f1", "ambiguous/roc_auc"]


def test_ui_serves_the_comparison_to_its_owner_until_it_is_ended(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(b"\x07", b"\xc9")
    mirror(Path())
    train(b"\xc8", b"\xc9")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "ui", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = [*takewhile(lambda line: line != "Ctrl-C ends it.\n", process.stdout)]
        page = f"{base}/#/experiments/1/runs?workflowType=machine_learning"
        for key in ("compare-arousal", "repetitions", "means", "superseded"):
            (line,) = [line for line in lines if line.endswith(f"&viewStateShareKey={key}\n")]
            assert page in line
        file = study / ui.HOME / "environment"
        assert file.stat().st_mode & 0o777 == 0o600
        login = read_exports(file)
        assert login["MLFLOW_TRACKING_PASSWORD"] not in "".join(lines)
        url = f"{base}/api/2.0/mlflow/experiments/get?experiment_id=1"
        assert httpx.get(url, timeout=STILL_S).status_code == 401
        known = httpx.Client(auth=tuple(login.values()), timeout=STILL_S)
        assert known.get(url, headers={"origin": "http://localhost:1"}).status_code == 403
        tags = {t["key"]: t["value"] for t in known.get(url).json()["experiment"]["tags"]}
        assert json.loads(tags["mlflow.sharedViewState.means"])["groupBy"]
        # The same server as a tracking server: what is sent to it arrives, with its model.
        monkeypatch.setenv("MLFLOW_TRACKING_URI", base)
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", f"{STILL_S:.0f}")
        for name, value in login.items():
            monkeypatch.setenv(name, value)
        train(b"\x01", group="Low")
        assert mirror(Path()) == Counts(added=1, unchanged=2)
        assert len(runs()) == len(models()) == 4
    finally:
        process.terminate()
        ended(process)
    with socket.socket() as trial:
        assert trial.connect_ex(("127.0.0.1", port)) != 0
    assert not file.exists()


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_a_study_that_was_copied_or_moved_shows_itself(
    study: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    train(b"\xc8")
    mirror(Path())
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    other = study / "other ?#"
    other.mkdir()
    carry = shutil.move if how == "moved" else shutil.copytree
    for name in ("runs", "data"):
        carry(study / name, other / name)
    shutil.copyfile(study / "params.yaml", other / "params.yaml")
    monkeypatch.chdir(other)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # which MLflow has set
    train(b"\xc8", b"\xc9")

    mirror(Path())

    assert len(runs()) == len(models()) == 2
    here = (other / place.ARTIFACTS).as_uri()
    for run in runs():
        assert run.info.artifact_uri.startswith(here)
        assert store.client().list_artifacts(run.info.run_id, "figures")
    assert all(model.artifact_location.startswith(here) for model in models())
    uri = store.client().get_model_version_download_uri("demo arousal High", "1")
    assert str(study) not in uri or "other" in uri
    if how == "copied":
        assert {path: path.read_bytes() for path in before} == before
        now = {path for path in study.rglob("*") if path.is_file()}
        assert {path for path in now if other not in path.parents} == set(before)


def test_what_goes_while_it_is_looked_at_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that runs again takes its folder away between the list and the look."""
    none = place.all_shown(Path())
    monkeypatch.setattr(place, "tables", lambda study: iter([study / "data/gone/metrics.parquet"]))
    assert place.all_shown(Path()) == none
