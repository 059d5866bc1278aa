"""DVC as a process of its own: how it is called, what it says, and which of that is worth words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path

from flows.run.executor import Log

KEPT = 40
"""Lines of a process's output that are kept to say why it failed."""
# Not DVC's warning that it freed a killed process's file, also in an "RWLock-file".
HELD = re.compile(r"Unable to acquire lock|is being blocked by|Unable to read RWLock-file")
LOCK_BROKEN = re.compile(r"dvc\.lock' (validation failed|is invalid)|YAML file structure is corrup")
RESTORED = re.compile(r"^Stage '.*' is cached - skipping run")
EXECUTED = re.compile(r"Running stage '(.+)':$")
EXITED = re.compile(r"exited with (-?\d+)")
HINTS = re.compile(r"\s*$|(Generating|Updating) lock|To (track|enable)|\t(git|dvc) |Use `dvc ")
OWN_WORDS = re.compile(rf"{HINTS.pattern}|> |Running stage|Stage '|ERROR: failed to reproduce")
"""What DVC says itself, among the lines of a stage; the hints need not be repeated."""
REFUSED = re.compile(r"ERROR: failed to reproduce '.*?': (?!failed to run:)(.+)")
"""What DVC found wrong itself: a dependency or param that is missing, an output that never came."""


def command(*words: str) -> list[str]:
    """The command line of ``dvc WORDS`` in this environment, patient with other dvc processes."""
    return [sys.executable, "-m", "dvc", "--wait-for-lock", *words]


def environment() -> dict[str, str]:
    """The variables of this process, with the commands of its Python on the path."""
    here = str(Path(sys.executable).parent)
    path = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


def listen(process: subprocess.Popen[str], log: Log, lines: deque[str]) -> None:
    """Hand all that a process prints to ``log``, but for DVC's hints, and keep it in ``lines``."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip())
        if not HINTS.match(line):
            log(lines[-1])


def counting(log: Log, executed: list[str]) -> Log:
    """``log``, which also notes in ``executed`` each instance that DVC executes."""

    def count(line: str) -> None:
        if match := EXECUTED.match(line):
            executed.append(match[1])
        log(line)

    return count
