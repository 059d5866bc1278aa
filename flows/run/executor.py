"""Where an instance runs: each executor offers the same four things to the walk in study.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from eifer.errors import StudyError
from flows.run.instances import Instance

Log = Callable[[str], None]
"""Takes one line of a stage's output."""


class StageFailed(StudyError):  # noqa: N818 (what happened, not what was done wrong)
    """An instance did not finish; ``retry`` says whether another try may help.

    It may after a lock that was held, a process that was killed or a node that was lost. It does
    not after a failed data check, wrong params, or a fault of the code.
    """

    def __init__(self, address: str, why: str, *, retry: bool) -> None:
        super().__init__(f"{address}: {why}")
        self.why = why
        self.retry = retry


class Executor(Protocol):
    """Runs instances whose upstream is done. `run` is called from several threads at once."""

    @property
    def slots(self) -> int:
        """How many instances may run at once."""

    def run(self, instance: Instance, log: Log, *, beside: int = 1) -> None:
        """Bring one instance up to date and return when it is; its upstream is done already.

        ``beside`` is how many instances are running or ready now, this one among them: who
        shares a machine gives each its part of the cores.

        Raises
        ------
        StageFailed
            If it could not.
        """

    def collect(self, log: Log) -> None:
        """Called once after the walk, whether it failed or not: bring results home."""

    def stop(self) -> None:
        """Kill whatever still runs, with all its children; safe to call twice."""
