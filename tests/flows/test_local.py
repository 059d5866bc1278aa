"""One instance as a process here: its share, its failures, and nothing of it outlives the flow."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from flows.run import local
from flows.run.dvc import HELD
from flows.run.executor import StageFailed
from flows.run.instances import Instance
from flows.run.local import MARK, LocalExecutor, alive, myself, slots_here
from flows.run.supervise import supervised
from stages._runtime.machine import Machine
from tests.watched import ended, until, written

AFFECT = Instance("affect", "affect")
FLOW = """
from pathlib import Path
from flows.run.local import LocalExecutor
from flows.run.instances import Instance
LocalExecutor(Path()).run(Instance("affect", "affect"), print)
"""
"""A flow of one instance, in a process that can be killed."""
LINGER = "pathlib.Path('pid').write_text(str(os.getpid()))\ntime.sleep(36000)\nopen('ended', 'w')"
"""Says who it is, and ends by itself only much later."""


def tell(study: Path, stage: str, code: str) -> None:
    (study / "told" / stage).write_text(code)


def gone(pid: int) -> bool:
    """Whether a process has ended, or ends."""

    def dead() -> bool:
        try:
            return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return True

    until(dead, pid)
    return True


def failure(study: Path, executor: LocalExecutor | None = None) -> tuple[StageFailed, list[str]]:
    said: list[str] = []
    with pytest.raises(StageFailed) as raised:
        (executor or LocalExecutor(study)).run(AFFECT, said.append)
    return raised.value, said


def test_an_instance_runs_with_its_share_of_the_cores(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EIFER_WORKERS", "8")
    tell(fresh, "affect", "print('workers', os.environ['EIFER_WORKERS'])")
    said: list[str] = []
    LocalExecutor(fresh, at_once=4).run(AFFECT, said.append, beside=3)
    assert "workers 2" in said
    assert said[0] == "Running stage 'affect':"
    # DVC's hints on git, the same after every stage, are left out.
    assert len(said) == 3


def test_memory_limits_how_many_run_at_once() -> None:
    lots = psutil.virtual_memory().available / 2**30
    assert slots_here(Machine(workers=3, instance_gib=0.001)) == 3
    assert slots_here(Machine(workers=64, instance_gib=2 * lots)) == 1


@pytest.mark.parametrize(
    ("code", "why", "retry"),
    [
        ("sys.exit('affect: 3 faces are upside down')", "affect: 3 faces are upside down", False),
        ("sys.exit(0)", "output 'data/affect' does not exist", False),  # DVC's own words
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9", True),
    ],
)
def test_a_failure_says_why_and_whether_another_try_may_help(
    fresh: Path, code: str, why: str, retry: bool
) -> None:
    tell(fresh, "affect", code)
    failed, _ = failure(fresh)
    assert (failed.why, failed.retry) == (why, retry)


@pytest.mark.parametrize("who", ["dvc", "supervisor", "supervisor and flow"])
def test_nothing_lives_on_when_its_parents_are_killed(fresh: Path, who: str) -> None:
    """`kill -9` of dvc alone leaves its child running; here nothing may be left."""
    parent = "psutil.Process().parents()"
    dvc_ = f"next(p for p in {parent} if 'repro' in p.cmdline())"
    victim = {
        "dvc": f"[{dvc_}]",
        "supervisor": f"[{dvc_}.parent()]",
        "supervisor and flow": f"[{dvc_}.parent(), {dvc_}.parent().parent()]",
    }[who]
    said_who, *lingering = LINGER.splitlines()
    # Stopped first: else the second might notice the first one's death, and end in words.
    kill = f"import psutil\nvictims = {victim}\n" + "".join(
        f"for victim in victims:\n    victim.{harm}()\n" for harm in ("suspend", "kill")
    )
    tell(fresh, "affect", "\n".join([said_who, kill, *lingering]))
    if who == "supervisor and flow":
        flow = subprocess.run([sys.executable, "-c", FLOW], cwd=fresh, check=False)
        assert flow.returncode == -signal.SIGKILL
    else:
        why, _ = failure(fresh)
        assert why.retry
        assert why.why == "killed by signal 9"
    pid = int((fresh / "pid").read_text())
    if who != "supervisor and flow":
        assert gone(pid)
    tell(fresh, "affect", "")
    said: list[str] = []
    LocalExecutor(fresh).run(AFFECT, said.append)  # finds what may be left, and runs alone
    assert gone(pid)
    assert not (fresh / "ended").exists()
    assert (fresh / "data/affect/made").exists()


def test_the_command_dies_with_the_flow(tmp_path: Path) -> None:
    """A grandchild in a session of its own, whose parent has ended, is found as well."""
    inner = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(36000)"
    outer = f"""
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", {inner!r}], start_new_session=True)
time.sleep(36000)
"""
    process = supervised([sys.executable, "-c", outer], cwd=tmp_path, env=os.environ)
    pid = int(written(tmp_path / "pid", process.pid))
    process.stdin.close()  # as the kernel does when the flow dies
    assert ended(process) in (128 + signal.SIGINT, 1)
    assert gone(pid)


@pytest.mark.parametrize("mode", [0o444, 0o644])
def test_what_is_spoilt_in_the_cache_is_made_again(finished: Path, mode: int) -> None:
    """DVC itself believes what is read-only, and would bring it back."""
    made = finished / "data/affect/made"
    right = made.read_bytes()
    digest = hashlib.md5(right).hexdigest()
    cached = finished / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    cached.chmod(0o644)
    cached.write_bytes(b"x" * len(right))
    cached.chmod(mode)
    shutil.rmtree(made.parent)
    said: list[str] = []
    LocalExecutor(finished).run(AFFECT, said.append)
    assert made.read_bytes() == right
    assert ("spoilt in DVC's cache, made again: data/affect/made" in said) == (mode == 0o444)


def test_too_long_is_killed_and_final(fresh: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def timer(seconds: float, expire: Callable[..., None], given: Sequence[Any]) -> Any:
        def over() -> None:
            written(fresh / "pid")  # six seconds may not be enough for it to begin
            expire(*given)

        assert seconds == 6
        thread = threading.Thread(target=over, daemon=True)
        return SimpleNamespace(start=thread.start, cancel=lambda: None)

    monkeypatch.setattr(local, "Timer", timer)
    tell(fresh, "affect", LINGER)
    why, _ = failure(fresh, LocalExecutor(fresh, timeout_s=6))
    assert not why.retry
    assert "longer than 6 s" in why.why
    assert gone(int((fresh / "pid").read_text()))


def test_two_flows_cannot_run_the_same_instance(fresh: Path) -> None:
    tell(fresh, "affect", LINGER)
    flow = subprocess.Popen([sys.executable, "-c", FLOW], cwd=fresh, stdout=subprocess.DEVNULL)
    pid = int(written(fresh / "pid", flow.pid))
    why, said = failure(fresh)
    assert why.retry
    assert f"another flow (process {flow.pid}) is running it" in why.why
    assert not said
    # Killed with -9, it takes everything with it, and the instance is free again.
    flow.kill()
    flow.wait()
    assert gone(pid)
    tell(fresh, "affect", "")
    LocalExecutor(fresh).run(AFFECT, said.append)
    assert (fresh / "data/affect/made").exists()


def test_what_a_dead_flow_left_is_killed_before_its_instance_runs(fresh: Path) -> None:
    mark = f"{fresh.resolve()}:affect"
    left = subprocess.Popen(["sleep", "36000"], env=os.environ | {MARK: mark})
    said: list[str] = []
    LocalExecutor(fresh).run(AFFECT, said.append)
    assert said[0] == "killed what a dead flow had left running: sleep 36000"
    assert ended(left) == -signal.SIGKILL


def test_stopped_means_stopped(fresh: Path) -> None:
    executor = LocalExecutor(fresh)
    executor.stop()
    executor.stop()
    why, _ = failure(fresh, executor)
    assert not why.retry


def test_a_process_is_told_from_a_later_one_of_its_number() -> None:
    assert alive(myself())
    assert not alive(myself() | {"started": myself()["started"] - 60})
    assert not alive({"pid": 2**22 + 1, "started": 0})


def test_a_file_that_dvc_freed_is_no_lock() -> None:
    """Else a failed check after a kill would be tried again, and called a lock."""
    freed = (
        "Process 'dvc repro' with (Pid 7), in RWLock-file 'data/a' had been killed. Auto removed"
    )
    assert HELD.search(f"WARNING: {freed} it from the lock file.") is None
    assert HELD.search("ERROR: 'data/a' is busy, it is being blocked by:")
    assert HELD.search("Unable to read RWLock-file '.dvc/tmp/rwlock'. JSON structure is corrupted")
