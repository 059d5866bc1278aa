"""Who ran what on which bytes, when and where: dated, hence outside every DVC output."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil  # type: ignore[import-untyped]

from eifer.hashing import sha256_file
from stages._runtime.artifacts import write_json

RECORDS = Path("runs/provenance")
SAMPLES = 240
"""Of what a stage uses: where there are more, every second goes, and they come half as often."""

Usage = dict[str, list[float]]


def record(
    stage: str,
    item: Mapping[str, str],
    started: float,
    given: Sequence[Path],
    made: Path,
    usage: Usage,
) -> Path:
    """Write the record of one execution under ``runs/provenance`` and return its path.

    Folders that were read are named, not hashed: DVC and the intake stage have
    their hashes already.
    """
    name = "@".join([stage, *item.values()])
    now = datetime.now(UTC)
    path = RECORDS / f"{now:%Y%m%dT%H%M%S%f}_{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    total = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    write_json(
        path,
        {
            "stage": name,
            "finished": now.isoformat(),
            "wall_s": round(time.time() - started, 3),
            "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in total), 3),
            "peak_rss_mb": round(max(u.ru_maxrss for u in total) / 1024, 1),
            "usage": usage,
            "host": platform.node(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "git": git_state(),
            "given": {str(p): sha256_file(p) if p.is_file() else None for p in given},
            "made": {str(p): sha256_file(p) for p in sorted(made.rglob("*")) if p.is_file()},
            "packages": dict(sorted((d.name, d.version) for d in distributions())),
        },
    )
    return path


@contextmanager
def watched(every_s: float = 1.0) -> Iterator[Usage]:
    """What this process and its children use meanwhile: a list of values by name.

    ``after_s`` is when, in seconds; CPU is in percent of one core, memory in MB (pages that
    processes share are counted for each), a GPU's too where torch uses one.
    """
    usage: Usage = {"after_s": [], "process_cpu_percentage": [], "process_memory_megabytes": []}
    done, started = Event(), time.monotonic()

    def watch() -> None:
        wait_s, before, cpu_s = every_s, started, _usage()[0]
        while not done.wait(wait_s):
            now, (cpu_now_s, memory) = time.monotonic(), _usage()
            percent = 100 * max(0.0, cpu_now_s - cpu_s) / (now - before)
            values = {"process_cpu_percentage": percent, "process_memory_megabytes": memory / 1e6}
            # While the stage is still importing torch, the module is there and nothing in it.
            cuda: Any = getattr(sys.modules.get("torch"), "cuda", None)
            if getattr(cuda, "is_initialized", bool)():
                values["gpu_memory_megabytes"] = cuda.memory_reserved() / 1e6
                usage.setdefault("gpu_memory_megabytes", [0.0] * len(usage["after_s"]))
            for name, value in {"after_s": now - started, **values}.items():
                usage[name].append(round(value, 1))
            before, cpu_s = now, cpu_now_s
            if len(usage["after_s"]) >= SAMPLES:
                wait_s *= 2
                for series in usage.values():
                    del series[::2]

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield usage
    finally:
        done.set()
        thread.join()


def _usage() -> tuple[float, float]:
    """Seconds of CPU and bytes of memory of this process and its children."""
    cpu_s = memory = 0.0
    own = psutil.Process()
    for process in [own, *own.children(recursive=True)]:
        with suppress(psutil.Error):
            cpu_s += sum(process.cpu_times()[:2])
            memory += process.memory_info().rss
    return cpu_s, memory


def git_state() -> dict[str, object]:
    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    return {
        "commit": ask("rev-parse", "HEAD") or None,
        "changed": bool(ask("status", "--porcelain")),
    }
