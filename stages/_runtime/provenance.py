"""Who ran what on which bytes, when and where: dated, hence outside every DVC output."""

from __future__ import annotations

import platform
import resource
import subprocess
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path

from eifer.hashing import sha256_file
from stages._runtime.artifacts import write_json

RECORDS = Path("runs/provenance")


def record(
    stage: str, item: Mapping[str, str], started: float, given: Sequence[Path], made: Path
) -> Path:
    """Write the record of one execution under ``runs/provenance`` and return its path.

    Folders that were read are named, not hashed: DVC and the intake stage have
    their hashes already.
    """
    name = "@".join([stage, *item.values()])
    now = datetime.now(UTC)
    path = RECORDS / f"{now:%Y%m%dT%H%M%S%f}_{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    write_json(
        path,
        {
            "stage": name,
            "finished": now.isoformat(),
            "wall_s": round(time.time() - started, 3),
            "cpu_s": round(sum(u.ru_utime + u.ru_stime for u in usage), 3),
            "peak_rss_mb": round(max(u.ru_maxrss for u in usage) / 1024, 1),
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


def git_state() -> dict[str, object]:
    def ask(*words: str) -> str:
        return subprocess.run(
            ["git", *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    return {
        "commit": ask("rev-parse", "HEAD") or None,
        "changed": bool(ask("status", "--porcelain")),
    }
