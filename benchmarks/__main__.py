"""Run every benchmark of this folder, one process each, and print what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BY_NAME = {"chaos", "merging", "null_cohorts", "null_labels", "planted_truth", "scale"}
"""Long ones, run by name alone."""
NAMES = sorted(
    p.stem
    for p in Path(__file__).parent.glob("*.py")
    if not p.stem.startswith("_") and p.stem not in BY_NAME
)


def main() -> None:
    """Run the named benchmarks (all without arguments); fail if one does."""
    wanted = sys.argv[1:] or NAMES
    failed = []
    for name in wanted:
        print(f"\n== {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
