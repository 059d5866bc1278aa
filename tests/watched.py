"""Waiting in tests for as long as it takes: what has come to a stop is given up.

How long something takes says how busy the machine is. What is watched here instead is whether it
still gets on.
"""

from __future__ import annotations

import contextvars
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import psutil

STILL_S = 600.0
"""So long without any progress is a hang, on any machine."""
LONGEST_S = 840.0
"""Of one wait, also where something gets on: a server always does. A little less than pytest's own
limit (pyproject.toml), which ends nothing that waits in another thread.
"""
ENDED_S = 10.0
"""So long after their end, nothing more comes of processes."""
LOOK_S = 0.05
BIN = Path(sys.executable).parent


class Hung(AssertionError):  # noqa: N818 (as pytest's own: what happened)
    """Nothing moved for `STILL_S`."""


class Watch:
    """Notes the progress of processes and of all below them; by default of what this one started.

    Progress is processor time, and what is read and written: output, and files.
    """

    def __init__(self, *processes: int) -> None:
        self._processes = processes
        self._seen: frozenset[tuple[int, ...]] = frozenset()
        self._began = self._since = time.monotonic()

    def look(self) -> None:
        """Raise `Hung` if all stood still since `STILL_S`, or this wait has lasted `LONGEST_S`."""
        now = frozenset(self._progress())
        if now != self._seen:
            self._seen, self._since = now, time.monotonic()
        elif time.monotonic() - self._since > STILL_S:
            raise Hung(f"no progress for {STILL_S:g} s: {sorted(now)}")
        if time.monotonic() - self._began > LONGEST_S:
            raise Hung(f"waited for {LONGEST_S:g} s, and it has not come: {sorted(now)}")

    def _progress(self) -> Iterator[tuple[int, ...]]:
        for top in self._processes or (os.getpid(),):
            with suppress(psutil.Error):
                family = psutil.Process(top).children(recursive=True)
                # This process itself is always busy, with looking.
                for one in [*family, *([psutil.Process(top)] if self._processes else [])]:
                    with suppress(psutil.Error):
                        cpu, moved = one.cpu_times(), one.io_counters()
                        tenths_s = int(10 * (cpu.user + cpu.system))
                        yield one.pid, tenths_s, moved.read_chars, moved.write_chars


def _runs(process: int) -> bool:
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def until(done: Callable[[], object], *processes: int, works: Sequence[Future[Any]] = ()) -> None:
    """Wait until ``done()``; by default all that this process started is watched.

    Where all ``processes`` have ended, nothing more will come; what any of ``works`` (`beside`)
    raises is raised here.
    """
    watch, since = Watch(*processes), time.monotonic()
    while not done():
        for work in works:
            if work.done() and (error := work.exception()):
                raise error
        # A process whose threads still end is a zombie before it can be waited for.
        since = time.monotonic() if not processes or any(map(_runs, processes)) else since
        late = time.monotonic() - since > ENDED_S
        assert not late, f"{processes} ended, and what was waited for had not come"
        watch.look()
        time.sleep(LOOK_S)


def beside(work: Callable[..., Any], *given: object) -> Future[Any]:
    """Do ``work`` in a thread that nobody waits for: a test that fails may leave it behind."""
    done: Future[Any] = Future()
    context = contextvars.copy_context()  # Prefect's settings are of the thread

    def do() -> None:
        try:
            done.set_result(context.run(work, *given))
        except BaseException as error:
            done.set_exception(error)

    Thread(target=do, daemon=True).start()
    return done


def written(path: Path, *processes: int) -> str:
    """The text of a file, as soon as there is any."""
    until(lambda: path.exists() and path.read_text(), *processes)
    return path.read_text()


def ended(process: subprocess.Popen[str]) -> int:
    """The exit code of a process, when it has ended."""
    until(lambda: process.poll() is not None, process.pid)
    assert process.returncode is not None
    return process.returncode


def heard(process: subprocess.Popen[str]) -> str:
    """All that a process still prints on its standard output, and its end."""
    return _communicated(process)[0]


def finish(
    words: Sequence[str],
    cwd: Path,
    env: Mapping[str, str] | None = None,
    *,
    together: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; with ``together``, its errors are among its output."""
    errors = subprocess.STDOUT if together else subprocess.PIPE
    process = subprocess.Popen(
        words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=errors, text=True
    )
    output = _communicated(process)
    return subprocess.CompletedProcess(words, process.returncode, *output)


def tool(
    name: str,
    *words: str,
    cwd: Path,
    env: Mapping[str, str] = os.environ,
    together: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment to its end; its stages find Python there too."""
    path = os.pathsep.join([str(BIN), env["PATH"]])
    return finish([str(BIN / name), *words], cwd, {**env, "PATH": path}, together=together)


def _communicated(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process prints until it ends; it is killed where it hangs."""
    watch = Watch(process.pid)
    while True:
        try:
            return process.communicate(timeout=LOOK_S * 10)
        except subprocess.TimeoutExpired:  # no limit: a look at it
            try:
                watch.look()
            except Hung:
                process.kill()
                process.wait()
                raise
