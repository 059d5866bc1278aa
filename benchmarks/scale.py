"""What DVC costs by the number of stage instances: ``python -m benchmarks.scale``.

Studies of empty instances in one dvc.yaml: all of them executed once, then nothing to do, then one
of them executed again. As in the study, each depends on some data and on a fingerprint of code
that one instance makes of folders of modules. ``--deps 25``: on so many modules instead.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from stages._runtime.privacy import keep_private

SIZES = (25, 100, 300)
MODULES = 150
GRAPH = """stages:
  first:
    cmd: mkdir -p data && touch data/first data/other data/code
    deps: [modules]
    outs: [data/first, data/other, data/code]
  each:
    matrix: {{n: [{items}]}}
    cmd: touch data/${{item.n}}
    deps: [data/first, data/other, {more}]
    outs: ["data/${{item.n}}"]
"""


def main() -> None:
    """Measure each number of instances, then say the line through the first and the last."""
    asked = argparse.ArgumentParser()
    asked.add_argument("sizes", type=int, nargs="*", default=SIZES)
    asked.add_argument("--deps", type=int, default=0)
    options = asked.parse_args()
    keep_private()
    print("instances  all executed     a stage   nothing to do    one executed  dvc.lock")
    rows = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            study = _study(Path(folder), size, options.deps)
            every_s = _timed(study, "repro")
            nothing_s = min(_timed(study, "repro"), _timed(study, "repro"))
            one_s = min(
                _timed(study, "repro", "--force", "--single-item", f"each@{n}") for n in (1, 2)
            )
            kib = (study / "dvc.lock").stat().st_size / 1024
        rows.append((size, every_s, nothing_s, one_s, kib))
        print(
            f"{size:9}  {every_s:10.1f} s  {every_s / size:8.3f} s  {nothing_s:12.2f} s  "
            f"{one_s:12.2f} s  {kib:5.0f} KiB",
            flush=True,
        )
    (few, *_, less_s, one_s, _), (many, *_, more_s, other_s, _) = rows[0], rows[-1]
    slope, other = (more_s - less_s) / (many - few), (other_s - one_s) / (many - few)
    print(f"nothing to do: {less_s - slope * few:.2f} s + {1000 * slope:.1f} ms x instances")
    print(f"one executed:  {one_s - other * few:.2f} s + {1000 * other:.1f} ms x instances")
    print("(processor time of dvc and its children, which a busy machine leaves nearly alone)")


def _study(folder: Path, size: int, deps: int) -> Path:
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".dvc").mkdir()
    (folder / ".gitignore").write_text("/data\n")
    modules = [f"modules/module_with_a_name_{n}.py" for n in range(MODULES)]
    (folder / "modules").mkdir()
    for name in modules:
        (folder / name).write_text(name)
    items = ", ".join(map(str, range(1, size)))
    more = ", ".join(modules[:deps] or ["data/code"])
    (folder / "dvc.yaml").write_text(GRAPH.format(items=items, more=more))
    return folder


def _timed(study: Path, *words: str) -> float:
    """Processor time of a dvc command and its children, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *words],
        cwd=study, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"not measured: dvc {' '.join(words)} failed\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
