"""Tracking: complete and found again, nothing twice, nothing lost, and never in a stage's way."""

from __future__ import annotations

import json
import multiprocessing
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest

from eifer.errors import StudyError
from eifer.hashing import sha256_file
from eifer.tables.evaluation import PREDICTIONS
from eifer.tables.training import CURVES
from flows.servers import ui
from stages._runtime import tracking
from stages._runtime.artifacts import write_table
from stages._runtime.serving import told
from stages._runtime.tracking import Input, Model, Repetition
from tests.watched import STILL_S, ended

ROOT = Path(__file__).parents[2]
LOADER = "eifer.brightness:load"
DRAWN = tracking._figure
ANSWERS = tracking.answers
ODD = "a ?b=c#d %20 \N{LATIN SMALL LETTER U WITH DIAERESIS}'\n[x]$HOME"
"""The folder of each study here: nothing of it may land beside it."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes a second."""
    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    tracking._make_database(path)
    return path


@pytest.fixture(autouse=True)
def study(
    tmp_path: Path,
    database: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Iterator[Path]:
    """A study without runs to work in, and a process that has sent nothing yet."""
    place = tmp_path / getattr(request, "param", ODD)
    place.mkdir()
    monkeypatch.chdir(place)
    tracking.DATABASE.parent.mkdir()
    shutil.copyfile(database, tracking.DATABASE)
    for name in ("MLFLOW_TRACKING_URI", "EIFER_TRACKING", "EIFER_EXECUTION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tracking, "_failures", [])
    # No test is about how long a lock is held, or a server takes to answer.
    for patience in ("LOCK_WAIT_S", "PROBE_S"):
        monkeypatch.setattr(tracking, patience, STILL_S)
    # Drawing takes a third of a second; the tests of figures do it.
    monkeypatch.setattr(tracking, "_figure", lambda name, *_: {f"figures/{name}.svg": b"<svg/>"})
    brightness = ModuleType("eifer.brightness")
    brightness.load = _brightness  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "eifer.brightness", brightness)
    Path("samples.parquet").write_bytes(b"samples")
    yield place
    tracking._open.cache_clear()
    assert list(tmp_path.iterdir()) == [place]
    assert not (place / "file:").exists()


def _brightness(path: Path) -> Any:
    """A model whose weights are one byte: the brightness that counts as 1."""
    full = path.read_bytes()[0]
    return lambda crops: (crops.mean(axis=(1, 2, 3)) / full).astype(np.float32)


def repetition(number: int = 1, group: str = "High", weights: bytes = b"\xc8") -> Repetition:
    path = Path(f"repetition-{number}.safetensors")
    path.write_bytes(weights)
    stage = "train_total" if group == "Total" else "fine_tune_total"
    return Repetition("demo", stage, "arousal", group, number, sha256_file(path))


def train(which: Repetition, **changes: Any) -> None:
    curves = pd.DataFrame(
        {
            "task": which.task,
            "repetition": which.repetition,
            "epoch": [1, 2, 3],
            "train_loss": [0.9, 0.5, 0.4],
            "validation_roc_auc": [None, 0.6, 0.7],
        }
    )
    arguments: dict[str, Any] = {
        "item": {"task": which.task, "group": which.training_group, "block": "1-3"},
        "recipe": {"backbone": "small", "seed": 7, "optimiser": {"lr": 0.001}, "sizes": [1, 2]},
        "curves": curves,
        "numbers": {"threshold": 0.4, "kept_epoch": 3, "absent": None, "undefined": float("nan")},
        "inputs": [Input("samples", Path("samples.parquet"))],
        "weights": Path(f"repetition-{which.repetition}.safetensors"),
        "model": Model(LOADER, crop_px=4),
        "started_s": 1_000.0,
        "ended_s": 1_060.0,
    }
    tracking.trained(which, **(arguments | changes))


def evaluate(which: Repetition, roc_auc: float, **changes: Any) -> None:
    arguments = {"numbers": {"ambiguous/roc_auc": roc_auc}, "answers": answers()}
    tracking.evaluated(which, **(arguments | changes))


def learning() -> pd.DataFrame:
    """CURVES of one repetition: an epoch of the heads alone, two of everything."""
    rows = [
        {
            **{column.name: 1 / epoch for column in CURVES.columns},
            "task": "arousal",
            "training_group": "High",
            "repetition": 1,
            "epoch": epoch,
            "phase": "heads" if epoch == 1 else "all",
        }
        for epoch in (1, 2, 3)
    ]
    return CURVES.frame(rows)


def answers() -> pd.DataFrame:
    """PREDICTIONS of one model: right about three of four frames, one class in the baseline."""
    rows = [
        {
            "item_id": f"sub-0{place}_run-1_frame-000001",
            "participant_id": f"sub-0{place}",
            "video_id": f"sub-0{place}_run-1",
            "task": "arousal",
            "condition": condition,
            "training_group": "High",
            "repetition": 1,
            "score": score,
            "threshold": 0.5,
            "label": label if condition == "ambiguous" else 1,
        }
        for condition in ("ambiguous", "baseline")
        for place, (score, label) in enumerate([(0.2, 0), (0.6, 0), (0.7, 1), (0.9, 1)], 1)
    ]
    return PREDICTIONS.frame(rows)


def comparisons() -> dict[str, pd.DataFrame]:
    """What the figures of the comparison read of their tables."""
    where = {"task": ["arousal"], "condition": ["ambiguous"], "contrast": ["High-Total"]}
    pooled = {"pooled_delta": 0.02, "pooled_ci_low": -0.01, "pooled_ci_high": 0.05}
    mean = {"delta": 0.02, "ci_low": -0.01, "ci_high": 0.05, "margin": 0.005}
    row = pd.DataFrame(where)
    return {
        "by_participant": row.assign(**mean, role="exploratory"),
        "participant_deltas": row.assign(participant_id="01", delta=0.02),
        "comparison": row.assign(**pooled, n_repetitions=2),
    }


def compare(**changes: Any) -> None:
    arguments: dict[str, Any] = {
        "study": "demo",
        "stage": "stats",
        "item": {},
        "recipe": {"alpha": 0.05},
        "numbers": {"arousal ambiguous High-Total/delta": 0.02},
        **comparisons(),
        "started_s": 1.0,
        "ended_s": 2.0,
    }
    tracking.stated(**(arguments | changes))


def figures(run: Any) -> dict[str, str]:
    """The text of every figure that MLflow has of a run."""
    client = tracking._client()
    paths = [file.path for file in client.list_artifacts(run.info.run_id, "figures")]
    return {
        path: Path(client.download_artifacts(run.info.run_id, path)).read_text() for path in paths
    }


def runs(kind: str = "repetition", uri: str | None = None) -> list[Any]:
    client = tracking._open(uri or tracking.uri())
    experiment = client.get_experiment_by_name("demo")
    assert experiment is not None
    return list(
        client.search_runs(
            [experiment.experiment_id], f"tags.kind = '{kind}'", order_by=["attributes.run_name"]
        )
    )


def _stage(name: str) -> Any:
    return next(run for run in runs("stage") if run.data.tags["stage"] == name)


def models() -> list[Any]:
    client = tracking._client()
    experiment = client.get_experiment_by_name("demo")
    return list(client.search_logged_models([experiment.experiment_id]))


def waiting() -> list[Path]:
    return sorted(tracking.QUEUE.glob("*.json"))


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


def test_importing_tracking_does_not_import_mlflow() -> None:
    code = "import sys; from stages._runtime import tracking; print('mlflow' in sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"


def test_a_repetition_is_recorded_whole() -> None:
    which = repetition()
    train(which)
    (run,) = runs()
    (parent,) = runs("stage")
    assert run.info.run_name == "arousal High r01"
    assert run.info.status == parent.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1_000_000, 1_060_000)
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.data.params == {
        "task": "arousal",
        "training_group": "High",
        "repetition": "1",
        "block": "1-3",
        "backbone": "small",
        "seed": "7",
        "optimiser.lr": "0.001",
        "sizes": "1, 2",
    }
    assert run.data.metrics == {
        "threshold": 0.4,
        "kept_epoch": 3.0,
        "curves/train_loss": 0.4,
        "curves/validation_roc_auc": 0.7,
    }
    client = tracking._client()
    curve = client.get_metric_history(run.info.run_id, "curves/validation_roc_auc")
    assert [(point.step, point.value) for point in curve] == [(2, 0.6), (3, 0.7)]
    digest = sha256_file(Path("samples.parquet"))
    expected = {
        "dvc_stage": "fine_tune_total@arousal-High-1-3",
        "study": "demo",
        "task": "arousal",
        "training_group": "High",
        "repetition": "01",
        "model": "arousal High",
        "superseded": "no",
        "weights_sha256": which.weights_sha256,
        "sha256.samples": digest,
    }
    assert expected.items() <= run.data.tags.items()
    assert "git_commit" in run.data.tags
    (given,) = run.inputs.dataset_inputs
    assert (given.dataset.name, given.dataset.digest) == ("samples", digest[:16])
    assert list(figures(run)) == ["figures/learning_curves.svg"]
    assert not waiting()
    assert not list(tracking.QUEUE.iterdir())


