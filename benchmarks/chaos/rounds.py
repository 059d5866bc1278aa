"""A small study of a round: how it is made, run, and found running."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.chaos.servers import PATIENCE_S, Servers

TRAINED = ("High", "Low")
INSTANCES = 8
EIFER = str(Path(sys.executable).with_name("eifer"))
MARK = "EIFER_CHAOS"
"""In the environment of every process of a round, so that none is overlooked."""
DISK = "24m"
STUDY = Path(__file__).with_name("study")
SETTINGS = {
    ".gitignore": "/data\n/runs\n__pycache__\n",
    ".dvc/config": "[core]\n    analytics = false\n",
}


@dataclass
class Round:
    """One round: where its study is, what was done to it, and what came of it."""

    study: Path
    environment: dict[str, str]
    random: random.Random
    servers: Servers
    hit: str = ""
    turn: int = 0
    """How many rounds with the same harm came before."""
    at_s: float | None = None
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What its processes and its MLflow experiment are called."""
        return self.environment[MARK]

    def processes(self) -> dict[int, str]:
        """All living processes of the round and their command lines."""
        found = {}
        for one in psutil.process_iter():
            with suppress(psutil.Error):
                if one.status() != psutil.STATUS_ZOMBIE and one.environ().get(MARK) == self.name:
                    found[one.pid] = " ".join(one.cmdline())
        return found

    def kill_all(self) -> bool:
        """Kill everything of the round, as when the machine stops; whether there was anything."""
        found = list(self.processes())
        self.random.shuffle(found)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def executed(self) -> int:
        """How many instances have been executed so far."""
        log = self.study / "runs/toy/executed"
        return len(log.read_text().splitlines()) if log.exists() else 0


def make(study: Path, name: str) -> None:
    """Write the study into a folder, new or empty; ``name`` is that of its MLflow experiment."""
    shutil.copytree(STUDY, study, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    # Under its own name, the graph would be part of the study that this repository is.
    (study / "graph.yaml").rename(study / "dvc.yaml")
    settings = SETTINGS | {"params.yaml": f"study: {{name: {name}}}\n"}
    for file, text in settings.items():
        (study / file).parent.mkdir(exist_ok=True)
        (study / file).write_text(text)
    subprocess.run(["git", "init", "--quiet", str(study)], check=True)


@contextmanager
def place(study: Path, harm: str) -> Iterator[None]:
    """The study's folder; a small disk of its own where that is to be filled."""
    study.mkdir()
    if harm != "disk full":
        yield
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", study], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", study], check=True)


def can_mount(home: Path) -> bool:
    """Whether a small disk can be mounted here, which needs root."""
    trial = home / "trial"
    with suppress(OSError, subprocess.CalledProcessError), place(trial, "disk full"):
        return True
    return False


def environment(name: str, servers: Servers) -> dict[str, str]:
    """That of all processes of a round, by its name."""
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("EIFER_")},
        "PATH": os.pathsep.join([str(Path(EIFER).parent), os.environ["PATH"]]),
        "PREFECT_API_URL": servers.prefect_url + "/api",
        "MLFLOW_TRACKING_URI": servers.mlflow_url,
        MARK: name,
    }


def run(it: Round) -> subprocess.Popen[str]:
    """Start what brings its study up to date."""
    # A file, for a pipe would wait for whatever is left running.
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115
    command = [EIFER, "run", "--at-once", "3"]
    if it.hit == "worker":  # by turns one as `eifer services` keeps it, and one by itself
        kept = it.turn % 2
        command = [sys.executable, "deployed.py", "kept" if kept else "alone"]
    if it.hit == "node":
        command = [sys.executable, "nodes.py"]
    started = subprocess.Popen(
        command,
        cwd=it.study, env=it.environment, stdout=log, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    started.stdout = log
    return started


def finished(run: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said, once it has ended."""
    try:
        code = run.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        code = run.wait()
    assert run.stdout is not None
    run.stdout.seek(0)
    return code, run.stdout.read()
