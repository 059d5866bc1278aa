"""Start a command that cannot outlive this process (`supervisor`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

SUPERVISOR = Path(__file__).with_name("supervisor.py")


def supervised(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    keep: Sequence[int] = (),
    to: IO[str] | None = None,
) -> subprocess.Popen[str]:
    """Start ``command`` under a supervisor; both outputs go to ``to``, else to its ``stdout``.

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
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=list(keep),
        start_new_session=True,
    )
