"""One task a video (or participant) over the machine's cores, with a bar on a terminal."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
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
    function: Callable[[Task], Result], tasks: Sequence[Task], *, workers: int, label: str
) -> Iterator[Result]:
    """Yield ``function(task)`` for every task, in the order of ``tasks``.

    At most a few results wait in memory at a time. Recordings that cannot be
    read are collected, and reported together after all tasks were tried.

    Raises
    ------
    InputError
        If any task raised a `RecordingError`: all of them.
    """
    unreadable: list[Problem] = []
    context = multiprocessing.get_context("spawn")
    console = Console(stderr=True)
    with (
        ProcessPoolExecutor(workers, context, initializer=one_thread) as pool,
        Progress(console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        shown = bar.add_task(label, total=len(tasks))
        waiting = iter(tasks)
        queue: list[Future[Result]] = []
        try:
            while True:
                while len(queue) < 2 * workers and (task := next(waiting, None)) is not None:
                    queue.append(pool.submit(function, task))
                if not queue:
                    break
                wait(queue[:1], return_when=FIRST_COMPLETED)
                try:
                    yield queue.pop(0).result()
                except RecordingError as error:
                    problem = Problem("recording cannot be used", str(error), REMEDY)
                    unreadable.append(error.problem or problem)
                bar.advance(shown)
        finally:
            # A failure (or a reader that stops) must not wait for work nobody wants.
            pool.shutdown(wait=True, cancel_futures=True)
    if unreadable:
        raise InputError(label, unreadable)


REMEDY = "replace the recording, or exclude it with a reason in params.yaml study.exclude"