# MLflow takes the path of a model for an address, whose end begins at ? or #.
@pytest.mark.parametrize("study", ["plain \N{LATIN SMALL LETTER U WITH DIAERESIS}"], indirect=True)
def test_the_logged_model_predicts_and_is_no_pickle(study: Path) -> None:
    import mlflow

    train(repetition())
    (logged,) = models()
    assert str(logged.status) == "READY"
    files = [p for p in tracking.ARTIFACTS.rglob("*") if p.is_file()]
    assert not [p for p in files if p.suffix in {".pkl", ".pickle", ".pt", ".pth"}]
    for path in files:
        assert not path.read_bytes().startswith((b"\x80\x04", b"\x80\x05")), path
        assert "cloudpickle" not in path.read_text("latin-1"), path
    predictor = mlflow.pyfunc.load_model(f"models:/{logged.model_id}")
    crops = np.zeros((3, 4, 4, 3), np.uint8)
    crops[1], crops[2] = 100, 200
    np.testing.assert_allclose(predictor.predict(crops), [0, 0.5, 1])
    with pytest.raises(mlflow.MlflowException):
        predictor.predict(np.zeros((1, 5, 5, 3), np.uint8))


def test_a_loader_from_elsewhere_is_refused(study: Path) -> None:
    (study / "loader.json").write_text('{"loader": "os:system"}')
    with pytest.raises(ValueError, match="os:system is not a loader of eifer"):
        tracking._load_pyfunc(str(study))


