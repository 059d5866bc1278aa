"""What a machine may use: from machine.yaml and EIFER_* variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eifer.errors import ParamsError
from eifer.faces.decoding import CPU
from stages._runtime.machine import FILE, PARAMS, Machine


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("EIFER_")]:
        monkeypatch.delenv(name)


def refusal() -> str:
    with pytest.raises(ParamsError) as caught:
        Machine()
    return str(caught.value)


def test_without_a_word_all_cores_are_used() -> None:
    assert (Machine().workers, Machine().decoder) == (len(os.sched_getaffinity(0)), CPU)


def test_the_file_is_read_and_a_variable_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    FILE.write_text("workers: 3\nhold: host\n")
    monkeypatch.setenv("EIFER_WORKERS", "5")
    assert (Machine().workers, Machine().hold) == (5, "host")


def test_faults_of_the_file_and_of_variables_are_named_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    FILE.write_text("worker: 3\ninstances: many\n")
    monkeypatch.setenv("EIFER_WORKERS", "0")
    said = refusal()
    assert "3 problems" in said
    assert all(
        name in said for name in ("worker", "instances", "workers", "known: workers, instances, ")
    )


@pytest.mark.parametrize("name", PARAMS)
@pytest.mark.parametrize("place", ["machine.yaml", "environment", "small letters"])
def test_what_can_change_a_result_is_no_setting_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, name: str, place: str
) -> None:
    if place == "machine.yaml":
        FILE.write_text(f"{name}: 1\n")
    else:
        variable = f"EIFER_{name.upper()}"
        monkeypatch.setenv(variable if place == "environment" else variable.lower(), "1")
    with pytest.raises(ParamsError, match=f"(?s)can change a result.*{name}.*section arithmetic"):
        Machine()


def test_what_can_change_a_result_is_a_parameter_of_the_stages_that_compute_with_it() -> None:
    """Whoever computes with torch declares it, and no stage reads more of the machine than this."""
    from flows.graph import declared, stage_of
    from stages.params import Arithmetic

    assert set(Arithmetic.model_fields) == set(PARAMS)
    assert not set(Machine.model_fields) & set(PARAMS)
    declared = {name for name in declared() if "arithmetic" in stage_of(name).params}
    # The report only names all params by their hash.
    assert declared - {"report"} == {
        "affect",
        "estimate",
        "pretrain_ei",
        "fine_tune_total",
        "train_total",
        "train_external",
        "evaluate",
        "evaluate_external",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("workers: [", "machine.yaml is not YAML"),
        ("- 3\n", "machine.yaml: a list"),
        ("3\n", "machine.yaml: a int"),
        ("workers: 1000000000", "workers"),
        ("instance_gib: .nan", "instance_gib"),
        ("instance_gib: .inf", "instance_gib"),
    ],
)
def test_a_file_that_is_none_is_refused(text: str, said: str) -> None:
    FILE.write_text(text)
    assert said in refusal() and len(refusal()) < 500


def test_a_folder_is_no_file_and_an_empty_file_says_nothing() -> None:
    FILE.mkdir()
    assert "not a file" in refusal()
    FILE.rmdir()
    FILE.write_text("# nothing yet\n")
    assert Machine().instances == 0


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1e9", "many"])
def test_a_variable_of_the_environment_has_bounds(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INSTANCE_GIB", "WORKERS"):
        monkeypatch.setenv(f"EIFER_{name}", value)
    assert "2 problems" in refusal()
