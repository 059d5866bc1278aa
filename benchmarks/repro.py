"""What `dvc repro` costs when there is nothing to do: `python -m benchmarks.repro`.

Measured on the study in this folder, which must be finished (`make demo`).
"""

from __future__ import annotations

import subprocess
import sys
import time

from flows.graph import ROOT, folders

ROUNDS = 3
ENOUGH_S = 3.0


def main() -> None:
    missing = [str(path) for mine in folders(ROOT).values() for path in mine if not path.exists()]
    if missing:
        print(f"not measured: the study here is not finished ({len(missing)} outputs missing); ")
        print("run `make demo` first")
        return
    walls = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "dvc", "repro"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        walls.append(time.perf_counter() - start)
        if "Running stage" in done.stdout:
            raise SystemExit("not measured: the study here was out of date")
    n = sum(map(len, folders(ROOT).values()))
    print(
        f"dvc repro with nothing to do, {n} stages: {min(walls):.2f} s (wanted: under {ENOUGH_S})"
    )


if __name__ == "__main__":
    main()