def test_evaluation_lands_on_the_run_of_the_training() -> None:
    for number in (1, 2):
        train(repetition(number))
    which = repetition(2)
    evaluate(which, 0.7, inputs=[Input("conditions", Path("samples.parquet"))])
    first, second = runs()
    assert "ambiguous/roc_auc" not in first.data.metrics
    assert second.data.metrics["ambiguous/roc_auc"] == 0.7
    assert second.data.metrics["threshold"] == 0.4
    assert second.info.end_time == 1_060_000  # its duration is that of the training
    assert {g.dataset.name for g in second.inputs.dataset_inputs} == {"samples", "conditions"}


def test_every_run_has_its_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_figure", DRAWN)
    which = repetition()
    train(which, curves=learning())
    evaluate(which, 0.75)
    compare()
    (run,) = runs()
    drawn = figures(run) | figures(_stage("stats"))
    names = ("contrasts", "learning_curves", "participant_differences", "roc_curves")
    assert sorted(drawn) == [f"figures/{name}.svg" for name in names]
    assert all("<path" in text for text in drawn.values())
    assert len(figures(run)) == 2


def test_without_its_figure_a_record_is_kept_and_the_reason_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "_figure", DRAWN)
    train(repetition(), curves=learning().drop(columns="validation_loss"))
    (run,) = runs()
    assert figures(run) == {}
    assert run.data.metrics["threshold"] == 0.4
    assert "learning_curves could not be drawn (KeyError" in capsys.readouterr().err


def test_what_a_stage_makes_is_named_by_the_hash_of_its_file() -> None:
    write_table(Path("predictions.parquet"), answers())
    sha256 = tracking.table_sha256(answers())
    assert sha256 == sha256_file(Path("predictions.parquet"))
    evaluate(repetition(), 0.7, outputs={"predictions": sha256})
    compare(outputs={"comparison": "0" * 64})
    (run,) = runs()
    assert run.data.tags["sha256.predictions"] == sha256
    assert _stage("stats").data.tags["sha256.comparison"] == "0" * 64


def test_repetitions_that_differ_by_their_seed_share_the_run_of_their_stage() -> None:
    train(repetition(1), recipe={"seed": 1, "lr": 0.1})
    train(repetition(2), recipe={"seed": 2, "lr": 0.1})
    assert len(runs("stage")) == 1
    train(repetition(3), recipe={"seed": 3, "lr": 0.2})
    assert len(runs("stage")) == 2


def test_evaluation_of_a_model_trained_elsewhere_makes_its_run() -> None:
    affect = Repetition("demo", "affect", "arousal", "Affect", 0, "0" * 64)
    evaluate(affect, 0.6)
    (run,) = runs()
    assert run.info.run_name == "arousal Affect"
    assert run.data.metrics == {"ambiguous/roc_auc": 0.6}


def test_saying_it_again_adds_nothing() -> None:
    which = repetition()
    for _ in range(2):
        train(which)
        evaluate(which, 0.7)
    (run,) = runs()
    history = tracking._client().get_metric_history(run.info.run_id, "ambiguous/roc_auc")
    assert len(history) == len(models()) == len(runs("stage")) == 1


