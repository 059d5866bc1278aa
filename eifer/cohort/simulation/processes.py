"""The same work in this process or over several: the results do not differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


class Processes:
    """Up to ``workers`` fresh processes, no more than ``tasks``; none where one would do."""

    def __init__(self, workers: int, tasks: int) -> None:
        count = min(workers, tasks)
        self._pool = (
            ProcessPoolExecutor(count, get_context("spawn"), initializer=_one_thread)
            if count > 1
            else None
        )

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterable[Result]:
        """Apply ``function`` to each of ``tasks``, in their order."""
        return (map if self._pool is None else self._pool.map)(function, tasks)


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)
