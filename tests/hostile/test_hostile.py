"""Every door, and what somebody may put before it: a refusal in words, in little time and memory.

Each file is opened in a process of its own (`tests.hostile.doors`), so that one that hangs or
crashes it is a test that fails, and not the end of the tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.eifer.cohort.conftest import write_cohort
from tests.hostile import doors
from tests.hostile.doors import DOORS, LIMIT_S, MOST_MIB, WRONG
from tests.hostile.files import FILES

ROOT = Path(__file__).parents[2]
LONGEST = 4000
"""Characters of a refusal: five examples of a few kinds."""

pytestmark = [
    pytest.mark.xdist_group("hostile"),  # the libraries are imported once
    pytest.mark.filterwarnings("ignore:Sparse invariant checks"),
]
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    folder = tmp_path_factory.mktemp("doors")
    with subprocess.Popen(
        [sys.executable, Path(doors.__file__)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def asked(door: str, path: Path, limit_s: float = LIMIT_S) -> dict[str, Any]:
            print(json.dumps([door, str(path), limit_s]), file=process.stdin, flush=True)
            result: dict[str, Any] = json.loads(process.stdout.readline())
            return result

        yield asked
        process.stdin.close()
        try:
            process.wait(2 * LIMIT_S)
        finally:
            process.kill()  # where it hangs
    assert not list(folder.iterdir()), "something ran or was unpacked"


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("which", FILES)
def test_a_hostile_file_is_refused_in_words(which: str, ask: Ask, tmp_path: Path) -> None:
    file = FILES[which]
    opened = path = tmp_path / file.name
    if file.door == "cohort":
        opened = write_cohort(tmp_path / "cohort")
        path = opened / file.name
        path.unlink(missing_ok=True)
    file.make(path)
    before = files(tmp_path)
    result = ask(file.door, opened)
    assert result["how"] == "refused", result
    message = result["message"]
    named = "model.bin in the package x==1" if file.door == "wheel" else file.name
    assert named in message and file.words in message, message
    assert len(message) < LONGEST and all(c.isprintable() or c in "\n\t" for c in message), message
    assert result["s"] < LIMIT_S and result["mib"] < MOST_MIB, result
    assert files(tmp_path) == before


@pytest.mark.parametrize("how", WRONG)
def test_what_hangs_crashes_bloats_or_is_taken_is_told(how: str, ask: Ask, tmp_path: Path) -> None:
    result = ask(how, tmp_path, 3.0)
    assert result["how"] == how and result["s"] < LIMIT_S
    assert (result["mib"] > MOST_MIB) is (how == "accepted")


def test_there_are_files_for_every_door() -> None:
    number = Counter(file.door for file in FILES.values())
    assert set(number) == set(DOORS) and min(number.values()) >= 4 and number.total() >= 60
