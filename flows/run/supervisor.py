"""The parent of one command, so that nothing of it outlives the flow.

``python -I -S supervisor.py FD,FD... COMMAND...`` runs the command in a session of its own and
ends as it ends. Its standard input is a pipe that only the flow holds open: when the flow dies,
however it dies, the pipe ends, and the command is killed with all its children. So it is on
SIGTERM. The open files FD (a lock) are handed on. Only the standard library: starts in 20 ms.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
POLITE_S = 3.0
"""How long a command may take to end by itself (SIGINT) before it is killed."""


def main() -> int:
    """Run the command of the command line; its exit code, or 128 and the signal that ended it."""
    fds = [int(fd) for fd in sys.argv[1].split(",") if fd]
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    for which in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(which, _woken)
    # Whatever loses its own parent becomes a child of this process, and is found.
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    parent = os.getpid()
    child = subprocess.Popen(
        sys.argv[2:],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        pass_fds=fds,
        preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509 (no threads here)
    )
    unwanted = False
    while child.poll() is None and not unwanted:
        ready, _, _ = select.select([0, woken], [], [])
        unwanted = 0 in ready or bool(set(os.read(woken, 4096)) - {signal.SIGCHLD})
    if unwanted:
        _interrupt(child)
    _kill_all(child)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _woken(*_: object) -> None:
    """The wake-up pipe says which signal it was."""


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _die_with(parent: int) -> None:
    """In the child: be killed when this process is."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    _signal_group(child.pid, signal.SIGINT)
    deadline = time.monotonic() + POLITE_S
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def _kill_all(child: subprocess.Popen[bytes]) -> None:
    """Kill the command's group, and what left the group: orphans are children of this process."""
    _signal_group(child.pid, signal.SIGKILL)
    child.wait()
    while orphans := _children():
        for pid in orphans:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _signal_group(group: int, which: signal.Signals) -> None:
    try:
        os.killpg(group, which)
    except (ProcessLookupError, PermissionError):
        return


def _children() -> list[int]:
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in listed.split()]


if __name__ == "__main__":
    sys.exit(main())
