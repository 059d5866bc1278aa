"""``eifer run``: what would run, or the flow of `study.py` with a Prefect server to talk to."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import httpx

from eifer.errors import StudyError
from flows.instances import instances
from flows.plan import choose, make
from flows.server import serve


def dry(study: Path, *, only: list[str], start: list[str], end: list[str]) -> None:
    """Print which instances would run, in the order of ``dvc repro``, and why."""
    planned = make(study, only=only, start=start, end=end)
    width = max(map(len, planned.why), default=0)
    for address, reason in planned.why.items():
        print(f"{address:{width}}  {reason}")
    print(f"{len(planned.why)} of {len(planned.chosen)} instances would run")


def go(
    study: Path,
    *,
    only: list[str],
    start: list[str],
    end: list[str],
    keep_going: bool,
    at_once: int,
    timeout_min: float,
    where: str,
) -> None:
    """Run the flow in this process.

    Raises
    ------
    StudyError
        If a name is unknown, no server answers, or an instance failed.
    """
    if only or start or end:
        choose(instances(study), only=only, start=start, end=end)
    signal.signal(signal.SIGTERM, _end)
    serve(study)
    from flows import study as walking

    try:
        state = walking.study(
            folder=str(study.resolve()),
            only=only,
            start=start,
            end=end,
            keep_going=keep_going,
            at_once=at_once,
            timeout_min=timeout_min,
            where=where,
            return_state=True,
        )
    except httpx.TransportError:
        raise StudyError(walking.GONE) from None
    if not state.is_completed():
        raise StudyError(state.message or state.name)
    print(state.message)


def _end(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(143)
