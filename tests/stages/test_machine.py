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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers: [", "machine.yaml is not YAML"),
        ("- 3\n", "machine.yaml: a list"),
        ("3\n", "machine.yaml: a int"),
        ("workers: 1\nworkers: 2\n", "'workers' again"),
        (f"workers: {5000 * '9'}", "none of its type"),
        ("workers: &a [*a]", "stands in itself"),
        ("workers: 1000000000", "workers"),
        ("instance_gib: .nan", "instance_gib"),
        ("instance_gib: .inf", "instance_gib"),
        ("\x00", "machine.yaml is not YAML"),
    ],
)
def test_a_file_that_is_none_is_refused(elsewhere: Path, text: str, said: str) -> None:
    (elsewhere / "machine.yaml").write_text(text)
    with pytest.raises(ParamsError) as caught:
        Machine()
    assert said in str(caught.value) and len(str(caught.value)) < 500


def test_a_folder_is_no_file_and_an_empty_file_says_nothing(elsewhere: Path) -> None:
    (elsewhere / "machine.yaml").mkdir()
    with pytest.raises(ParamsError, match="not a file"):
        Machine()
    (elsewhere / "machine.yaml").rmdir()
    (elsewhere / "machine.yaml").write_text("# nothing yet\n")
    assert Machine().batch == 128


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e9", "many"])
def test_a_variable_of_the_environment_has_bounds(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INSTANCE_GIB", "WORKERS"):
        monkeypatch.setenv(f"EIFER_{name}", value)
    with pytest.raises(ParamsError, match="2 problems"):
        Machine()


def test_a_named_device_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_DEVICE", "cpu")
    assert Machine().torch_device() == "cpu"
