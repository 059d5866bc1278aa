"""dvc.lock that was lost or cut comes back, and what DVC has written since stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from flows.run import lockfile


@pytest.fixture
def kept(finished: Path) -> Path:
    lockfile.keep(finished, "split")
    assert (finished / lockfile.COPY).read_bytes() == (finished / "dvc.lock").read_bytes()
    return finished


def cut(lock: bytes, after: bytes) -> bytes:
    return lock[: lock.index(after)]


def test_a_whole_one_is_left_alone(kept: Path) -> None:
    before = (kept / "dvc.lock").read_bytes()
    assert lockfile.mend(kept) is None
    assert (kept / "dvc.lock").read_bytes() == before


@pytest.mark.parametrize("how", ["lost", "empty", "broken", "dangling", "shorter"])
def test_what_was_lost_comes_back(kept: Path, how: str) -> None:
    lock = kept / "dvc.lock"
    before = lock.read_bytes()
    wrong = {
        "empty": b"",
        "broken": cut(before, b"estimate@1:") + b"esti",
        # Valid YAML, but not what DVC takes for a lock.
        "dangling": cut(before, b"      params.yaml:"),
        # Valid, and shorter: nothing in the file says so.
        "shorter": cut(before, b"  estimate@1:"),
    }
    lock.unlink()
    if how in wrong:
        lock.write_bytes(wrong[how])
    lost = 3 if how == "shorter" else 7
    assert f"had lost {lost} entries" in (lockfile.mend(kept) or "")
    assert lock.read_bytes() == before


def test_what_the_graph_has_no_more_stays_where_it_is(kept: Path) -> None:
    before = (kept / "dvc.lock").read_bytes()
    lockfile.order(kept, ["intake", "affect", "extract@1", "estimate@1", "split"])
    assert (kept / "dvc.lock").read_bytes() == before
    lockfile.order(kept, ["affect", "split", "intake"])
    assert list(lockfile._entries((kept / "dvc.lock").read_text())) == [
        *("affect", "split", "extract@1", "extract@2", "estimate@1", "estimate@2", "intake"),
    ]


def test_newer_entries_win_over_the_copy(kept: Path, dvc: Callable[..., str]) -> None:
    lock = kept / "dvc.lock"
    (kept / "params.yaml").write_text(
        (kept / "params.yaml").read_text().replace("seed: 3", "seed: 4")
    )
    dvc(kept, "repro", "--quiet", "affect")
    entries = lock.read_bytes()
    lock.write_bytes(cut(entries, b"  split:"))
    assert "1 entries (split)" in (lockfile.mend(kept) or "")
    assert lock.read_bytes() == entries


def test_a_torn_one_is_not_kept(kept: Path) -> None:
    lock = kept / "dvc.lock"
    before = lock.read_bytes()
    lock.write_bytes(cut(before, b"  estimate@2:"))
    lockfile.keep(kept, "intake")
    assert (kept / lockfile.COPY).read_bytes() == before


def test_without_a_copy_the_cache_restores(finished: Path, dvc: Callable[..., str]) -> None:
    before = (finished / "dvc.lock").read_text()
    (finished / "dvc.lock").write_text("schema: '2.0'\nstages:\n  in")
    assert lockfile.mend(finished) == lockfile.NO_COPY
    told = dvc(finished, "repro")
    assert "Running stage" not in told
    assert (finished / "dvc.lock").read_text() == before


def test_a_zombie_holds_no_file(kept: Path, dvc: Callable[..., str]) -> None:
    """DVC heals a note of a dead process, but not of one that nobody has reaped."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(dead.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    mine, gone = ({"pid": pid, "cmd": "dvc repro"} for pid in (os.getpid(), dead.pid))
    out = str(kept / "data/affect")
    notes = {"write": {out: gone}, "read": {"a": [gone, mine], "b": [gone]}}
    (kept / lockfile.IN_USE).write_text(json.dumps(notes))
    lockfile.mend(kept)
    told = json.loads((kept / lockfile.IN_USE).read_text())
    assert told == {"write": {}, "read": {"a": [mine]}}
    dvc(kept, "repro", "--quiet", "--single-item", "affect")
    dead.wait()


def test_state_of_dvc_that_was_cut_is_removed(kept: Path, dvc: Callable[..., str]) -> None:
    (kept / ".dvc/tmp/rwlock").write_text('{"write": {')
    lockfile.mend(kept)
    dvc(kept, "repro", "--quiet", "--single-item", "affect")
