"""Files that one process at a time holds; the kernel frees them when their holders die.

Not filelock's, which cannot hand a lock on to a child process.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eifer.errors import StudyError

FLOWS = Path("runs/flow/runs")
"""In a study: a record of each flow that runs there, and the lock that it holds."""


@contextmanager
def held(path: Path, *, shared: bool = False) -> Iterator[IO[str] | None]:
    """The open file ``path``, locked; None where another process holds it.

    Children that inherit the open file hold the lock as well. Several may hold a ``shared`` one.
    """
    with path.open("a+") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file


@contextmanager
def without_flow(study: Path) -> Iterator[Path]:
    """Keep flows out of a study, as a flow itself does; its folder `FLOWS`.

    Raises
    ------
    StudyError
        If a flow holds it.
    """
    folder = study / FLOWS
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder / "lock") as lock:
        if lock is None:
            where = study.resolve()
            raise StudyError(f"another flow is running in {where}: wait for it, or end it")
        yield folder