def test_other_weights_supersede_and_the_older_run_stays() -> None:
    train(repetition(weights=b"\x01"))
    train(repetition(2))
    train(repetition(weights=b"\x02"), ended_s=2_000.0)
    state = {r.data.tags["weights_sha256"]: r.data.tags["superseded"] for r in runs()}
    old, new = (repetition(weights=w).weights_sha256 for w in (b"\x01", b"\x02"))
    assert state == {old: "yes", new: "no", repetition(2).weights_sha256: "no"}
    # The former weights again, as after going back in git: they are the current ones once more.
    train(repetition(weights=b"\x01"), ended_s=3_000.0)
    state = {r.data.tags["weights_sha256"]: r.data.tags["superseded"] for r in runs()}
    assert (state[old], state[new], len(state)) == ("no", "yes", 3)


def test_a_late_record_does_not_supersede_a_newer_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_TRACKING", "queue")
    train(repetition(weights=b"\x01"), ended_s=1_500.0)
    monkeypatch.delenv("EIFER_TRACKING")
    train(repetition(weights=b"\x02"), ended_s=2_000.0)
    assert tracking.sync().sent == 1
    new = repetition(weights=b"\x02").weights_sha256
    assert [r.data.tags["weights_sha256"] for r in runs() if r.data.tags["superseded"] == "no"] == [
        new
    ]


def test_a_stage_without_repetitions() -> None:
    compare()
    (run,) = runs("stage")
    assert run.data.metrics == {"arousal ambiguous High-Total/delta": 0.02}
    assert run.data.params == {"alpha": "0.05"}


def test_an_absent_server_costs_no_time_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    asked = []
    monkeypatch.setattr(tracking, "answers", lambda uri: asked.append(uri) or ANSWERS(uri))
    for number in (1, 2, 3):
        which = repetition(number)
        train(which)
        evaluate(which, 0.7)
    assert len(asked) == 1
    warnings = capsys.readouterr().err.strip().splitlines()
    assert len(warnings) == 1
    assert "no answer" in warnings[0]
    assert "eifer sync-tracking" in warnings[0]
    assert len(waiting()) == 6
    counts = tracking.sync()
    assert (counts.sent, counts.waiting) == (0, 6)
    assert "no answer" in counts.problems[0]

    for path in Path().glob("repetition-*"):  # the stage's folder was replaced meanwhile
        path.unlink()
        path.write_bytes(b"other")
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert tracking.sync() == tracking.Counts(sent=6, waiting=0)
    assert [run.data.metrics["ambiguous/roc_auc"] for run in runs()] == [0.7] * 3
    kept = [path.read_bytes() for path in tracking.ARTIFACTS.rglob("weights.safetensors")]
    assert kept == [b"\xc8"] * 3
    assert tracking.sync() == tracking.Counts(sent=0, waiting=0)


def test_a_server_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "PROBE_S", 0.3)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        train(repetition(1))
        train(repetition(2))
        silent.accept()[0].close()  # one that asked
        silent.setblocking(False)
        with pytest.raises(BlockingIOError):
            silent.accept()
    assert len(waiting()) == 2


@pytest.mark.parametrize("step", ["_fill", "_log_model", "_supersede", "_forget"])
def test_a_send_interrupted_anywhere_is_completed_once(
    step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = getattr(tracking, step)

    def interrupted(*arguments: Any) -> None:
        if step == "_log_model":
            client, run, _ = arguments
            client.create_logged_model(run.info.experiment_id, "half", run.info.run_id)
        elif step in {"_fill", "_supersede"}:
            real(*arguments)
        raise ConnectionResetError("in the middle")

    monkeypatch.setattr(tracking, step, interrupted)
    train(repetition())
    assert len(waiting()) == 1
    monkeypatch.setattr(tracking, step, real)
    assert tracking.sync() == tracking.Counts(sent=1, waiting=0)
    (run,) = runs()
    (model,) = models()
    assert (str(model.status), run.info.status) == ("READY", "FINISHED")
    history = tracking._client().get_metric_history(run.info.run_id, "curves/train_loss")
    assert [point.value for point in history] == [0.9, 0.5, 0.4]


def test_two_syncs_at_once_send_each_record_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_TRACKING", "queue")
    for number in range(1, 7):
        train(repetition(number))
    tracking.DATABASE.unlink()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: tracking.sync(), range(2))
    assert first.sent + second.sent == 6
    assert first.problems == second.problems == ()
    assert len(runs()) == len(models()) == 6


