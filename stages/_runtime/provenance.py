"""Who ran what on which bytes, when and where: dated, hence outside every DVC output."""

from __future__ import annotations

import hashlib
import json
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
from stages._runtime import content
from stages._runtime.params_file import read_params

RECORDS = Path("runs/provenance")
FAILED = Path("runs/failed")
"""Executions that made nothing: apart, since what they read is no link of a trail."""
SEAL = "sha256"
"""Of a record: the hash of all else in it."""
REWRITTEN = ("dvc.lock",)
"""What the run itself rewrites, in the root of a study."""
SAMPLES = 240
"""Of what a stage uses: where there are more, every second goes, and they come half as often."""

Usage = dict[str, list[float]]


def record(
    stage: str,
    item: Mapping[str, str],
    started: float,
    given: Sequence[Path],
    made: Path | None,
    usage: Usage,
    *,
    module: str,
    deps: Sequence[str] = (),
    params: Sequence[str] = (),
    error: BaseException | None = None,
) -> Path:
    """Write the record of one execution under ``runs/provenance`` and return its path.

    Of one that failed with ``error``, which made nothing (None), under ``runs/failed``.

    ``module`` is what was run. ``given`` are the files and folders that the stage declares,
    ``deps`` what dvc.lock says that it reads, which may be folders around them: every file there is
    listed with its SHA-256, and ``dvc`` has the hashes under the names that dvc.lock uses.
    ``params`` are those it may see.
    """
    name = "@".join([stage, *item.values()])
    now = datetime.now(UTC)
    path = (RECORDS if error is None else FAILED) / f"{now:%Y%m%dT%H%M%S%f}_{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    ignored, known = content.ignored_in(Path()), dict[Path, content.Content]()

    def hashed(file: Path) -> content.Content:
        return known.setdefault(file, known.get(file) or content.of_file(file))

    def of(names: Sequence[str]) -> dict[str, Any]:
        return {
            n: content.content(Path(n), content.of_study(Path(), n, ignored), hashed).as_dict()
            for n in names
        }

    dvc = {"deps": of(deps), "outs": of([made.as_posix()] if made else [])}
    out = {path for path in known if made and path.is_relative_to(made)}
    read = {str(path): known[path].sha256 for path in sorted(known.keys() - out)}
    declared = {str(p): hashed(p).sha256 if p.is_file() else None for p in given}
    total = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    path.write_text(
        sealed(
            {
                "stage": name,
                "command": f"python -m {module}",
                "params": _params(params),
                "dvc": dvc,
                "finished": now.isoformat(),
                "wall_s": round(time.time() - started, 3),
                "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in total), 3),
                "peak_rss_mb": round(max(u.ru_maxrss for u in total) / 1024, 1),
                "usage": usage,
                "host": platform.node(),
                "platform": platform.platform(),
                "python": platform.python_version(),
                "git": git_state(),
                "given": declared | read,
                "made": {str(p): known[p].sha256 for p in sorted(out)},
                "packages": packages(),
                **({} if error is None else {"error": f"{type(error).__name__}: {error}"}),
            }
        ),
        encoding="utf-8",
    )
    return path


def packages() -> dict[str, str]:
    """The version of every package installed here, whose file of facts is read once."""
    facts = (distribution.metadata for distribution in distributions())
    return dict(sorted((each["Name"], each["Version"]) for each in facts if each["Name"]))


def sealed(record: Mapping[str, Any]) -> str:
    """A record as text, with the SHA-256 of all else in it under `SEAL`."""

    def text(content: Mapping[str, Any]) -> str:
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    content = {name: value for name, value in record.items() if name != SEAL}
    return text({**content, SEAL: hashlib.sha256(text(content).encode()).hexdigest()})


def _params(names: Sequence[str]) -> dict[str, Any]:
    """The values that a stage may see by their names, and the hash of the file they stand in."""
    file = Path("params.yaml")
    if not file.is_file():
        return {}
    values = dict[str, Any]()
    whole = read_params(file) if names else {}  # a failure may be that it cannot be read
    for name in names:
        value: Any = whole
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        values[name] = value
    return {"sha256": sha256_file(file), "values": values}


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
    """The commit (None where there is none yet), and the files that are not as it has them."""

    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout

    changed = [line[3:] for line in ask("status", "--porcelain", "-z").split("\0") if line]
    return {
        # Without --verify git answers "HEAD" where nothing was committed.
        "commit": ask("rev-parse", "--verify", "--quiet", "HEAD").strip() or None,
        "changed": sorted(name for name in changed if name not in REWRITTEN),
    }
