"""``eifer run``: what would run, or the flow of `study.py` with a Prefect server to talk to."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Unpack

import httpx

from eifer.errors import StudyError, examples
from flows.run import lockfile
from flows.run.experiment import experiment
from flows.run.instances import refuse_elsewhere, sound_instances
from flows.run.plan import choose, make
from flows.run.request import Choice
from flows.servers.server import serve


def dry(study: Path, **choice: Unpack[Choice]) -> None:
    """Print which instances would run, in the order of ``dvc repro``, and why."""
    refuse_elsewhere(study)
    if lockfile.broken(study):
        raise StudyError("dvc.lock was cut while written: a run mends it first, DVC cannot read it")
    if lost := lockfile.lost(study):
        print(f"dvc.lock lost {examples(lost)}, which a run brings back first: it may do less")
    sound_instances(study)
    planned = make(study, **choice)
    for file, change in planned.data.items():
        print(f"{change}: recorded in {file} first")
    width = max(map(len, planned.why), default=0)
    for address, reason in planned.why.items():
        print(f"{address:{width}}  {reason}")
    print(planned.count())


def go(
    study: Path,
    choice: Choice,
    name: str | None = None,
    changes: Sequence[str] = (),
    **how: Any,
) -> None:
    """Run the flow ``study`` in this process; ``how`` are its other parameters.

    With a ``name`` it is the `experiment` of ``changes``.

    Raises
    ------
    StudyError
        If there is no study, its params are not valid, a name is unknown, no server answers, or
        an instance failed; or as `experiment`.
    """
    with nullcontext() if name is None else experiment(study, name, changes):
        _go(study, choice, **how)


def _go(study: Path, choice: Choice, **how: Any) -> None:
    refuse_elsewhere(study)
    if not lockfile.broken(study):  # which the flow mends, and DVC would stumble over
        choose(sound_instances(study), **choice)
    for which in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(which) is not signal.SIG_IGN:  # as under nohup
            signal.signal(which, _end)
    try:
        serve(study)
    except OSError as error:  # read-only, or full
        raise StudyError(str(error)) from None
    from flows.run import study as walking

    try:
        state = walking.study(folder=str(study.resolve()), **choice, **how, return_state=True)
    except httpx.TransportError:
        raise StudyError(walking.GONE) from None
    except (KeyboardInterrupt, SystemExit):
        print(
            "eifer run: stopped, and every running stage with it; run it again to go on",
            file=sys.stderr,
        )
        raise
    if not state.is_completed():
        raise StudyError(state.message or state.name)
    print(state.message)


def _end(which: int, _frame: FrameType | None) -> None:
    if which == signal.SIGHUP:  # the terminal is gone: what is still said would fail
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in (1, 2):
            os.dup2(nowhere, output)
    sys.exit(128 + which)
