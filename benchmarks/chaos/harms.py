"""What is done to a study, at a moment that is drawn."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.chaos.rounds import EIFER, Round

Harm = Callable[[Round], bool]
"""Does its harm now and says so; False where there was nothing to harm yet."""


def _kill(*words: str, which: signal.Signals = signal.SIGKILL) -> Harm:
    """Kill one process whose command line has all ``words``: no supervisor, unless so named."""

    def harm(it: Round) -> bool:
        victims = [
            pid
            for pid, line in it.processes().items()
            if all(word in line for word in words)
            and ("supervisor.py" in line) == ("supervisor.py" in words)
        ]
        return bool(victims) and _signal(it.random.choice(victims), which)

    return harm


def _kill_mirror(it: Round) -> bool:
    return _sending(it) and _kill("flows", "sync-tracking")(it)


def _kill_mlflow(it: Round) -> bool:
    if not _sending(it):
        return False
    supervisor = it.servers.mlflow.process
    assert supervisor is not None
    for child in psutil.Process(supervisor.pid).children(recursive=True):
        with suppress(psutil.Error):
            child.kill()
    supervisor.wait()
    return True


def _kill_worker(it: Round) -> bool:
    """While the flow runs that it started."""
    running = any((it.study / "runs/flow/runs").glob("*.json"))
    return running and _kill("prefect worker start")(it)


def _kill_node(it: Round) -> bool:
    """A node that executes an instance: its worker, and all that it runs."""
    lines = it.processes()
    for pid in [pid for pid, line in lines.items() if "prefect worker start" in line]:
        with suppress(psutil.NoSuchProcess):
            worker = psutil.Process(pid)
            tree = [worker.pid, *(child.pid for child in worker.children(recursive=True))]
            if any(" repro " in lines.get(process, "") for process in tree):
                return any([_signal(process) for process in tree])
    return False


def _sending(it: Round) -> bool:
    """Whether MLflow is being filled; that comes a little later than the import of mlflow."""
    if not any("sync-tracking" in line for line in it.processes().values()):
        return False
    time.sleep(it.random.uniform(0, 2.5))
    return True


def _fill_disk(it: Round) -> bool:
    left = it.random.choice([0, 4096, 60_000])
    with suppress(OSError), (it.study / "filler").open("wb", buffering=0) as file:
        for size in (2**20, 2**12):
            while os.statvfs(it.study).f_bavail * os.statvfs(it.study).f_frsize > left + size:
                file.write(bytes(size))
    if not left:
        with suppress(OSError), (it.study / "filler").open("ab", buffering=0) as file:
            while file.write(bytes(512)):
                pass
    return True


def _limit_files(it: Round) -> bool:
    """No process of the round can write a file beyond some size: a quota."""
    size = it.random.choice([100, 3000, 20_000])
    limited = [pid for pid, line in it.processes().items() if " repro " in line]
    for pid in limited:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
    return bool(limited)


def _cut_lock(it: Round) -> bool:
    """dvc.lock cut at any byte, as by a kill while it is written; the flow is killed as well."""
    lock = it.study / "dvc.lock"
    if not lock.exists() or not it.kill_all():
        return False
    text = lock.read_bytes()
    lock.write_bytes(text[: it.random.randrange(len(text))])
    return True


def _lose_lock(it: Round) -> bool:
    lock = it.study / "dvc.lock"
    if not lock.exists() or not it.kill_all():
        return False
    lock.unlink()
    return True


def _spoil_cache(it: Round) -> bool:
    """A file of the cache has other bytes, and the output it belongs to is gone."""
    cached = {path: _cached(it, path) for path in sorted((it.study / "data").glob("*/**/part-3"))}
    whole = [path for path, file in cached.items() if file.exists()]
    if not whole or not it.kill_all():
        return False
    victim = it.random.choice(whole)
    file = cached[victim]
    mode = file.stat().st_mode
    file.chmod(0o644)
    with file.open("r+b") as opened:
        opened.seek(it.random.randrange(file.stat().st_size - 8))
        opened.write(b"spoilt!!")
    if it.random.random() < 0.7:  # a bad disk; otherwise somebody who edited it
        file.chmod(mode)
    shutil.rmtree(victim.parent)
    return True


def _cached(it: Round, output: Path) -> Path:
    digest = hashlib.md5(output.read_bytes()).hexdigest()
    return it.study / ".dvc/cache/files/md5" / digest[:2] / digest[2:]


def _spoil_output(it: Round) -> bool:
    made = sorted((it.study / "data").glob("*/**/part-3"))
    if not made or not it.kill_all():
        return False
    victim = it.random.choice(made)
    victim.chmod(0o644)
    victim.write_bytes(b"half")
    return True


def _signal(pid: int, which: signal.Signals = signal.SIGKILL) -> bool:
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        return False
    return True


HARMS: dict[str, Harm] = {
    "MLflow server": _kill_mlflow,
    "mirror in MLflow": _kill_mirror,
    "disk full": _fill_disk,
    "cache file spoilt": _spoil_cache,
    "file size limit": _limit_files,
    "dvc.lock cut": _cut_lock,
    "output spoilt": _spoil_output,
    "dvc.lock lost": _lose_lock,
    "Prefect server": _kill("flows.servers.server:prefect_application"),
    "stage": _kill("python", ".py", "data/"),
    "training stage": _kill("train.py"),
    "dvc": _kill("dvc", "repro"),
    "supervisor": _kill("supervisor.py", " repro "),
    "flow": _kill(EIFER, "run"),
    "flow, Ctrl-C": _kill(EIFER, "run", which=signal.SIGINT),
    "flow, SIGTERM": _kill(EIFER, "run", which=signal.SIGTERM),
    "all at once": Round.kill_all,
    "worker": _kill_worker,
    "node": _kill_node,
}
MAY_LEAVE = ("supervisor", "all at once", "dvc.lock", "cache", "output")
"""Harms that kill a supervisor: what it left lives until the next run, which must kill it."""
GOES_ON = ("MLflow server", "mirror in MLflow", "stage", "training stage", "dvc", "node")
"""Harms that the first run mends by itself."""
