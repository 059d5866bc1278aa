"""Whether all is as in a study that nothing happened to."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import httpx
from mlflow import MlflowClient

from benchmarks.chaos.harms import MAY_LEAVE
from benchmarks.chaos.rounds import TRAINED, Round
from flows.run import dvc
from flows.run.supervise import finished


def left(it: Round) -> None:
    """Nothing may live on after the first run, unless the harm killed a supervisor."""
    living = _living(it)
    if living and not it.hit.startswith(MAY_LEAVE):
        it.wrong.append(f"left after the first run: {living[:3]}")


def _living(it: Round) -> list[str]:
    """What still lives of a round, when it has had the time to end."""
    deadline = time.monotonic() + 10
    while (living := it.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return list(living.values())


def check(it: Round, undisturbed: Path) -> None:
    """After the second run: nothing lives, outputs are the undisturbed ones, MLflow shows them."""
    if living := _living(it):
        it.wrong.append(f"left: {living[:3]}")
        it.kill_all()
    if (it.study / "runs/toy/twice").exists():
        it.wrong.append("ran twice at once: " + (it.study / "runs/toy/twice").read_text())
    if _bytes(it.study / "dvc.lock") != _bytes(undisturbed / "dvc.lock"):
        it.wrong.append("dvc.lock differs")
    made, right = _tree(it.study / "data"), _tree(undisturbed / "data")
    if odd := sorted(name for name in made | right if made.get(name) != right.get(name)):
        it.wrong.append(f"{len(odd)} outputs differ: {', '.join(odd[:3])}")
    status = finished(dvc.command("status", "--json"), cwd=it.study)
    if status.stdout.strip() != "{}":
        it.wrong.append(f"dvc status: {status.stdout.strip() or status.stderr.strip()[-200:]}")
    it.wrong += _wrong_in_mlflow(it)
    it.wrong += _wrong_in_prefect(it.servers.prefect_url)


def _wrong_in_mlflow(it: Round) -> list[str]:
    client = MlflowClient(it.servers.mlflow_url)
    experiment = client.get_experiment_by_name(it.name)
    if experiment is None:
        return ["MLflow has no run of it"]
    runs = client.search_runs([experiment.experiment_id], "tags.kind = 'repetition'")
    wrong = []
    names = sorted(run.data.tags.get("training_group", "?") for run in runs)
    if names != sorted(TRAINED):
        wrong.append(f"MLflow has {names} instead of {list(TRAINED)}")
    for run in runs:
        whole = run.info.status == "FINISHED" and "mirrored.training" in run.data.tags
        if not whole or run.data.metrics.get("curves/train_loss") != 0.4:
            wrong.append(f"MLflow's run {run.info.run_name} is not whole")
    return wrong


def _wrong_in_prefect(address: str) -> list[str]:
    """Nothing runs now, so that Prefect must not show anything as running."""
    wrong = []
    for kind in ("flow_runs", "task_runs"):
        running = {kind: {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}}
        deadline = time.monotonic() + 10
        while True:  # task runs are written down a moment later
            runs = httpx.post(f"{address}/api/{kind}/filter", json=running, timeout=30).json()
            runs = [run for run in runs if not run.get("auto_scheduled")]  # the coming nights
            if not runs or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if runs:
            names = sorted(run["name"] for run in runs)
            wrong.append(f"Prefect shows {len(runs)} {kind} unfinished: {', '.join(names[:4])}")
            for run in runs:
                httpx.delete(f"{address}/api/{kind}/{run['id']}", timeout=30)
    return wrong


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        return errno.errorcode[error.errno or 0].encode()