def _train_in_a_fork(number: int) -> int:
    train(repetition(number))
    return len(tracking._failures)


def test_four_processes_on_a_fresh_database() -> None:
    tracking.DATABASE.unlink()
    # Forked after mlflow was imported, so that all four reach the database together.
    assert "mlflow" in sys.modules
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_train_in_a_fork, range(1, 5), chunksize=1) == [0] * 4
    assert [run.info.run_name for run in runs()] == [f"arousal High r0{n}" for n in range(1, 5)]
    assert len(runs("stage")) == 1


def test_a_damaged_record_is_told_and_the_others_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_TRACKING", "queue")
    train(repetition())
    (tracking.QUEUE / "0.json").write_text('{"half')
    counts = tracking.sync()
    assert (counts.sent, counts.waiting) == (1, 1)
    assert counts.problems[0].startswith("0.json: JSONDecodeError")


def test_nothing_that_is_wrong_reaches_the_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    which = repetition()
    train(which, weights=Path("absent.safetensors"))
    train(which, curves=pd.DataFrame({"loss": [1.0]}))
    tracking.QUEUE.parent.rename("aside")
    Path("runs/tracking").write_text("a file where a folder should be")
    train(which)
    assert capsys.readouterr().err.count("tracking: a record could not be written") == 3


def test_off_means_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_TRACKING", "off")
    train(repetition())
    assert not Path("runs/tracking").exists()


def test_ui_without_runs_says_so() -> None:
    tracking.DATABASE.unlink()
    with pytest.raises(StudyError, match="no repetition was recorded"):
        ui.show(Path(), None)


def test_the_table_of_runs_shows_each_condition_at_the_threshold_found() -> None:
    names = ["ambiguous/roc_auc", "ambiguous_half/roc_auc", "ambiguous/ece"]
    evaluate(repetition(), 0.7, numbers=dict.fromkeys(names, 0.7) | {"threshold": 0.4})
    views = tracking._views(runs())
    shown = ["metrics.`ambiguous/roc_auc`", "metrics.`threshold`"]
    assert [view["selectedColumns"] for view in views.values()] == [shown, shown]


def test_ui_serves_the_comparison_to_its_owner_until_it_is_ended(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for group in ("High", "Low", "Total"):
        train(repetition(group=group))
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "flows", "ui", "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while "Ctrl-C ends it." not in lines:
            lines.append(process.stdout.readline().removesuffix("\n"))
            assert lines[-1] or process.poll() is None, lines
        assert any(f"{base}/#/experiments/1/runs?workflowType" in line for line in lines), lines
        compare = next(line for line in lines if "compare arousal" in line)
        assert all(run.info.run_id in compare for run in runs())
        file = study / ui.HOME / "environment"
        assert file.stat().st_mode & 0o777 == 0o600
        login = told(file)
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
        train(repetition(2))
        assert not waiting()
        assert len(runs()) == len(models()) == 4
    finally:
        process.terminate()
        ended(process)
    with socket.socket() as trial:
        assert trial.connect_ex(("127.0.0.1", port)) != 0
    assert not file.exists()


@pytest.mark.parametrize("how", ["copied", "moved"])
def test_a_study_that_was_copied_or_moved_records_into_itself(
    study: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    train(repetition(1))
    evaluate(repetition(1), 0.7)
    before = {path: path.read_bytes() for path in study.rglob("*") if path.is_file()}
    other = study / "other ?#"
    if how == "copied":
        shutil.copytree(study / "runs", other / "runs")
    else:
        other.mkdir()
        (study / "runs").rename(other / "runs")
    monkeypatch.chdir(other)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # which MLflow has set, for this process
    Path("samples.parquet").write_bytes(b"samples")

    train(repetition(2))

    assert len(runs()) == len(models()) == 2
    for run in runs():
        where = run.info.artifact_uri
        assert where.startswith((other / tracking.ARTIFACTS).as_uri())
        assert tracking._client().list_artifacts(run.info.run_id, "figures")
    places = {model.artifact_location for model in models()}
    assert all(place.startswith((other / tracking.ARTIFACTS).as_uri()) for place in places)
    if how == "copied":
        assert {path: path.read_bytes() for path in before} == before
        now = {path for path in study.rglob("*") if path.is_file()}
        assert {path for path in now if other not in path.parents} == set(before)


def test_a_password_is_not_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for scheme in ("http", "postgresql+psycopg2"):
        monkeypatch.setattr(tracking, "_failures", [])
        uri = f"{scheme}://me:secret@127.0.0.1:{free_port()}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        train(repetition())
        told = capsys.readouterr().err
        assert "no answer from" in told
        assert "secret" not in told
