"""A small study that ran, for tests of its crates."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flows.git import git
from tests.flows.made import study_in
from tests.watched import tool

PARAMS = """study: {name: small, cohort: ../cohort, waves: ["1", "2"]}
select: {top: 2}
"""
GRAPH = """stages:
  affect:
    cmd: python make.py
    params: [select.top]
    outs: [data/affect]
  select:
    matrix: {wave: "${study.waves}"}
    cmd: python make.py
    params: [study.cohort, select]
    deps: [../cohort, data/affect/weights.safetensors]
    outs: ["data/select/wave-${item.wave}"]
  report:
    cmd: python make.py
    deps: [data/select]
    outs: [data/report]
"""
MAKE = """import os, pathlib, time
from eifer.tables.selection import SELECTION
from stages._runtime import provenance
from stages._runtime.artifacts import write_table
stage, *item = os.environ["DVC_STAGE"].split(":")[-1].split("@")
out = pathlib.Path("data", stage, *(f"wave-{wave}" for wave in item))
out.mkdir(parents=True, exist_ok=True)
deps, params = [], ["select.top"]
(out / "checks.json").write_text("[]")
if stage == "affect":
    (out / "weights.safetensors").write_text("weights")
    (out / "curves.parquet").write_text("curves")
if stage == "select":
    deps, params = ["../cohort", "data/affect/weights.safetensors"], ["study.cohort", "select"]
    write_table(out / "selection.parquet", SELECTION.empty())
    (out / "crops").mkdir(exist_ok=True)
    (out / "crops/sub-01_run-1.parquet").write_text(f"a face of wave {item[0]}")
if stage == "report":
    deps = ["data/select"]
    (out / "index.html").write_text("page")
given = [pathlib.Path(dep) for dep in deps]
matrix = {"wave": wave for wave in item}
more = {"module": f"stages.{stage}", "deps": deps, "params": params}
provenance.record(stage, matrix, time.time() - 1, given, out, {}, **more)
"""
VIDEO = b"a video of sub-01"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that ran, in a folder with its recordings beside it."""
    place = tmp_path_factory.mktemp("crate")
    (place / "cohort/sub-01").mkdir(parents=True)
    (place / "cohort/sub-01/video.mp4").write_bytes(VIDEO)
    study_in(place / "study", {"params.yaml": PARAMS, "dvc.yaml": GRAPH, "make.py": MAKE})
    git(place / "study", "config", "user.name", "Ada Lovelace")
    done = tool("dvc", "repro", "--quiet", cwd=place / "study")
    assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture
def study(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it that a test may change, and where this process is."""
    shutil.copytree(made, tmp_path / "made")
    monkeypatch.chdir(tmp_path / "made/study")
    return Path()
