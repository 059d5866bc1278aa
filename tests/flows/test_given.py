"""What a study is given is looked at before DVC hashes it, which could hang or ask a network."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from eifer.errors import InputError, StudyError
from flows.run.given import sound_instances

GRAPH = """stages:
  read:
    cmd: "true"
    deps: ["{}"]
    outs: [data/read]
  next:
    cmd: "true"
    deps: [data/read]
    outs: [data/next]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    from dvc.repo import Repo  # type: ignore[import-untyped]

    folder = tmp_path / "study"
    (folder / "given/derivatives").mkdir(parents=True)
    (folder / "given/file").write_text("")
    Repo.init(str(folder), no_scm=True).close()
    return folder


def of(study: Path, dep: str) -> Path:
    (study / "dvc.yaml").write_text(GRAPH.format(dep))
    return study


@pytest.mark.parametrize("dep", ["given", "given/file", "still/to/come"])
def test_files_and_folders_are_no_fault(study: Path, dep: str) -> None:
    assert list(sound_instances(of(study, dep))) == ["read", "next"]


def test_what_a_stage_made_is_not_looked_through(study: Path) -> None:
    (study / "data/read").mkdir(parents=True)
    os.mkfifo(study / "data/read/pipe")
    sound_instances(of(study, "given"))


@pytest.mark.parametrize(
    ("dep", "pipe", "said"),
    [
        ("given", "given/derivatives/pipe", "given/derivatives/pipe (FIFO)"),
        ("given/pipe", "given/pipe", "pipe (FIFO)"),
    ],
)
def test_a_fifo_is_named_before_dvc_waits_for_it(
    study: Path, dep: str, pipe: str, said: str
) -> None:
    os.mkfifo(study / pipe)
    with pytest.raises(InputError) as caught:
        sound_instances(of(study, dep))
    assert said in str(caught.value)


@pytest.mark.parametrize("dep", [".", "..", "/"])
def test_a_folder_that_holds_the_study_is_refused_and_not_walked(study: Path, dep: str) -> None:
    with pytest.raises(StudyError):  # DVC itself refuses the study's own folder
        sound_instances(of(study, dep))


@pytest.mark.parametrize("dep", ["http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "http:"])
def test_a_url_is_refused_and_not_asked_for(
    study: Path, dep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))
    with pytest.raises(StudyError):
        sound_instances(of(study, dep))
    assert not asked
