"""What a machine may use: from machine.yaml and EIFER_* variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eifer.errors import ParamsError
from stages._runtime.machine import Machine


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("EIFER_")]:
        monkeypatch.delenv(name)
    return tmp_path


def test_without_a_word_all_cores_are_used() -> None:
    assert Machine().workers == len(os.sched_getaffinity(0))


def test_the_file_is_read_and_a_variable_wins(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "machine.yaml").write_text("workers: 3\ndevice: cpu\n")
    monkeypatch.setenv("EIFER_WORKERS", "5")
    assert (Machine().workers, Machine().device) == (5, "cpu")


def test_faults_of_the_file_and_of_variables_are_named_together(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "machine.yaml").write_text("worker: 3\nbatch: many\n")
    monkeypatch.setenv("EIFER_WORKERS", "0")
    with pytest.raises(ParamsError) as caught:
        Machine()
    said = str(caught.value)
    assert "3 problems" in said
    assert all(
        name in said for name in ("worker", "batch", "workers", "known: workers, instances, ")
    )


def test_a_named_device_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_DEVICE", "cpu")
    assert Machine().torch_device() == "cpu"
