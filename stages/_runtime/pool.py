"""One task a video (or participant) over the machine's cores, with a bar on a terminal."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from signal import Signals
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

from eifer.errors import InputError, Problem, RecordingError

Task = TypeVar("Task")
Result = TypeVar("Result")


def one_thread() -> None:
    """Keep a worker to its own core: the pool is the parallelism."""
    import os
    import sys

    from threadpoolctl import threadpool_limits

    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
    ):
        os.environ[variable] = "1"
    # A spawned worker has the main module's imports already, and with them their threads.
    threadpool_limits(1)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def each(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    *,
    workers: int,
    label: str,
    named: Callable[[Task], str] = str,
    lost: Callable[[RecordingError], Result] | None = None,
) -> Iterator[Result]:
    """Yield ``function(task)`` for every task, in the order of ``tasks``.

    Tasks are taken, and results kept, a few at a time. Recordings that cannot be
    read are collected, and reported together after all tasks were tried. So are
    tasks that end the process that works on them (a decoder that crashes, memory
    that runs out), by what ``named`` calls them. With ``lost``, its answer stands
    in the place of their result instead.

    Raises
    ------
    InputError
        If any task raised a `RecordingError` or ended its process: all of them.
    """
    unreadable: list[Problem] = []
    console = Console(stderr=True)
    pool = _pool(workers)

    def submitted(task: Task) -> Future[Result]:
        nonlocal pool
        try:
            return pool.submit(function, task)
        except BrokenProcessPool:
            pool.shutdown()
            pool = _pool(workers)
            return pool.submit(function, task)

    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task(label, total=len(tasks) if isinstance(tasks, Sized) else None)
        waiting = iter(tasks)
        queue: deque[tuple[Task, Future[Result]]] = deque()
        try:
            while True:
                while len(queue) < 2 * workers and (task := next(waiting, None)) is not None:
                    queue.append((task, submitted(task)))
                if not queue:
                    break
                task, future = queue.popleft()
                try:
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        # One process that ends takes the pool along, and does not say at what.
                        yield _alone(function, task, named)
                except RecordingError as error:
                    if lost is not None:
                        yield lost(error)
                        continue
                    problem = Problem("recording cannot be used", str(error), REMEDY)
                    unreadable.append(error.problem or problem)
                finally:
                    bar.advance(shown)
        finally:
            # A failure (or a reader that stops) must not wait for work nobody wants.
            pool.shutdown(wait=True, cancel_futures=True)
    if unreadable:
        raise InputError(label, unreadable)


def _pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=one_thread)


def _alone(function: Callable[[Task], Result], task: Task, named: Callable[[Task], str]) -> Result:
    """Work on one task in a process of its own; a `RecordingError` if that ends it."""
    others = multiprocessing.active_children()
    with _pool(1) as pool:
        future = pool.submit(function, task)
        own = [child for child in multiprocessing.active_children() if child not in others]
        try:
            return future.result()
        except BrokenProcessPool:
            pass
    codes = [child.exitcode for child in own]
    raise ended(named(task), codes[0] if codes else None, ENDED_REMEDY)


def ended(name: str, code: int | None, remedy: str) -> RecordingError:
    """Say that the process that worked on ``name`` ended with an exit code (as of `Process`)."""
    how = Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    error = RecordingError(f"{name}: {ENDED} ({how}). {remedy}")
    error.problem = Problem(ENDED, f"{name} ({how})", remedy)
    return error


REMEDY = "replace the recording, or exclude it with a reason in params.yaml study.exclude"
ENDED = "the process that worked on it ended"
ENDED_REMEDY = (
    "re-encode the recording, or exclude it with a reason in params.yaml study.exclude; after "
    "SIGKILL memory may have run out: take fewer workers (EIFER_WORKERS=1)"
)
