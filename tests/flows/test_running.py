"""``eifer run`` as a process: what it refuses at once, and how it ends."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.flows.test_local import LINGER, gone, tell
from tests.watched import ended, heard, until, written

EIFER = str(Path(sys.executable).with_name("eifer"))


def asks_dvc(flow: subprocess.Popen[str]) -> int | None:
    """The process in which a flow asks DVC what changed, once there is one."""
    for one in psutil.Process(flow.pid).children(recursive=True):
        with suppress(psutil.Error):
            if "status" in one.cmdline() and "supervisor" not in "".join(one.cmdline()):
                return one.pid
    return None


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGKILL])
def test_a_dvc_that_hashes_for_ever_ends_with_the_run(
    finished: Path, which: signal.Signals
) -> None:
    # Reading it waits for ever. In what a study is given it would be refused; this is an output.
    os.mkfifo(finished / "data/affect/nobody_writes")
    flow = subprocess.Popen([EIFER, "run"], cwd=finished, stdout=subprocess.PIPE, text=True)
    until(lambda: asks_dvc(flow), flow.pid)
    pid = asks_dvc(flow)
    assert pid is not None

    flow.send_signal(which)

    heard(flow)
    assert flow.returncode == (-which if which == signal.SIGKILL else 128 + which)
    assert gone(pid)


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("server")
def test_a_closed_terminal_ends_all_with_129(finished: Path) -> None:
    """What is still to be said then fails, and must not change the exit code."""
    tell(finished, "split", LINGER)
    params = finished / "params.yaml"
    params.write_text(params.read_text().replace("top: 2", "top: 3"))
    ours, theirs = os.openpty()

    def in_its_own_terminal() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # ignored where the tests run under nohup
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    flow = subprocess.Popen(
        [EIFER, "run", "--only", "split"],
        cwd=finished,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        text=True,
        start_new_session=True,
        preexec_fn=in_its_own_terminal,  # noqa: PLW1509 (no threads)
    )
    os.close(theirs)
    pid = int(written(finished / "pid", flow.pid))

    os.close(ours)

    assert ended(flow) == 128 + signal.SIGHUP
    assert gone(pid)
