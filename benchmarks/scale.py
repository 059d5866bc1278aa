"""What DVC costs by the number of stage instances: ``python -m benchmarks.scale``.

Studies of empty instances in one dvc.yaml: all of them executed once, then nothing to do, then one
of them executed again. As in the study, each depends on some data and on a fingerprint of code
that one instance makes of folders of modules. ``--deps 25``: on so many modules instead.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks._measured import cost, study
from stages._runtime.privacy import keep_private

SIZES = (25, 100, 300)
MODULES = 150
GRAPH = """stages:
  first:
    cmd: mkdir -p data && touch data/first data/other data/code
    deps: [modules]
    outs: [data/first, data/other, data/code]
  each:
    matrix: {{n: [{numbers}]}}
    cmd: touch data/${{item.n}}
    deps: [data/first, data/other, {more}]
    outs: ["data/${{item.n}}"]
"""


def main() -> None:
    """Measure each number of instances, then say the line through the first and the last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--deps", type=int, default=0)
    options = parser.parse_args()
    keep_private()
    print("instances  all executed     a stage   nothing to do    one executed  dvc.lock")
    rows = []
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as folder:
            place = _study(Path(folder), size, options.deps)
            every_s = _repro_s(place)
            nothing_s = min(_repro_s(place), _repro_s(place))
            one_s = min(_repro_s(place, "--force", "--single-item", f"each@{n}") for n in (1, 2))
            kib = (place / "dvc.lock").stat().st_size / 1024
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
    modules = [f"modules/module_with_a_name_{n}.py" for n in range(MODULES)]
    (folder / "modules").mkdir(parents=True)
    for name in modules:
        (folder / name).write_text(name)
    numbers = ", ".join(map(str, range(1, size)))
    more = ", ".join(modules[:deps] or ["data/code"])
    return study(folder, GRAPH.format(numbers=numbers, more=more))


def _repro_s(place: Path, *words: str) -> float:
    """Processor time of ``dvc repro`` and its children."""
    return cost(place, "-m", "dvc", "repro", *words).cpu_s


if __name__ == "__main__":
    main()
