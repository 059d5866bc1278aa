"""params.yaml: everything wrong with it is said at once, with the nearest name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from eifer.errors import ParamsError
from flows.graph import ROOT
from stages.params import load_params

Change = Callable[[dict[str, Any]], None]


def write(folder: Path, change: Change) -> Path:
    content = yaml.safe_load((ROOT / "presets/demo.yaml").read_text())
    change(content)
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def complaint(path: Path) -> str:
    with pytest.raises(ParamsError) as caught:
        load_params(path)
    return str(caught.value)


def refused(folder: Path, change: Change) -> str:
    return complaint(write(folder, change))


@pytest.mark.parametrize("preset", sorted(p.name for p in (ROOT / "presets").glob("*.yaml")))
def test_presets_are_valid(preset: str) -> None:
    assert load_params(ROOT / "presets" / preset).study.seed >= 0


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["select"]["topp"] = content["select"].pop("top")
        content["extract"]["quality"]["min_presense"] = 0.5
        content["studdy"] = {}
        content["select"]["frames_per_video"] = 0
        content["split"]["task_frames"] = "some"

    said = refused(tmp_path, change)
    assert "6 problems" in said
    assert "select.topp; did you mean 'top'?" in said
    assert "extract.quality.min_presense; did you mean 'min_presence'?" in said
    assert "studdy; did you mean 'study'?" in said
    assert "parameter missing (1): select.top" in said
    assert "select.frames_per_video = 0" in said
    assert "split.task_frames = 'some'" in said


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("study", "seed", "7"),
        ("study", "seed", 7.5),
        ("study", "waves", []),
        ("study", "waves", ["one two"]),
        ("study", "waves", [1]),
        ("study", "exclude", [{"participant": "sub-01"}]),
        ("select", "top", 0),
        ("select", "top", True),
        ("simulate", "planted", None),
        ("corpus", "drawn", None),
        ("affect", "training", None),
        ("affect", "sha256", "not a hash"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(
    tmp_path: Path, section: str, name: str, value: object
) -> None:
    said = refused(tmp_path, lambda content: content[section].update({name: value}))
    assert section in said


def test_a_date_where_text_belongs_is_text(tmp_path: Path) -> None:
    path = write(tmp_path, lambda content: None)
    path.write_text(path.read_text().replace("name: demo", "name: 2026-03-02"))
    assert load_params(path).study.name == "2026-03-02"


def test_a_real_cohort_needs_nothing_planted(tmp_path: Path) -> None:
    path = write(tmp_path, lambda c: c["simulate"].update(cohorts=[], planted=None))
    assert load_params(path).simulate.planted is None


@pytest.mark.parametrize("text", ["", "[1, 2]", "study: [", "\x00"])
def test_what_is_no_params_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.yaml").write_text(text)
    assert "params.yaml" in complaint(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    assert "presets/" in complaint(tmp_path / "params.yaml")


def test_bytes_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"study: \xff")
    assert "not YAML" in complaint(tmp_path / "params.yaml")
