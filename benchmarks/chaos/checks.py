"""Whether all is as in a study that nothing happened to."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import httpx
from mlflow import MlflowClient

from benchmarks.chaos.harms import MAY_LEAVE
from benchmarks.chaos.rounds import TRAINED, Round


def left(it: Round) -> None:
    """Nothing may live on after the first run, unless the harm killed a supervisor."""
    deadline = time.monotonic() + 10
    while (found := it.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if found and not it.hit.startswith(MAY_LEAVE):
        it.wrong.append(f"left after the first run: {list(found.values())[:3]}")


def check(it: Round, undisturbed: Path) -> None:
    """After the second run: nothing lives, and outputs and records are the undisturbed ones."""
    deadline = time.monotonic() + 10
    while (found := it.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if found:
        it.wrong.append(f"left: {list(found.values())[:3]}")
        it.kill_all()
    if (it.study / "runs/toy/twice").exists():
        it.wrong.append("ran twice at once: " + (it.study / "runs/toy/twice").read_text())
    if _bytes(it.study / "dvc.lock") != _bytes(undisturbed / "dvc.lock"):
        it.wrong.append("dvc.lock differs")
    mine, theirs = _tree(it.study / "data"), _tree(undisturbed / "data")
    if mine != theirs:
        odd = sorted(k for k in mine | theirs if mine.get(k) != theirs.get(k))
        it.wrong.append(f"{len(odd)} outputs differ: {', '.join(odd[:3])}")
    asked = subprocess.run(
        [sys.executable, "-m", "dvc", "status", "--json"],
        cwd=it.study, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if asked.stdout.strip() != "{}":
        it.wrong.append(f"dvc status: {asked.stdout.strip() or asked.stderr.strip()[-200:]}")
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
        whole = run.info.status == "FINISHED" and "record.training" in run.data.tags
        if not whole or run.data.metrics.get("curves/loss") != 0.4:
            wrong.append(f"MLflow's run {run.info.run_name} is not whole")
    waiting = list((it.study / "runs/tracking/queue").glob("*.json"))
    return wrong + ([f"{len(waiting)} records still wait for MLflow"] if waiting else [])


def _wrong_in_prefect(address: str) -> list[str]:
    """Nothing runs now, so that Prefect must not show anything as running."""
    wrong = []
    for kind in ("flow_runs", "task_runs"):
        running = {kind: {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}}
        deadline = time.monotonic() + 10
        while True:  # task runs are written down a moment later
            found = httpx.post(f"{address}/api/{kind}/filter", json=running, timeout=30).json()
            found = [one for one in found if not one.get("auto_scheduled")]  # the coming nights
            if not found or time.monotonic() > deadline:
                break
            time.sleep(0.5)
        if found:
            names = sorted(one["name"] for one in found)
            wrong.append(f"Prefect shows {len(found)} {kind} unfinished: {', '.join(names[:4])}")
            for one in found:
                httpx.delete(f"{address}/api/{kind}/{one['id']}", timeout=30)
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
