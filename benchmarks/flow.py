"""What the flow itself costs, against the sum of its stages: `python -m benchmarks.flow`.

On a study of empty stages, run by ``dvc repro`` and by the flow, each of its instances at once as
this machine carries. The server that the flow starts is counted apart, for one may be running.
"""

from __future__ import annotations

import re
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from benchmarks._measured import cost, study
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
BLOCK = f"""  level_{{level}}:
    matrix: {{{{n: [{", ".join(map(str, range(WIDTH)))}]}}}}
    cmd: mkdir -p data/{{level}} && touch data/{{level}}/${{{{item.n}}}}
    deps: [{{deps}}]
    outs: ["data/{{level}}/${{{{item.n}}}}"]
"""


def main() -> None:
    keep_private()
    with tempfile.TemporaryDirectory() as folder:
        serial, parallel = (study(Path(folder) / name, graph()) for name in ("serial", "parallel"))
        serial_s, serial_cpu_s, _ = cost(serial, "-m", "dvc", "repro")
        wall_s, cpu_s, output = cost(parallel, EIFER, "run")
        first, last = (datetime.strptime(at, "%H:%M:%S.%f") for at, _ in STAMP.findall(output))
        again_s, again_cpu_s, _ = cost(parallel, EIFER, "run")
        nothing_s, nothing_cpu_s, _ = cost(parallel, "-m", "dvc", "repro")
        words = ("-m", "dvc", "repro", "--force", "--single-item")
        single_s, single_cpu_s, _ = min(cost(parallel, *words, f"level_0@{n}") for n in range(3))
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


def graph() -> str:
    """Levels of empty stages, each reading all of the level before."""
    levels = range(STAGES // WIDTH)
    blocks = (BLOCK.format(level=n, deps=f"data/{n - 1}" if n else "") for n in levels)
    return "stages:\n" + "".join(blocks)


if __name__ == "__main__":
    main()
