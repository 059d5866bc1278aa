"""How long the report takes to build, and how large its page is: `python -m benchmarks.report`.

Measured on the study in this folder, which must be finished (`make demo`);
its report is built again.
"""

from __future__ import annotations

from benchmarks._measured import cost
from flows.graph import ROOT

PAGE = ROOT / "data/report/index.html"
ENOUGH_MB = 1.5


def main() -> None:
    if not PAGE.is_file():
        print("not measured: the study here is not finished; run `make demo` first")
        return
    before = PAGE.read_bytes()
    built = cost(ROOT, "-m", "dvc", "repro", "--single-item", "--force", "report")
    if PAGE.read_bytes() != before:
        raise SystemExit("the report was out of date, or is not the same each time")
    files = [path for path in PAGE.parent.rglob("*") if path.is_file()]
    size_mb, all_mb = len(before) / 1e6, sum(path.stat().st_size for path in files) / 1e6
    seconds = f"{built.wall_s:.1f} s, {built.cpu_s:.1f} s of processor time with dvc"
    print(f"report: {seconds}; {len(files)} files, {all_mb:.1f} MB")
    print(f"its page: {size_mb:.2f} MB (wanted: under {ENOUGH_MB})")


if __name__ == "__main__":
    main()
