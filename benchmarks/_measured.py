"""What several benchmarks need: an empty study, what commands and calls cost, lines of numbers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple


class Cost(NamedTuple):
    """Wall time, processor time with that of all children, and what the command printed."""

    wall_s: float
    cpu_s: float
    output: str


def study(folder: Path, graph: str) -> Path:
    """A study of its own in ``folder`` with ``graph`` as its dvc.yaml."""
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".dvc").mkdir()
    # Else DVC writes a .gitignore into data, in the order in which instances end, and a stage that
    # reads the whole folder reads it too.
    (folder / ".gitignore").write_text("/data\n/runs\n")
    (folder / "dvc.yaml").write_text(graph)
    return folder


def cost(folder: Path, *words: str) -> Cost:
    """What Python with ``words`` costs in ``folder``, without a Prefect server that may run."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"not measured: {' '.join(words)} failed\n{done.stdout}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall_s, cpu_s, done.stdout)


def cpu_s(task: Callable[[], object]) -> float:
    """Processor time of a call, which other people's load leaves alone."""
    start = time.process_time()
    task()
    return time.process_time() - start


def show(rows: Iterable[tuple[str, float, str]]) -> None:
    """Print names, values and units below each other."""
    for name, value, unit in rows:
        print(f"{name:<56}{value:>14.6g} {unit}")
