"""A toy study, and one Prefect server for all tests of flows."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.flows.made import study_in
from tests.watched import tool

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

STEP = '''"""Write a digest of what was read, after doing what told/ holds for this stage."""
import hashlib, os, pathlib, signal, sys, time
out, *given = map(pathlib.Path, sys.argv[1:])
told = pathlib.Path("told") / out.relative_to("data").as_posix().replace("/", "_")
if told.exists():
    exec(told.read_text())
files = sorted(file for folder in given for file in folder.rglob("*") if file.is_file())
digest = hashlib.sha256(str(out).encode() + b"".join(file.read_bytes() for file in files))
out.mkdir(parents=True, exist_ok=True)
(out / "made").write_text(digest.hexdigest())
'''
GRAPH = """stages:
  intake:
    cmd: python step.py data/intake
    params: [seed]
    outs: [data/intake]
  affect:
    cmd: python step.py data/affect
    params: [seed]
    outs: [data/affect]
  extract:
    matrix: {wave: "${waves}"}
    cmd: python step.py data/extract/wave-${item.wave} data/intake
    params: [least]
    deps: [data/intake]
    outs: ["data/extract/wave-${item.wave}"]
  estimate:
    matrix: {wave: "${waves}"}
    cmd: python step.py data/estimate/wave-${item.wave} data/extract/wave-${item.wave} data/affect
    deps: ["data/extract/wave-${item.wave}", data/affect]
    outs: ["data/estimate/wave-${item.wave}"]
  split:
    cmd: python step.py data/split data/estimate data/intake
    params: [top]
    deps: [data/estimate, data/intake]
    outs: [data/split]
"""
PARAMS = 'waves: ["1", "2"]\nseed: 3\nleast: 1\ntop: 2\n'


def dvc(study: Path, *words: str) -> str:
    """The output of a dvc command that must succeed."""
    done = tool("dvc", *words, cwd=study)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(name="dvc")
def _dvc() -> Callable[..., str]:
    return dvc


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A study of seven instances with a diamond and a matrix, of which none ran yet."""
    (tmp_path / "study/told").mkdir(parents=True)
    files = {"step.py": STEP, "dvc.yaml": GRAPH, "params.yaml": PARAMS}
    return study_in(tmp_path / "study", files)


@pytest.fixture(scope="session")
def _finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = fresh.__wrapped__(tmp_path_factory.mktemp("finished"))  # type: ignore[attr-defined]
    dvc(study, "repro", "--quiet")
    return study


@pytest.fixture
def finished(_finished: Path, tmp_path: Path) -> Path:
    """The same after ``dvc repro``, which is serial; a copy that a test may change."""
    return shutil.copytree(_finished, tmp_path / "finished")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server that serves all tests, in Prefect's settings and ours."""
    from flows.servers.server import serve

    names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            patch.delenv(name, raising=False)
        patch.setenv("PREFECT_LOGGING_LEVEL", "WARNING")
        patch.setenv("PREFECT_HOME", str(tmp_path_factory.mktemp("prefect")))
        stop = serve(tmp_path_factory.mktemp("served"))
        url, login = os.environ["PREFECT_API_URL"], os.environ["PREFECT_API_AUTH_STRING"]
        # Where another test imported prefect before, the environment is read no more.
        from prefect.settings import (
            PREFECT_API_AUTH_STRING,
            PREFECT_API_URL,
            temporary_settings,
        )

        with temporary_settings({PREFECT_API_URL: url, PREFECT_API_AUTH_STRING: login}):
            yield url
        stop()
        for name in names:
            os.environ.pop(name, None)


@pytest.fixture
def client(server: str) -> Iterator[SyncPrefectClient]:
    """Who asks that server."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        yield client
