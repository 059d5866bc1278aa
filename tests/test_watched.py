"""What stands still is noticed, and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import watched

SLEEPER = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(36000)"


def test_a_process_that_does_nothing_is_a_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watched, "STILL_S", 0.0)
    (tmp_path / "pid").touch()

    with pytest.raises(watched.Hung, match="no progress"):
        watched.finish([sys.executable, "-c", SLEEPER], tmp_path)

    if pid := (tmp_path / "pid").read_text():  # killed before it had begun
        assert not psutil.pid_exists(int(pid))


def test_what_gets_on_and_never_comes_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "LONGEST_S", 0.2)
    with pytest.raises(watched.Hung, match="it has not come"):
        watched.until(lambda: False)


def test_a_thread_beside_hands_over_what_it_made_or_raised() -> None:
    assert watched.beside(max, 1, 2).result(watched.STILL_S) == 2
    with pytest.raises(ValueError, match="empty"):
        watched.beside(max, ()).result(watched.STILL_S)
    with pytest.raises(ValueError, match="empty"):
        watched.until(lambda: False, works=[watched.beside(max, ())])


def test_what_works_or_speaks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "STILL_S", 0.0)
    progress = iter([(1, 2), (1, 3), (4, 3)])
    watch = watched.Watch(os.getpid())
    monkeypatch.setattr(watch, "_progress", lambda: [next(progress)])

    for _ in range(3):
        watch.look()


def test_a_command_ends_with_all_it_said(tmp_path: Path) -> None:
    words = "import sys; print('x' * 100_000, flush=True); sys.exit('why')"

    apart = watched.finish([sys.executable, "-c", words], tmp_path)
    together = watched.finish([sys.executable, "-c", words], tmp_path, together=True)

    assert (apart.returncode, len(apart.stdout), apart.stderr) == (1, 100_001, "why\n")
    assert sorted(together.stdout.split()) == ["why", "x" * 100_000]


def test_what_has_ended_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "ENDED_S", 0.2)
    process = subprocess.Popen([sys.executable, "-c", ""], text=True)
    with pytest.raises(AssertionError, match="ended, and what was waited for had not come"):
        watched.until(lambda: False, process.pid)
    assert watched.ended(process) == 0
