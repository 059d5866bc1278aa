"""The record of an execution: what was read and made, by content."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from stages._runtime import provenance


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_record_names_what_was_read_and_made() -> None:
    Path("in.parquet").write_bytes(b"in")
    Path("folder").mkdir()
    Path("out/shards").mkdir(parents=True)
    Path("out/shards/a").write_bytes(b"a")
    given = [Path("in.parquet"), Path("folder")]
    Path("folder/crop").write_bytes(b"c")
    Path("params.yaml").write_text("study: {seed: 3, name: x}\n")
    path = provenance.record(
        *("extract", {"wave": "1"}, time.time() - 2, given, Path("out"), {}),
        module="stages.extract",
        deps=["in.parquet", "folder"],
        params=["study.seed"],
    )
    record = json.loads(path.read_text())
    assert path.parent == provenance.RECORDS and path.name.endswith("_extract@1.json")
    assert record["stage"] == "extract@1"
    assert record["given"] == {
        "in.parquet": hashlib.sha256(b"in").hexdigest(),
        "folder": None,
        "folder/crop": hashlib.sha256(b"c").hexdigest(),
    }
    assert record["made"] == {"out/shards/a": hashlib.sha256(b"a").hexdigest()}
    assert record["wall_s"] >= 2 and record["peak_rss_mb"] > 1
    assert record["packages"]["pandas"]
    assert record["git"] == {"commit": None, "changed": []}
    assert record["command"] == "python -m stages.extract"
    assert record["params"]["values"] == {"study.seed": 3}
    text = Path("params.yaml").read_bytes()
    assert record["params"]["sha256"] == hashlib.sha256(text).hexdigest()
    # As DVC has them: a folder's hash is that of its listing.
    listing = json.dumps([{"md5": hashlib.md5(b"c").hexdigest(), "relpath": "crop"}]).encode()
    assert record["dvc"]["deps"]["folder"]["md5"] == hashlib.md5(listing).hexdigest() + ".dir"
    assert record["dvc"]["deps"]["in.parquet"]["md5"] == hashlib.md5(b"in").hexdigest()
    assert record["dvc"]["outs"]["out"]["nfiles"] == 1
    assert provenance.sealed(record) == path.read_text()


def test_the_commit_is_git_s_own_and_changes_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "x")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "x@example.org")

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "--quiet")
    Path("dvc.lock").write_text("a")
    Path("params.yaml").write_text("a")
    # Git itself answers the word HEAD here.
    assert provenance.git_state() == {"commit": None, "changed": ["params.yaml"]}
    git("add", "--all")
    git("commit", "--quiet", "--message", "x")
    for name in ("dvc.lock", "params.yaml"):
        Path(name).write_text("b")
    assert provenance.git_state() == {
        "commit": git("rev-parse", "HEAD"),
        "changed": ["params.yaml"],
    }


def test_every_execution_keeps_its_own_record_and_names_sort_by_time() -> None:
    Path("out").mkdir()
    paths = [
        provenance.record("split", {}, time.time(), [], Path("out"), {}, module="stages.split")
        for _ in range(2)
    ]
    assert sorted(provenance.RECORDS.iterdir()) == paths


def test_what_a_stage_uses_is_watched_and_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "SAMPLES", 4)
    with provenance.watched(every_s=0.01) as usage:
        seen, last = 0, list[float]()
        while seen < 8:  # more than are kept
            seen += usage["after_s"][-1:] not in ([], last)
            last = usage["after_s"][-1:]
    assert 1 <= len(usage["after_s"]) < 4
    assert {len(values) for values in usage.values()} == {len(usage["after_s"])}
    assert usage["after_s"] == sorted(usage["after_s"])
    assert max(usage["process_cpu_percentage"]) > 0
    assert min(usage["process_memory_megabytes"]) > 1


def test_a_stage_that_still_imports_torch_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    died: list[object] = []
    monkeypatch.setattr(threading, "excepthook", died.append)
    with provenance.watched(every_s=0.01) as usage:
        while not usage["after_s"] and not died:
            time.sleep(0.01)
    assert not died and "gpu_memory_megabytes" not in usage
