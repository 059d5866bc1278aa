"""How many of 200 random changes an audit finds: `python -m benchmarks.audit [FOLDER]`.

Of the finished study in this folder (`make demo`) or FOLDER a copy is changed, one bit or one
number at a time, and each change is undone before the next. Each is shown to the links that
concern it; a few whole audits go from the command line, one on a forgery whose hashes all agree.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

from flows.audit.links import audited
from flows.audit.study import Recorded
from flows.graph import ROOT
from flows.run import lockfile
from stages._runtime.artifacts import write_table
from stages._runtime.mlflow_place import DATABASE
from stages._runtime.provenance import RECORDS, sealed

SEED = 1
NUMBER = re.compile(rb"(?<![\w#.])\d+\.\d+(?![\w.])|(?<![\w#.-])\d{2,}(?![\w.-])")
PAGE = "data/report/index.html"
FORGED = "data/evaluate/assignment-ei/metrics.parquet"

HASHES, TEXTS = ("outputs", "records"), ("code and params", "commit")
Change = Callable[[Path, random.Random], str]
"""Changes a file, and says what is expected in the place that an audit names."""


def main() -> None:
    source = Path(sys.argv[1] if sys.argv[1:] else ROOT)
    if not (source / PAGE).is_file():
        print(f"not measured: the study in {source} is not finished; run `make demo` first")
        return
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        apart = shutil.ignore_patterns(".venv", "__pycache__", ".mypy_cache")
        shutil.copytree(source, study, symlinks=True, ignore=apart)
        seconds = clean(study)
        print(f"untouched: exit 0 in {seconds:.0f} s")
        changed(study, random.Random(SEED))
        forged(study)


def clean(study: Path) -> float:
    start = time.perf_counter()
    done = audit(study)
    if done.returncode:
        raise SystemExit(f"nobody changed it: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - start


def audit(study: Path) -> subprocess.CompletedProcess[str]:
    """``eifer audit`` as a user calls it."""
    words = [sys.executable, "-P", "-c", "from flows.cli import app; app()", "audit"]
    return subprocess.run(words, cwd=study, capture_output=True, text=True, check=False)


def changed(study: Path, draw: random.Random) -> None:
    """Change one thing 200 times, and count by kind what was found, and where."""
    graph = Recorded(study).graph
    made, found, named, missed = Counter[str](), Counter[str](), Counter[str](), list[str]()
    for kind, n, pattern, change, links in KINDS:
        files = sorted(p for p in study.glob(pattern) if p.is_file() and p.stat().st_size)
        for _ in range(n):
            path = draw.choice(files)
            with undone(path):
                wanted = change(path, draw)
                seen = Recorded(study)
                if links[0] != "code and params":
                    seen.graph = graph
                places = [p for v in audited(seen, links) for p in v.places]
            made[kind] += 1
            found[kind] += bool(places)
            named[kind] += any(wanted in place for place in places)
            if not places or not any(wanted in place for place in places):
                missed.append(f"{kind} {path.relative_to(study)} {wanted}: {places[:2]}")
    for counts in (made, found, named):
        counts["all"] = counts.total()
    for kind, n in made.items():
        print(f"{kind:<32}{n:>4} changes,{found[kind]:>4} found,{named[kind]:>4} at their place")
    print(*missed, sep="\n")
    if found != made:
        raise SystemExit("not all changes were found")


@contextlib.contextmanager
def undone(path: Path) -> Iterator[None]:
    """Give a file other bytes meanwhile; its time and its second names (hard links) stay."""
    before, times = path.read_bytes(), path.stat()
    yield
    path.write_bytes(before)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def bit(path: Path, draw: random.Random) -> str:
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)
    return path.name


def digit(path: Path, draw: random.Random) -> str:
    """Another digit in a number of a text."""
    content = path.read_bytes()
    if not (numbers := list(NUMBER.finditer(content))):
        return bit(path, draw)
    number = draw.choice(numbers)
    place = draw.choice([n for n in range(*number.span()) if content[n : n + 1].isdigit()])
    other = str((int(content[place : place + 1]) + draw.randrange(1, 10)) % 10).encode()
    path.write_bytes(content[:place] + other + content[place + 1 :])
    return path.name


def cell(path: Path, draw: random.Random) -> str:
    """Another number in a table."""
    frame = pd.read_parquet(path)
    numbers = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name])]
    if not numbers or frame.empty:
        return bit(path, draw)
    name, row = draw.choice(numbers), draw.randrange(len(frame))
    values = frame[name].tolist()
    values[row] = 1 if pd.isna(values[row]) else values[row] + 1
    frame[name] = values
    write_table(path, frame)
    return path.name


def database(path: Path, draw: random.Random) -> str:
    """Another number, hash or name that MLflow shows."""
    table = draw.choice(["latest_metrics", "metrics", "params", "tags"])
    with contextlib.closing(sqlite3.connect(path)) as opened, opened:
        # Which code drew a figure is no result; `eifer audit` then asks to draw it anew.
        apart = "WHERE key NOT LIKE 'drawn.%'"
        rows = opened.execute(f"SELECT rowid, key, value FROM {table} {apart}").fetchall()
        rowid, key, value = draw.choice(rows)
        other = value + 0.5 if isinstance(value, float) else f"{value}0"
        opened.execute(f"UPDATE {table} SET value = ? WHERE rowid = ?", (other, rowid))
    return "" if key in {"run_key", "superseded"} else str(key)


KINDS: list[tuple[str, int, str, Change, tuple[str, ...]]] = [
    ("videos", 14, "data/simulate/cohort/**/*.mp4", bit, ("raw files",)),
    ("ECGs", 8, "data/simulate/cohort/**/*.tsv.gz", bit, ("raw files",)),
    ("texts of the cohort", 8, "data/simulate/cohort/**/*.tsv", digit, ("raw files",)),
    ("tables, bits", 18, "data/**/*.parquet", bit, HASHES),
    ("tables, numbers", 18, "data/s*/**/*.parquet", cell, HASHES),
    ("predictions and scores", 14, "data/evaluate/**/*.parquet", cell, HASHES),
    ("weights", 14, "data/**/*.safetensors", bit, HASHES),
    ("crops", 14, "data/select/*/crops/*.parquet", bit, HASHES),
    ("JSON of stages", 12, "data/**/*.json", digit, HASHES),
    ("report, bits", 8, PAGE, bit, HASHES),
    ("report, numbers", 16, PAGE, digit, HASHES),
    ("figures", 8, "data/report/figures/*.svg", bit, HASHES),
    ("CSV of the report", 8, "data/report/tables/*.csv", bit, HASHES),
    ("dvc.lock", 10, "dvc.lock", digit, ("code and params", "outputs", "raw files", "records")),
    ("params.yaml, bits", 4, "params.yaml", bit, TEXTS),
    ("params.yaml, numbers", 4, "params.yaml", digit, TEXTS),
    ("code", 6, "eifer/**/*.py", bit, TEXTS),
    ("what the report is made by", 2, "reports/*.*", bit, TEXTS),
    ("records", 8, f"{RECORDS}/*.json", digit, ("records",)),
    ("MLflow's database", 4, DATABASE.as_posix(), database, ("MLflow",)),
    ("MLflow's figures and weights", 2, "runs/mlartifacts/**/*.s[va]*", bit, ("MLflow",)),
]
"""What is changed, how often, which files, how, and the links that are asked."""


def forged(study: Path) -> None:
    """Change a number, and all hashes of it with it: only computing again tells."""
    frame = pd.read_parquet(study / FORGED)
    frame.loc[0, "roc_auc"] = 0.99
    (study / FORGED).unlink()
    write_table(study / FORGED, frame)
    rehash(study)
    hashes, again = ([*audited(Recorded(study), names)] for names in (HASHES, ("scores",)))
    print(f"a forged score with all hashes: by hashes {[v.state for v in hashes]}")
    print(f"  computed again: {again[0].places[0]}")
    done = audit(study)
    print(f"  whole audit: exit {done.returncode}")
    if done.returncode != 1 or "roc_auc" not in done.stdout:
        raise SystemExit(done.stdout)


def rehash(study: Path) -> None:
    """Write new hashes of everything into dvc.lock and the records, as a forger would."""
    from dvc.utils.serialize import dumps_yaml, parse_yaml  # type: ignore[import-untyped]

    seen = Recorded(study)
    lock = parse_yaml((study / lockfile.LOCK).read_text(), lockfile.LOCK)
    for entry in lock["stages"].values():
        for item in [*entry.get("deps", []), *entry.get("outs", [])]:
            now = seen.now(item["path"]).as_dict()
            item.update({key: now[key] for key in ("md5", "size")})
    (study / lockfile.LOCK).write_text(dumps_yaml(lock))
    for records in seen.records.values():
        for name, record in records:
            for kind in ("made", "given"):
                record[kind] = {
                    path: sha and seen.hashed(study / path).sha256
                    for path, sha in record[kind].items()
                }
            for items in record.get("dvc", {}).values():
                items.update({path: seen.now(path).as_dict() for path in items})
            (study / name).write_text(sealed(record), encoding="utf-8")


if __name__ == "__main__":
    main()
