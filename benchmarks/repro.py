"""What `dvc repro` costs when there is nothing to do: `python -m benchmarks.repro`.

Measured on the study in this folder, which must be finished (`make demo`).
"""

from __future__ import annotations

from benchmarks._measured import cost
from flows.graph import ROOT
from flows.run.instances import instances

ROUNDS = 3
ENOUGH_S = 3.0


def main() -> None:
    outs = [ROOT / out for instance in instances(ROOT).values() for out in instance.outs]
    missing = [out for out in outs if not out.exists()]
    if missing:
        print(f"not measured: the study here is not finished ({len(missing)} outputs missing); ")
        print("run `make demo` first")
        return
    costs = [cost(ROOT, "-m", "dvc", "repro") for _ in range(ROUNDS)]
    if any("Running stage" in each.output for each in costs):
        raise SystemExit("not measured: the study here was out of date")
    least_s = min(each.wall_s for each in costs)
    print(
        f"dvc repro with nothing to do, {len(outs)} stages: {least_s:.2f} s "
        f"(wanted: under {ENOUGH_S})"
    )


if __name__ == "__main__":
    main()
