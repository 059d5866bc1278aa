"""What a person is told after a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eifer.errors import StudyError
from eifer.tables.attrition import ATTRITION
from eifer.tables.partitions import CLASS_COLUMNS, PARTITIONS
from flows.summary import show
from stages._runtime.artifacts import write_json, write_table


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    extract, split = tmp_path / "data/extract/wave-1", tmp_path / "data/split"
    for folder, item in ((extract, {"wave": "1"}), (split, {})):
        folder.mkdir(parents=True)
        name = folder.relative_to(tmp_path / "data").parts[0]
        write_json(
            folder / "report.json",
            {
                "stage": name,
                "item": item,
                "title": f"Title of {name}",
                "methods": "Did 42 things.",
                "numbers": {},
            },
        )
        write_json(folder / "checks.json", [{"success": True}, {"success": name == "split"}])
    rejected = {"level": "frame", "what": "frames", "n": 10}
    write_table(
        extract / "attrition.parquet",
        ATTRITION.frame(
            [
                rejected | {"participant_id": who, "video_id": f"{who}_run-1", "reason": reason}
                for who, reason in (
                    ("sub-01", "eyes_closed"), ("sub-02", "eyes_closed"), ("sub-02", "12 of 20 s"),
                    ("sub-03", "13.5 of 20 s"),
                )
            ]
        ),
    )  # fmt: skip
    write_table(
        split / "partitions.parquet",
        PARTITIONS.frame(
            [
                {"participant_id": f"sub-{number}", "group": group, "partition": partition}
                | {"n_videos": 4, "n_frames": 17}
                | dict.fromkeys(CLASS_COLUMNS, 5)
                for number, group, partition in (
                    ("01", "High", "train"), ("02", "Low", "train"), ("03", "Low", "test")
                )
            ]
        ),
    )  # fmt: skip
    return tmp_path


def lines(study: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    show(study)
    # Without the rules of the tables, and each run of blanks as one.
    text = capsys.readouterr().out.replace("│", " ").replace("┃", " ")
    return [" ".join(line.split()) for line in text.splitlines()]


def test_nothing_to_tell_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no results in .*; run `make demo`"):
        show(tmp_path)


def test_methods_exclusions_partitions_and_checks_are_told(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = lines(study, capsys)
    # Stages come in the order of the graph, not of the alphabet.
    assert said.index("Title of extract (wave 1)") < said.index("Title of split")
    assert "Did 42 things." in said
    assert "extract frame 20 2 eyes_closed" in said
    # Reasons that differ in their numbers only are one line.
    assert "extract frame 20 2 … of … s" in said
    assert "train 1 1 34 01, 02" in said
    assert "test 0 1 17 03" in said
    assert any(line.startswith("3 of 4 data checks passed") for line in said)


def test_only_the_latest_run_of_a_stage_is_timed(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = study / "runs/provenance"
    records.mkdir(parents=True)
    for day, stage, wall in (("01", "split", 99.0), ("02", "split", 3.0), ("02", "extract@1", 5.5)):
        record = {"stage": stage, "wall_s": wall, "cpu_s": 2 * wall, "peak_rss_mb": 120.4}
        write_json(records / f"202601{day}T000000_{stage}.json", record)
    said = lines(study, capsys)
    assert "split 3.0 6.0 120" in said
    assert "all 8.5 17.0" in said
    assert json.loads(next(records.glob("20260101*")).read_text())["wall_s"] == 99.0


def test_a_study_that_stopped_half_way_is_told_as_far_as_it_came(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (study / "data/split").iterdir():
        path.unlink()
    said = lines(study, capsys)
    assert "Title of extract (wave 1)" in said and "Title of split" not in said
