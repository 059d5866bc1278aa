"""Here: as many instances at once as cores and memory carry, a dvc process each."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread, Timer
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]

from flows.locks import held
from flows.run import dvc, lockfile
from flows.run.cache import drop_spoilt
from flows.run.executor import Log, StageFailed
from flows.run.instances import Instance
from flows.run.supervise import supervised
from stages._runtime.machine import Machine

SAID = 12
"""Lines of a stage that failed that are told at the end; the log has all."""
LOCKS = Path("runs/flow/locks")
MARK = "EIFER_INSTANCE"
"""In the environment of every process of an instance, so that a lost one is found."""
LEFT_S = 5.0
PATIENCE_S = 60.0
"""How long what a dead flow left running may take to end by itself, and in all to be killed."""


class LocalExecutor:
    """A process of its own, ``dvc repro --single-item``, for each instance of the study.

    Parameters
    ----------
    study
        The folder of dvc.yaml.
    at_once
        Instances at once; by default what `slots_here` says.
    timeout_s
        Seconds after which an instance is killed; by default it may take as long as it takes.
    """

    def __init__(
        self, study: Path, *, at_once: int | None = None, timeout_s: float | None = None
    ) -> None:
        self.study = study.resolve()
        self.machine = Machine()
        self.slots = at_once or self.machine.instances or slots_here(self.machine)
        self._timeout_s = timeout_s
        self._running: set[subprocess.Popen[str]] = set()
        self._guard = Lock()
        self._stopped = False

    def run(self, instance: Instance, log: Log, *, beside: int = 1) -> None:
        """Run one instance, with its share of the cores in ``EIFER_WORKERS``."""
        share = max(1, self.machine.workers // max(1, min(beside, self.slots)))
        with self._alone(instance, log) as lock:
            code, lines = self._repro(instance, log, share, lock)
            restored = code == 0 and any(map(dvc.RESTORED.search, lines))
            if restored and (spoilt := drop_spoilt(self.study, instance.address)):
                log(f"spoilt in DVC's cache, made again: {', '.join(spoilt[:5])}")
                code, lines = self._repro(instance, log, share, lock)
        if code == 0:
            lockfile.keep(self.study, instance.address)
            return
        if note := lockfile.mend(self.study):
            log(note)
        raise self._failure(instance, code, lines)

    def collect(self, log: Log) -> None:
        """Nothing to bring home: DVC wrote everything here."""

    def stop(self) -> None:
        """Kill all that runs; later calls of `run` are refused."""
        with self._guard:
            self._stopped = True
            running = list(self._running)
        for process in running:
            process.terminate()

    def _repro(self, instance: Instance, log: Log, share: int, lock: int) -> tuple[int, deque[str]]:
        command = dvc.command("repro", "--single-item", instance.address)
        return self._stream(command, self._environment(instance, share), [lock], log)

    def _stream(
        self, command: Sequence[str], environment: Mapping[str, str], keep: Sequence[int], log: Log
    ) -> tuple[int, deque[str]]:
        """Run ``command``, a line of output to ``log`` at a time; its exit code and last lines."""
        lines: deque[str] = deque(maxlen=dvc.KEPT)
        with self._guard:
            if self._stopped:
                return STOPPED, lines
            process = supervised(command, cwd=self.study, env=environment, keep=keep)
            self._running.add(process)
        # If the supervisor is killed, what it left holds the pipe that is read below.
        Thread(target=self._clear, args=(process, environment[MARK]), daemon=True).start()
        timer = Timer(self._timeout_s or 0, self._expire, [process, lines])
        if self._timeout_s:
            timer.start()
        try:
            dvc.listen(process, log, lines)
            return process.wait(), lines
        finally:
            timer.cancel()
            process.terminate()
            process.wait()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
            with self._guard:
                self._running.discard(process)

    def _clear(self, process: subprocess.Popen[str], mark: str) -> None:
        if process.wait() < 0:
            kill_left_over(mark)

    def _expire(self, process: subprocess.Popen[str], lines: deque[str]) -> None:
        lines.append(EXPIRED)
        process.terminate()

    def _environment(self, instance: Instance, share: int) -> dict[str, str]:
        return {
            **dvc.environment(),
            "EIFER_WORKERS": str(share),
            MARK: self._mark(instance),
        }

    def _mark(self, instance: Instance) -> str:
        return f"{self.study}:{instance.address}"

    def _failure(self, instance: Instance, code: int, lines: deque[str]) -> StageFailed:
        text = "\n".join(lines)
        signals = filter(None, map(_signal, (code, *map(int, dvc.EXITED.findall(text)))))
        retry = False
        if self._stopped:
            why = "the flow was stopped"
        elif EXPIRED in lines:
            why = f"took longer than {self._timeout_s:g} s and was killed"
        elif dvc.HELD.search(text):
            why, retry = "a lock of DVC was held", True
        elif dvc.LOCK_BROKEN.search(text):
            why, retry = "dvc.lock was cut while written", True
        elif signal := next(signals, 0):
            why, retry = f"killed by signal {signal}", True
        else:
            own = [line for line in lines if not dvc.OWN_WORDS.match(line)]
            refused = [match[1] for line in lines if (match := dvc.REFUSED.match(line))]
            cut = [f"({len(own) - SAID} lines above)"] * (len(own) > SAID)
            why = "\n".join(cut + own[-SAID:] + refused) or "dvc failed"
        return StageFailed(instance.address, why, retry=retry)

    @contextmanager
    def _alone(self, instance: Instance, log: Log) -> Iterator[int]:
        """An open, locked file that stands for this instance; its dvc holds it while it lives.

        Two flows cannot run the same instance, and what a dead flow left running is killed.
        """
        path = self.study / LOCKS / (quote(instance.address, safe="@") + ".lock")
        path.parent.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with held(path) as file:
                if file is not None:
                    # Whatever else carries its mark has lost its flow.
                    if left := kill_left_over(self._mark(instance)):
                        log(f"killed what a dead flow had left running: {', '.join(left)}")
                        lockfile.mend(self.study)
                    # A dvc that was killed closes this file in dying, and holds nothing any more.
                    lockfile.free_files(self.study)
                    file.truncate(0)
                    file.write(json.dumps(myself()))
                    file.flush()
                    yield file.fileno()
                    return
            owner = owner_of(path)
            if owner is not None and alive(owner):
                why = f"another flow (process {owner['pid']}) is running it"
                raise StageFailed(instance.address, why, retry=True)
            if time.monotonic() > deadline - PATIENCE_S + LEFT_S:
                kill_left_over(self._mark(instance))
            if time.monotonic() > deadline:
                why = "processes of a dead flow hold it and cannot be killed"
                raise StageFailed(instance.address, why, retry=True)
            time.sleep(0.1)


EXPIRED = "(killed: it took too long)"
STOPPED = -1


def slots_here(machine: Machine) -> int:
    """As many instances as there are cores, if each finds its memory."""
    memory = psutil.virtual_memory().available
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        memory = min(memory, int(text))
    return max(1, min(machine.workers, int(memory / (machine.instance_gib * 2**30))))


def myself() -> dict[str, float]:
    """What tells this process from all others, dead ones included."""
    return {"pid": os.getpid(), "started": psutil.Process().create_time()}


def alive(process: Mapping[str, float]) -> bool:
    """Whether the process that called `myself` still runs."""
    try:
        known = psutil.Process(int(process["pid"]))
        same = abs(known.create_time() - process["started"]) < 1
        return same and known.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def kill_left_over(mark: str) -> list[str]:
    """Kill every process that carries ``mark``; what they were."""
    killed = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(MARK) == mark and process.pid != os.getpid():
                killed.append(" ".join(process.cmdline()))
                process.kill()
    return killed


def _signal(status: int) -> int:
    """The signal that ended a process, by its exit code or its shell's; 0 if none did."""
    return -status if status < 0 else status - 128 if 128 < status <= 128 + 64 else 0


def owner_of(record: Path) -> dict[str, float] | None:
    """The process that wrote `myself` into ``record``; None where it died in writing."""
    try:
        return json.loads(record.read_text())
    except ValueError:
        return None
