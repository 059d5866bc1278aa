"""MLflow is filled beside a flow, once more at its end, and never for longer than it may take."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flows.run import mirroring
from flows.run.instances import Instance
from flows.run.mirroring import Mirroring
from stages._runtime.mlflow_place import LOCK, all_shown
from tests.watched import until

PLACE = "assignment-ei/rotation-1/a"
SPLIT, TRAIN = (Instance(n, n, outs=(f"data/{n}/{PLACE}",)) for n in ("split", "train"))


def says(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(mirroring, "COMMAND", (sys.executable, "-c", code))


def test_it_is_called_after_a_training_and_at_the_end_if_more_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, "open('calls', 'a').write('.'); print('1 added')")
    monkeypatch.setattr(mirroring, "IDLE_S", 0)
    calls, said = tmp_path / "calls", list[str]()
    mirror = Mirroring(tmp_path, said.append)
    mirror.after(SPLIT)
    mirror.finish()
    assert not calls.exists() and said == []

    (tmp_path / "data/train" / PLACE).mkdir(parents=True)
    (tmp_path / "data/train" / PLACE / "repetitions.parquet").touch()
    mirror.look(idle=True)
    assert not calls.exists()  # only a split is new
    mirror.after(TRAIN)
    mirror.look(idle=False)
    until(lambda: calls.exists() and mirror.ended)
    mirror.after(TRAIN)
    mirror.look(idle=False)  # within a minute: not again
    assert mirror.ended
    mirror.look(idle=True)
    until(lambda: calls.read_text() == ".." and mirror.ended)
    mirror.look(idle=True)  # nothing is new
    mirror.after(TRAIN)
    mirror.finish()
    assert (calls.read_text(), said) == ("...", ["1 added"] * 3)

    mirror.finish()  # what failed is tried again
    (tmp_path / LOCK).parent.mkdir()
    (tmp_path / LOCK).write_text(all_shown(tmp_path))
    mirror.finish()
    assert calls.read_text() == "...."

    (tmp_path / "data/train" / PLACE / "repetitions.parquet").write_text("of another commit")
    mirror.finish()  # nothing ran, but DVC brought it
    assert calls.read_text() == "....."
    (tmp_path / LOCK).write_text(all_shown(tmp_path))

    mirror.after(Instance("node", "node", outs=(f"data/node/{PLACE}",)))
    (tmp_path / "data/train").rename(tmp_path / "data/node")  # it comes home at the end
    mirror.finish()
    assert calls.read_text() == "......"


def test_a_mirror_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "import time; time.sleep(36000)")
    monkeypatch.setattr(mirroring, "WAIT_S", 0.5)
    (tmp_path / "data/train" / PLACE).mkdir(parents=True)
    (tmp_path / "data/train" / PLACE / "repetitions.parquet").touch()
    said: list[str] = []
    Mirroring(tmp_path, said.append).finish()
    assert said == ["MLflow is not up to date after 0.5 s: eifer sync-tracking goes on"]
