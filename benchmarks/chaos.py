"""Does a study survive what happens to machines? ``make chaos``, or ``python -m benchmarks.chaos``.

Each round runs a small study by ``eifer run``, does it harm at a random moment, and runs it again.
After that, all must be as in a study that nothing happened to: dvc.lock and every output byte for
byte, each trained model in MLflow once, no process left, nothing that Prefect takes for running.
The same seed does the same harm at about the same moments; ``--only 7`` repeats round 7.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

from flows.executors.supervise import supervised
from stages._runtime.privacy import no_telemetry

STEP = '''"""Write parts, slowly and in place, so that a kill leaves half of them."""
import fcntl, hashlib, os, pathlib, sys, time
name, out, *given = sys.argv[1:]
runs, out = pathlib.Path("runs/toy"), pathlib.Path(out)
runs.mkdir(parents=True, exist_ok=True)
alone = (runs / f"{name}.lock").open("w")
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    (runs / "twice").write_text(name)
with (runs / "executed").open("a") as log:
    log.write(name + "\\n")
found = [file for folder in given for file in pathlib.Path(folder).rglob("*")]
read = b"".join(file.read_bytes() for file in sorted(found) if file.is_file())
digest = hashlib.sha256(name.encode() + read).digest()
out.mkdir(parents=True, exist_ok=True)
for part in range(8):
    with (out / f"part-{part}").open("wb") as file:
        for _ in range(4):
            file.write(digest * 512)
            file.flush()
            time.sleep(.015)
'''
TRAIN = '''"""Train nothing, and record it as the stages of the study do: then settle the output."""
import hashlib, os, pathlib, shutil, sys, time
from stages._runtime import tracking
import pandas as pd
group = sys.argv[1]
final = pathlib.Path("data/train", group)
partial = final.with_name(group + ".partial")
shutil.rmtree(partial, ignore_errors=True)
sys.argv[1:] = ["train@" + group, str(partial), "data/split"]
exec(pathlib.Path("step.py").read_text())
weights = partial / "weights.safetensors"
weights.write_bytes((partial / "part-7").read_bytes())
tracking._figure = lambda *_: {"figures/curve.svg": b"<svg/>"}
tracking.trained(
    tracking.Repetition(os.environ["EIFER_CHAOS"], "train", "arousal", group, 1,
                        hashlib.sha256(weights.read_bytes()).hexdigest()),
    item={"group": group}, recipe={"lr": .1}, numbers={"threshold": .5},
    curves=pd.DataFrame({"epoch": [1, 2, 3], "loss": [.9, .5, .4]}),
    inputs=[tracking.Input("split", pathlib.Path("data/split"))],
    weights=weights, model=None, started_s=time.time() - 1, ended_s=time.time(),
)
shutil.rmtree(final, ignore_errors=True)
partial.rename(final)
'''
DEPLOYED = '''"""Bring the study up to date by its deployment: deploy, start a worker, run, wait."""
import os, pathlib, subprocess, sys, threading, time
os.environ["PREFECT_HOME"] = os.path.abspath("runs/prefect")
os.makedirs("runs/prefect", exist_ok=True)
from flows import services
from prefect.deployments import run_deployment
study, worker = pathlib.Path.cwd(), services._worker()
services.prepare(study, gpus=1)
(study / services.HOME).mkdir(parents=True, exist_ok=True)
if "alone" in sys.argv:
    with services._log(study, worker).open("a") as log:
        environment = os.environ | worker.environment
        worker.process = subprocess.Popen(worker.command, env=environment, stdout=log, stderr=log)
else:
    services._spawn(study, worker)
    threading.Thread(target=lambda: os._exit(worker.process.wait() or 1), daemon=True).start()
while True:
    run = run_deployment("study/study", parameters={"at_once": 3}, timeout=None, poll_interval=1)
    print(run.state.name, run.state.message, flush=True)
    if not run.state.is_cancelled():  # for the one that died counts as running for a while
        break
    time.sleep(5)
if "alone" in sys.argv:
    worker.process.terminate()
    worker.process.wait()
os._exit(not run.state.is_completed())
'''
GRAPH = """stages:
  intake:
    cmd: python step.py intake data/intake
    outs: [data/intake]
  affect:
    cmd: python step.py affect data/affect
    outs: [data/affect]
  estimate:
    matrix: {wave: [1, 2]}
    cmd: python step.py estimate@${item.wave} data/estimate/${item.wave} data/intake data/affect
    deps: [data/intake, data/affect]
    outs: ["data/estimate/${item.wave}"]
  split:
    cmd: python step.py split data/split data/estimate data/intake
    deps: [data/estimate, data/intake]
    outs: [data/split]
  train:
    matrix: {group: [High, Low]}
    cmd: python train.py ${item.group}
    deps: [data/split]
    outs: ["data/train/${item.group}"]
  compare:
    cmd: python step.py compare data/compare data/train data/affect
    deps: [data/train, data/affect]
    outs: [data/compare]
