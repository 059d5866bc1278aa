"""What ``eifer validate`` says while it works: how far it is, and each fault as it is found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from eifer.errors import Problem, describe
from stages._runtime import pool
from stages._runtime.machine import Machine

Task = TypeVar("Task")
Result = TypeVar("Result")
LINES = 10
"""How many times a log hears how far the work is; a terminal has a bar."""


def each(function: Callable[[Task], Result], tasks: Sequence[Task], label: str) -> Iterator[Result]:
    """`pool.each` over this machine's cores, with a line now and then where there is no bar."""
    every = -(-len(tasks) // LINES)
    results = pool.each(function, tasks, workers=Machine().workers, label=label)
    for done, result in enumerate(results, start=1):
        if done % every == 0 and not sys.stderr.isatty():
            print(f"{label}: {done} of {len(tasks)}", file=sys.stderr, flush=True)
        yield result


def found(problems: Sequence[Problem]) -> None:
    """Say what is wrong so far; all of it is said again, by its kind, at the end."""
    if problems:
        print(describe("so far", problems), file=sys.stderr, flush=True)
