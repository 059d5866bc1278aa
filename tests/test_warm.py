"""What starts warm is what it would be cold (`tests.warm`)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.warm import started
from tests.watched import ended, finish, until, written

pytestmark = pytest.mark.xdist_group("real")  # its server serves here, too

TOLD = """
import json, os, sys
print(json.dumps([__name__, sys.argv[1:], sys.path[0], sys.stdin.read(), os.environ.get("MINE")]))
print("torch" in sys.modules, file=sys.stderr)
sys.exit(3)
"""
LINGERS = """
import os, pathlib, time
pathlib.Path("pid").write_text(str(os.getpid()))
time.sleep(36000)
"""
STARTS = {"warm": {}, "cold": {"PYTHONHASHSEED": "1"}}
"""Variables with which a stage starts so."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of which the server knows no module."""
    (tmp_path / "stages").mkdir()
    for name, code in {"__init__": "", "told": TOLD, "lingers": LINGERS}.items():
        (tmp_path / f"stages/{name}.py").write_text(code)
    return tmp_path


@pytest.mark.parametrize("how", STARTS)
def test_a_stage_is_told_the_same_and_ends_the_same(how: str, warm: Path, folder: Path) -> None:
    words = [warm / "python", "-m", "stages.told", "a word", "--more"]
    done = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"MINE": "x"} | STARTS[how],
        input="said",
        capture_output=True,
        text=True,
        check=False,
    )
    told = f'["__main__", ["a word", "--more"], "{folder}", "said", "x"]\n'
    assert (done.stdout, done.returncode) == (told, 3), done.stderr
    assert done.stderr == f"{how == 'warm'}\n"


def test_without_a_server_a_stage_starts_cold(folder: Path) -> None:
    before = psutil.Process().children()
    with started() as gone:
        (server,) = [child for child in psutil.Process().children() if child not in before]
        server.kill()
        server.wait()
        done = finish([str(gone / "python"), "-m", "stages.told"], folder)
    assert (done.returncode, done.stderr) == (3, "False\n")


def test_all_else_is_left_to_python(warm: Path, folder: Path) -> None:
    code = "import sys; print(sys.executable, 'torch' in sys.modules)"
    assert finish([str(warm / "python"), "-c", code], folder).stdout == f"{sys.executable} False\n"


@pytest.mark.parametrize("which", ["asks", "works"])
def test_who_asks_and_who_works_die_together(which: str, warm: Path, folder: Path) -> None:
    asks = subprocess.Popen([warm / "python", "-m", "stages.lingers"], cwd=folder, text=True)
    works = psutil.Process(int(written(folder / "pid", asks.pid)))
    assert works.pid != asks.pid
    os.kill(asks.pid if which == "asks" else works.pid, signal.SIGKILL)
    assert ended(asks) == -signal.SIGKILL
    until(lambda: not works.is_running())