"""
FILES = {
    "step.py": STEP,
    "train.py": TRAIN,
    "deployed.py": DEPLOYED,
    "dvc.yaml": GRAPH,
    ".gitignore": "/data\n/runs\n__pycache__\n",
    ".dvc/config": "[core]\n    analytics = false\n",
}
TRAINED = ("High", "Low")
INSTANCES = 8
EIFER = str(Path(sys.executable).with_name("eifer"))
MARK = "EIFER_CHAOS"
"""In the environment of every process of a round, so that none is overlooked."""
PATIENCE_S = 900.0
DISK = "24m"


@dataclass
class Round:
    """One round: where its study is, what was done to it, and what came of it."""

    number: int
    study: Path
    environment: dict[str, str]
    random: random.Random
    servers: Servers
    hit: str = ""
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

    def executed(self) -> int:
        """How many instances have been executed so far."""
        log = self.study / "runs/toy/executed"
        return len(log.read_text().splitlines()) if log.exists() else 0


# --- harm ----------------------------------------------------------------------------------------


Harm = Callable[[Round], bool]
"""Does its harm now and says so; False where there was nothing to harm yet."""


def _kill(*words: str, which: signal.Signals = signal.SIGKILL) -> Harm:
    """Kill one process whose command line has all ``words``."""

    def harm(it: Round) -> bool:
        found = [
            pid
            for pid, line in it.processes().items()
            if all(word in line for word in words) and "supervisor.py" not in line
        ]
        return bool(found) and _signal(it.random.choice(found), which)

    return harm


def _kill_supervisor(it: Round) -> bool:
    found = [
        pid
        for pid, line in it.processes().items()
        if "supervisor.py" in line and " repro " in f"{line} "
    ]
    return bool(found) and _signal(it.random.choice(found))


def _kill_sender(it: Round) -> bool:
    return _sending(it) and _kill("flows", "sync-tracking")(it)


def _kill_mlflow(it: Round) -> bool:
    if not _sending(it):
        return False
    for one in psutil.Process(it.servers.mlflow.pid).children(recursive=True):
        with suppress(psutil.Error):
            one.kill()
    it.servers.mlflow.wait()
    return True


def _kill_worker(it: Round) -> bool:
    """While the flow runs that it started."""
    running = any((it.study / "runs/flow/runs").glob("*.json"))
    return running and _kill("prefect worker start")(it)


def _sending(it: Round) -> bool:
    """Whether records are being sent; it imports before it sends, so that comes a little later."""
    if not any("sync-tracking" in line for line in it.processes().values()):
        return False
    time.sleep(it.random.uniform(0, 4))
    return True


def _kill_all(it: Round) -> bool:
    """Everything at once, as when the machine stops."""
    found = list(it.processes())
    it.random.shuffle(found)
    for pid in found:
        _signal(pid)
    return bool(found)


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
    found = [pid for pid, line in it.processes().items() if " repro " in line]
    for pid in found:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, size))
    return bool(found)


def _cut_lock(it: Round) -> bool:
    """dvc.lock cut at any byte, as by a kill while it is written; the flow is killed as well."""
    lock = it.study / "dvc.lock"
    if not lock.exists() or not _kill_all(it):
        return False
    text = lock.read_bytes()
    lock.write_bytes(text[: it.random.randrange(len(text))])
    return True


def _lose_lock(it: Round) -> bool:
    lock = it.study / "dvc.lock"
    if not lock.exists() or not _kill_all(it):
        return False
    lock.unlink()
    return True


def _spoil_cache(it: Round) -> bool:
    """A file of the cache has other bytes, and the output it belongs to is gone."""
    cached = {path: _cached(it, path) for path in sorted((it.study / "data").glob("*/**/part-3"))}
    whole = [path for path, file in cached.items() if file.exists()]
    if not whole or not _kill_all(it):
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
    if not made or not _kill_all(it):
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
    "sender to MLflow": _kill_sender,
    "disk full": _fill_disk,
    "cache file spoilt": _spoil_cache,
    "file size limit": _limit_files,
    "dvc.lock cut": _cut_lock,
    "output spoilt": _spoil_output,
    "dvc.lock lost": _lose_lock,
    "Prefect server": _kill("prefect", "server"),
    "stage": _kill("python", ".py", "data/"),
    "training stage": _kill("train.py"),
    "dvc": _kill("dvc", "repro"),
    "supervisor": _kill_supervisor,
    "flow": _kill(EIFER, "run"),
    "flow, Ctrl-C": _kill(EIFER, "run", which=signal.SIGINT),
    "flow, SIGTERM": _kill(EIFER, "run", which=signal.SIGTERM),
    "all at once": _kill_all,
    "worker": _kill_worker,
}
MAY_LEAVE = ("supervisor", "all at once", "dvc.lock", "cache", "output")
"""Harms that kill a supervisor: what it left lives until the next run, which must kill it."""


# --- a round -------------------------------------------------------------------------------------


class Servers:
    """One Prefect and one MLflow server for all rounds, of which MLflow's is killed at times."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.prefect_url, self.mlflow_url = (f"http://127.0.0.1:{_free_port()}" for _ in range(2))
        words = ["server", "start"]
        self.prefect = self._start("prefect", self.prefect_url + "/api/health", words, {})
        self.mlflow = self._start_mlflow()

    def _start_mlflow(self) -> subprocess.Popen[str]:
        settings = {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{self.home}/mlflow.db",
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": (self.home / "mlartifacts").as_uri(),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        words = ["server", "--workers", "1", "--no-serve-artifacts"]
        return self._start("mlflow", self.mlflow_url + "/health", words, settings)

    def _start(
        self, tool: str, health: str, words: list[str], settings: dict[str, str]
    ) -> subprocess.Popen[str]:
        port = str(urlsplit(health).port)
        with (self.home / f"{tool}.log").open("a") as log:
            server = supervised(
                [sys.executable, "-m", tool, *words, "--host", "127.0.0.1", "--port", port],
                cwd=self.home,
                env=os.environ | {"PREFECT_HOME": str(self.home / "prefect")} | settings,
                to=log,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not _answers(health):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"no {tool} server came up: see {self.home}/{tool}.log")
            time.sleep(0.2)
        return server

    def mend(self) -> None:
        """Start MLflow again where it was killed."""
        if self.mlflow.poll() is not None:
            self.mlflow = self._start_mlflow()

    def stop(self) -> None:
        """End both."""
        for one in (self.prefect, self.mlflow):
            one.terminate()
            one.wait()


def play(number: int, seed: int, harm: str, servers: Servers, home: Path) -> Round:
    """One round; its study stays where something was wrong."""
    chance = random.Random(f"{seed}:{number}:{harm}")
    study = home / f"round-{number}"
    environment = _environment(f"{home.name} round {number}", servers)
    if harm == "Prefect server":
        del environment["PREFECT_API_URL"]  # each run has a server of its own, as without services
    it = Round(number, study, environment, chance, servers, hit=harm)
    # Counted in instances that have begun, which a slow machine does not shift.
    begun = {"training stage": INSTANCES - 3}.get(harm, chance.randrange(INSTANCES))
    delay_s = chance.uniform(0, 2 if begun else 10)
    with _place(study, harm):
        _make(study)
        try:
            _disturbed(it, HARMS[harm], begun, delay_s)
            (study / "filler").unlink(missing_ok=True)
            servers.mend()
            _left(it)
            _again(it)
            _check(it, home / "undisturbed")
        finally:
            _kill_all(it)  # where this is interrupted
        if it.wrong and os.path.ismount(study):
            shutil.copytree(study, home / f"round-{number}-kept", symlinks=True)
    if not it.wrong:
        shutil.rmtree(study, ignore_errors=True)
    return it


def _disturbed(it: Round, harm: Harm, begun: int, delay_s: float) -> None:
    """Run it, and once ``begun`` instances have begun and ``delay_s`` has passed, do the harm."""
    started = time.monotonic()
    moment: float | None = None
    run = _run(it)
    while run.poll() is None and it.at_s is None:
        now = time.monotonic()
        if moment is None and it.executed() >= begun:
            moment = now + delay_s
        if moment is not None and now > moment and harm(it):
            it.at_s = now - started
        time.sleep(0.02)
    code, told = _finished(run)
    (it.study / "runs").mkdir(exist_ok=True)
    with suppress(OSError):
        (it.study / "runs/first.log").write_text(told)
    if it.at_s is None:
        it.notes.append("missed (it had ended)")
    it.notes.append(
        f"exit {code} after {time.monotonic() - started:.0f} s, {it.executed()} executed"
    )


def _again(it: Round) -> None:
    before, started = it.executed(), time.monotonic()
    code, told = _finished(_run(it))
    took_s = time.monotonic() - started
    it.notes.append(f"again: {it.executed() - before} executed, {took_s:.0f} s")
    if code:
        it.wrong.append("the second run failed: " + told.strip().rpartition("\n")[2])
    (it.study / "runs/again.log").write_text(told)


def _left(it: Round) -> None:
    """Nothing may live on after the first run, unless the harm killed a supervisor."""
    deadline = time.monotonic() + 10
    while (found := it.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if found and not it.hit.startswith(MAY_LEAVE):
        it.wrong.append(f"left after the first run: {list(found.values())[:3]}")


def _check(it: Round, undisturbed: Path) -> None:
    deadline = time.monotonic() + 10
    while (found := it.processes()) and time.monotonic() < deadline:
        time.sleep(0.1)
    if found:
        it.wrong.append(f"left: {list(found.values())[:3]}")
        _kill_all(it)
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
    from mlflow import MlflowClient

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
    import httpx

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


def _make(study: Path) -> None:
    for name, text in FILES.items():
        (study / name).parent.mkdir(parents=True, exist_ok=True)
        (study / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", str(study)], check=True)


@contextmanager
def _place(study: Path, harm: str) -> Iterator[None]:
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


def _can_mount(home: Path) -> bool:
    trial = home / "trial"
    with suppress(OSError, subprocess.CalledProcessError), _place(trial, "disk full"):
        return True
    return False


def _environment(name: str, servers: Servers) -> dict[str, str]:
    return {
        **{key: value for key, value in os.environ.items() if not key.startswith("EIFER_")},
        "PATH": os.pathsep.join([str(Path(EIFER).parent), os.environ["PATH"]]),
        "PREFECT_API_URL": servers.prefect_url + "/api",
        "MLFLOW_TRACKING_URI": servers.mlflow_url,
        MARK: name,
    }


def _run(it: Round) -> subprocess.Popen[str]:
    # A file, for a pipe would wait for whatever is left running.
    log = tempfile.TemporaryFile("w+")  # noqa: SIM115
    command = [EIFER, "run", "--at-once", "3"]
    if it.hit == "worker":  # by turns one as `eifer services` keeps it, and one by itself
        kept = it.number // len(HARMS) % 2
        command = [sys.executable, "deployed.py", "kept" if kept else "alone"]
    run = subprocess.Popen(
        command,
        cwd=it.study, env=it.environment, stdout=log, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    run.stdout = log
    return run


def _finished(run: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        code = run.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        code = run.wait()
    assert run.stdout is not None
    run.stdout.seek(0)
    return code, run.stdout.read()


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


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _answers(url: str) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def main() -> None:
    """Play the rounds, print the table, and fail if a round did."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--rounds", type=int, default=len(HARMS) * 2)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", type=int, action="append", help="this round (repeatable)")
    asked.add_argument("--keep", type=Path, help="folder of the rounds; else a temporary one")
    options = asked.parse_args()
    no_telemetry()
    home = (options.keep or Path(tempfile.mkdtemp(prefix="chaos-"))).resolve()
    home.mkdir(parents=True, exist_ok=True)
    servers = Servers(home)
    try:
        failed = _play_all(options.rounds, options.seed, options.only, servers, home)
    finally:
        servers.stop()
    if failed:
        raise SystemExit(f"{failed} rounds failed; their studies are in {home}")
    if options.keep is None:
        shutil.rmtree(home)


def _play_all(rounds: int, seed: int, only: list[int] | None, servers: Servers, home: Path) -> int:
    kinds = list(HARMS)
    if not _can_mount(home):
        print("(no small disk can be mounted here: limits of file size instead of a full disk)")
        kinds[kinds.index("disk full")] = "file size limit"
    plain = home / "undisturbed"
    _make(plain)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", "--quiet"],
        cwd=plain,
        env=_environment("undisturbed", servers) | {"EIFER_TRACKING": "off"},
        check=False,
    )
    if done.returncode:
        raise SystemExit("dvc repro failed on an undisturbed study")
    usual = Round(0, home / "usual", _environment("usual", servers), random.Random(0), servers)
    _make(usual.study)
    started = time.monotonic()
    code, told = _finished(_run(usual))
    usual_s = time.monotonic() - started
    if code:
        raise SystemExit(f"eifer run failed on an undisturbed study:\n{told}")
    _check(usual, plain)
    if usual.wrong:
        raise SystemExit(f"the flow differs from dvc repro: {usual.wrong}")
    print(f"undisturbed: {usual_s:.0f} s, {usual.executed()} instances", flush=True)
    print("round  hit                 at s  first run; second run; verdict", flush=True)
    failed = missed = 0
    numbers = only or range(1, rounds + 1)
    for number in numbers:
        it = play(number, seed, kinds[(number - 1) % len(kinds)], servers, home)
        at = "   -" if it.at_s is None else f"{it.at_s:4.0f}"
        verdict = (
            "equal" if not it.wrong else "NOT EQUAL: " + "; ".join(why[:300] for why in it.wrong)
        )
        print(f"{number:5}  {it.hit:18}  {at}  {'; '.join(it.notes)}; {verdict}", flush=True)
        failed += bool(it.wrong)
        missed += it.at_s is None
    print(f"{len(numbers)} rounds, {missed} of them missed what they aimed at, {failed} failed")
    return failed


if __name__ == "__main__":
    main()
