"""MLflow brought up to date beside a flow: never in its way, and waited for at its end alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path

from flows.run.executor import Log
from flows.run.instances import Instance
from flows.run.supervise import supervised
from stages._runtime.mlflow_place import LOCK, SHOWN, TRAININGS, all_shown, tables

COMMAND = (sys.executable, "-m", "flows", "sync-tracking")
EVERY_S, IDLE_S = 60.0, 10.0
"""From call to call at least, and with an idle core: each takes three to five seconds of one."""
WAIT_S = 120.0
"""How long the end of a flow waits for it; what is missing then, the next flow adds."""


class Mirroring:
    """Calls ``eifer sync-tracking`` in the study ``place``, one process at a time."""

    def __init__(self, place: Path, log: Log) -> None:
        self.place, self.log = place, log
        self._process: subprocess.Popen[str] | None = None
        self._new: list[Instance] = []
        self._started = float("-inf")

    def after(self, instance: Instance) -> None:
        """Have it called soon, if the instance trained, evaluated or compared."""
        self._new.append(instance)

    def look(self, *, idle: bool) -> None:
        """Call it, if anything is missing and the last call is some time ago; never waits."""
        due = time.monotonic() > self._started + (IDLE_S if idle else EVERY_S)
        if due and self.ended and self._wanted():
            self._start()

    @property
    def ended(self) -> bool:
        """Whether no call runs."""
        return self._process is None or self._process.poll() is not None

    def finish(self) -> None:
        """Call it once more if anything is missing, and wait: at most `WAIT_S` in all."""
        deadline = time.monotonic() + WAIT_S
        self._end(deadline)
        lock = self.place / LOCK
        whole = lock.exists() and lock.read_text() == all_shown(self.place)
        trained = any(table.name in TRAININGS for table in tables(self.place))
        if trained and (self._wanted() or not whole):
            self._start()
            self._end(deadline)

    def _wanted(self) -> bool:
        """Whether an instance since the last call left what MLflow shows (and nodes sent it)."""
        outs = (self.place / out for instance in self._new for out in instance.outs)
        return any((out / shown).exists() for out in outs for shown in SHOWN)

    def _start(self) -> None:
        self._end(0.0)
        self._new, self._started = [], time.monotonic()
        self._process = supervised(COMMAND, cwd=self.place, env=os.environ)

    def _end(self, deadline: float) -> None:
        """Wait for the one that runs, if any; past the deadline, end it."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdout is not None and process.stdin is not None
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
            self.log(process.stdout.read().strip())
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
            self.log(f"MLflow is not up to date after {WAIT_S:g} s: eifer sync-tracking goes on")
        process.stdin.close()
        process.stdout.close()


def command(only: Collection[str]) -> list[str]:
    """The command that looks at these instances alone."""
    return [*COMMAND, *(word for address in only for word in ("--only", address))]
