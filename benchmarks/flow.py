"""What the flow itself costs, against the sum of its stages: `python -m benchmarks.flow`.

On a study of empty stages, run by ``dvc repro`` and by the flow, each of its instances at once as
this machine carries. The server that the flow starts is counted apart, for one may be running.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from flows.run.local import slots_here
from stages._runtime.machine import Machine
from stages._runtime.privacy import keep_private

STAGES = 30
WIDTH = 10
"""Instances in a level: three levels, each after the one before."""
EIFER = str(Path(sys.executable).with_name("eifer"))
STAMP = re.compile(
    r"(?m)^(\d\d:\d\d:\d\d\.\d{3}) .*(Beginning flow run|Finished in state Completed\('\d)"
)
GRAPH = """stages:
  level_{level}:
    matrix: {{n: [{items}]}}
    cmd: mkdir -p data/{level} && touch data/{level}/${{item.n}}
    deps: [{deps}]
    outs: ["data/{level}/${{item.n}}"]
"""


def main() -> None:
    keep_private()
    with tempfile.TemporaryDirectory() as folder:
        serial = _study(Path(folder) / "serial")
        serial_s, _, serial_cpu_s = _timed(serial, "-m", "dvc", "repro")
        parallel = _study(Path(folder) / "parallel")
        wall_s, told, cpu_s = _timed(parallel, EIFER, "run")
        first, last = (datetime.strptime(at, "%H:%M:%S.%f") for at, _ in STAMP.findall(told))
        again_s, _, again_cpu_s = _timed(parallel, EIFER, "run")
        nothing_s, _, nothing_cpu_s = _timed(parallel, "-m", "dvc", "repro")
        single_s, single_cpu_s = _single(parallel)
        same = (serial / "dvc.lock").read_bytes() == (parallel / "dvc.lock").read_bytes()
    walk_s = (last - first).total_seconds()
    at_once = slots_here(Machine())
    print(f"{STAGES} empty stages; same dvc.lock: {'yes' if same else 'NO'}")
    print(f"dvc repro, one after another: {serial_s:.1f} s, {serial_s / STAGES:.2f} s a stage")
    print(
        f"the flow, {at_once} at once: {walk_s:.1f} s, {walk_s / STAGES:.2f} s a stage, and "
        f"{wall_s - walk_s:.1f} s to start and stop Prefect and its server"
    )
    print(f"with nothing to do: the flow {again_s:.1f} s, dvc repro {nothing_s:.1f} s")
    rest_s = (cpu_s - again_cpu_s - STAGES * single_cpu_s) / STAGES
    print(
        f"processor time, which a busy machine leaves alone: dvc repro {serial_cpu_s:.1f} s "
        f"({nothing_cpu_s:.1f} s with nothing to do), the flow {cpu_s:.1f} s ({again_cpu_s:.1f} s)"
    )
    print(
        f"a stage of the flow costs a dvc of its own, {single_cpu_s:.2f} s ({single_s:.2f} s of "
        f"wall time, alone), and {rest_s:.2f} s for Prefect, supervisor and locks"
    )


def _study(folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True)
    (folder / ".dvc").mkdir()
    # Else DVC writes a .gitignore into data/0, in the order in which instances end, and level 1,
    # which reads that folder, reads it too.
    (folder / ".gitignore").write_text("/data\n/runs\n")
    blocks = []
    for level in range(STAGES // WIDTH):
        deps = f"data/{level - 1}" if level else ""
        items = ", ".join(map(str, range(WIDTH)))
        blocks.append(GRAPH.format(level=level, items=items, deps=deps))
    text = "".join([blocks[0], *(block.removeprefix("stages:\n") for block in blocks[1:])])
    (folder / "dvc.yaml").write_text(text)
    return folder


def _timed(study: Path, *words: str) -> tuple[float, str, float]:
    """Wall time, output, and processor time with that of all children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=study,
        env={k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"not measured: {' '.join(words)} failed\n{done.stdout}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, done.stdout, cpu_s


def _single(study: Path) -> tuple[float, float]:
    """Wall and processor time of one ``dvc repro --single-item`` that executes: the least of 3."""
    walls = []
    for n in range(3):
        address = f"level_0@{n}"
        words = ("-m", "dvc", "repro", "--force", "--single-item", address)
        wall_s, _, cpu_s = _timed(study, *words)
        walls.append((wall_s, cpu_s))
    return min(walls)


if __name__ == "__main__":
    main()
