"""Start a command that cannot outlive this process (`supervisor`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

SUPERVISOR = Path(__file__).with_name("supervisor.py")


def supervised(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    keep: Sequence[int] = (),
    to: IO[str] | None = None,
    errors: IO[str] | None = None,
) -> subprocess.Popen[str]:
    """Start ``command`` under a supervisor; both outputs go to ``to``, else to its ``stdout``.

    With ``errors``, its standard error goes there.
    `terminate` ends the command with all its children. Its exit code is the command's, or 128 and
    the signal that ended it; a negative one says that the supervisor itself was killed.
    ``keep`` are open files that the command inherits.
    """
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(SUPERVISOR), ",".join(map(str, keep)), *command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=to or subprocess.PIPE,
        stderr=errors or subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=list(keep),
        start_new_session=True,
    )


@contextmanager
def asked(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] = os.environ
) -> Iterator[Callable[[], subprocess.CompletedProcess[str]]]:
    """Start ``command``; what is yielded waits for it and returns its outputs and exit code.

    When the block is left before that, as by a signal, the command is ended.
    """
    with TemporaryFile("w+", errors="replace") as errors:
        process = supervised(command, cwd=cwd, env=env, errors=errors)
        assert process.stdout is not None and process.stdin is not None

        def answer() -> subprocess.CompletedProcess[str]:
            assert process.stdout is not None
            printed, code = process.stdout.read(), process.wait()
            errors.seek(0)
            return subprocess.CompletedProcess(command, code, printed, errors.read())

        try:
            yield answer
        finally:
            process.terminate()
            process.wait()
            process.stdin.close()
            process.stdout.close()


def finished(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` to its end, as `asked`."""
    with asked(command, cwd=cwd, env=env) as answer:
        return answer()
