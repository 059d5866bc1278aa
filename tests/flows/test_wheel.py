"""The wheel: a video is read with what it brings alone, and it holds all of a study."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from eifer.cohort.simulation import face
from eifer.seeding import generator
from flows.workspace import make_workspace
from tests.flows.made import filmed, page_served
from tests.watched import STILL_S

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
LARGEST = 600 * 2**20


def call(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in words],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    who = face.identity(generator(1, "who"), female=True, age_years=30)
    sitter = face.Portrait(who, face.light(generator(1, "light")), 60.0)
    room = face.background(generator(1, "room"), 320, 240)
    act = face.action(who, 0.2, 0.6, lids=1.0, gaze_x=0.0, gaze_y=0.0)
    still = face.Pose(x_px=150.0, y_px=110.0, unit_px=60.0, roll_deg=0.0)
    poses = (replace(still, x_px=150.0 + 2 * k) for k in range(10))
    pictures = (face.place(room, sitter.layer(act), sitter, pose)[..., ::-1] for pose in poses)
    return filmed(tmp_path_factory.mktemp("film") / "film.mp4", pictures, fps=5)


def test_a_video_is_read_with_what_the_wheel_brings(
    wheel: Path, film: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    made = call(BIN / "uv", "venv", "--quiet", "--python", sys.executable, alone)
    assert made.returncode == 0, made.stderr
    python = alone / "bin/python"
    install = [BIN / "uv", "pip", "install", "--quiet", "--python", python]
    done = call(*install, "-c", ROOT / "requirements.lock", wheel)
    assert done.returncode == 0, done.stderr
    files = {(p.stat().st_ino, p.stat().st_size) for p in alone.rglob("*") if p.is_file()}
    assert sum(size for _, size in files) < LARGEST
    assert not list(alone.glob("lib/*/site-packages/torch"))
    told = []
    for eifer, out in ((alone / "bin/eifer", "alone"), (BIN / "eifer", "here")):
        for estimator in ("expression", "blendshapes"):
            place = tmp_path / out / estimator
            said = call(eifer, "estimate", film, "--out", place, "--estimator", estimator)
            assert said.returncode == 0, said.stderr
            told.append((place / "film/faces.csv").read_bytes())
    assert told[:2] == told[2:] and told[0] != told[1]
    with page_served([alone / "bin/eifer", "page"]) as (page, address):
        open_ = partial(build_opener(HTTPCookieProcessor()).open, timeout=STILL_S)
        assert b"Read a video" in open_(address).read()
        assert b"EventSource" in open_(urljoin(address, "/page.js")).read()
        page.terminate()
    for command in ("run", "plan"):
        refused = call(alone / "bin/eifer", command)
        assert refused.returncode == 1
        assert "is missing; install it" in refused.stderr and "eifer[study]" in refused.stderr
    refused = call(alone / "bin/eifer", "estimate", film, "--format", "parquet")
    assert refused.returncode == 2 and "pyarrow" in refused.stderr


def test_a_study_can_be_made_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    place, study, clone = (tmp_path / name for name in ("place", "study", "clone"))
    install = [BIN / "uv", "pip", "install", "--quiet", "--no-deps", "--target", place, wheel]
    assert call(*install).returncode == 0
    # -P: not the code of the folder that the tests run in.
    words = [sys.executable, "-P", "-m", "flows", "workspace", study]
    made = call(*words, "--preset", "presets/real.yaml", PYTHONPATH=str(place))
    assert made.returncode == 0, made.stderr
    make_workspace(clone, preset=ROOT / "presets/real.yaml")
    both = [
        {
            str(p.relative_to(folder)): p.read_bytes()
            for p in folder.rglob("*")
            if p.is_file() and ".git" not in p.relative_to(folder).parts
        }
        for folder in (study, clone)
    ]
    assert sorted(both[0]) == sorted(both[1])
    assert both[0] == both[1]
