"""What a person is told after a run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from eifer.errors import StudyError
from eifer.tables.attrition import ATTRITION, images_left_out
from eifer.tables.comparison import BY_PARTICIPANT, COMPARISON, STEPS
from eifer.tables.evaluation import METRICS_OF_ITEMS, SUMMARY
from eifer.tables.expressions import DUPLICATES, RELABELLED, TRUTH
from eifer.tables.partitions import CLASS_COLUMNS, PARTITIONS
from flows.graph import ROOT
from flows.pages import summary
from flows.pages.summary import show, tables
from stages._runtime import data_docs
from stages._runtime.artifacts import write_json, write_table
from stages._runtime.kinds import EI, KINDS, Kind
from tests.corpora import world
from tests.rows import row


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(ROOT / "presets/demo.yaml", tmp_path / "params.yaml")
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
                "methods": "Did 42 things [@sun2014].",
                "results": "",
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
    counts = {"rotation": "1", "n_videos": 4, "n_frames": 17} | dict.fromkeys(CLASS_COLUMNS, 5)
    write_table(
        split / "partitions.parquet",
        PARTITIONS.frame(
            [
                {"participant_id": f"sub-{number}", "group": group, "partition": partition}
                | counts
                for number, group, partition in (
                    ("01", "High", "train"), ("02", "Low", "train"), ("03", "Low", "test")
                )
            ]
        ),
    )  # fmt: skip
    return tmp_path


def scored(tests: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Every model's metrics in these tests, each a task and a condition."""
    told = {"mean": 0.8123, "sd": 0.0456, "n_repetitions": 5, "n_used": 5}
    return SUMMARY.frame(
        [
            row(SUMMARY, **told, task=task, condition=condition, training_group=model, metric=name)
            for task, condition in tests
            for model in ("High", "Low", "Total", "Affect")
            for name in METRICS_OF_ITEMS
        ]
    )


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
    assert said.index("Title of extract") < said.index("Title of split")
    assert "Did 42 things." in said
    assert "extract frame eyes_closed 20 2 2" in said
    # Reasons that differ in their numbers only are one line.
    assert "extract frame … of … s 20 2 2" in said
    assert "1 train High 1 4 17 5, 5 5, 5 01" in said
    assert "1 test Low 1 4 17 5, 5 5, 5 03" in said
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


def test_outputs_without_pages_of_their_checks_are_named(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    outs = {"extract@1": "data/extract/wave-1", "split": "data/split"}
    entries = {
        address: {"cmd": "x", "outs": [{"path": path, "md5": address, "hash": "md5"}]}
        for address, path in outs.items()
    }
    (study / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": entries}))
    monkeypatch.setattr("flows.pages.summary.unlike", lambda *_: [])
    start = "Great Expectations' pages of these checks: "

    def said() -> str:
        show(Path())
        (line,) = (x for x in capsys.readouterr().out.splitlines() if x.startswith(start))
        return line.removeprefix(start)

    assert said().startswith("none; without: data/extract/wave-1, data/split (restored by DVC")
    records = {}
    used = dict.fromkeys(("wall_s", "cpu_s", "peak_rss_mb"), 1)
    for address, path in outs.items():
        records[address] = study / f"runs/provenance/1_{address}.json"
        records[address].parent.mkdir(parents=True, exist_ok=True)
        made = {"dvc": {"outs": {path: {"md5": address}}}}
        write_json(records[address], {"stage": address, **used, **made})
        data_docs.write(address, {}, records[address])
    assert said() == str(data_docs.INDEX)
    # Another execution made what is there now; and one that broke a promise made nothing.
    text = records["split"].read_text()
    records["split"].write_text(text.replace('"md5": "split"', '"md5": "former"'))
    assert said().startswith(f"{data_docs.INDEX}; without: data/split (")
    records["split"].write_text(text)
    data_docs.write("split", {})
    assert said().startswith(f"{data_docs.INDEX}; without: data/split (")


def test_a_study_that_stopped_half_way_is_told_as_far_as_it_came(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(study / "data/split")
    said = lines(study, capsys)
    assert "Title of extract" in said and "Title of split" not in said


def test_a_json_file_is_a_source_as_well(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = study / "spec.yml"
    shown = {"table": "known", "of": ["disjointness"], "terminal": True}
    spec.write_text(yaml.safe_dump({"sections": [{"show": [shown]}]}))
    write_json(study / "data/split/disjointness.json", {"shared": 0})
    seen: dict[str, object] = {}
    monkeypatch.setattr(summary, "ROOT", study)
    kind = replace(KINDS[EI], spec="spec.yml")
    monkeypatch.setattr(summary, "kind_of", lambda *_: kind)
    monkeypatch.setattr(summary, "printed", lambda _, given, where: seen.update(given) or [])
    assert tables(study) == []
    assert seen["disjointness"] == {"shared": 0}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_table_for_the_terminal_is_made_of_what_the_summary_reads(kind: Kind) -> None:
    spec = yaml.safe_load((ROOT / kind.spec).read_text())
    items = [item for section in spec["sections"] for item in section.get("show", [])]
    read = {made.name.partition(".")[0] for f in kind.catalogue.FOLDERS for made in f.made}
    read |= {made.table.name for f in kind.catalogue.FOLDERS for made in f.made if made.table}
    for item in items:
        if item.get("terminal"):
            assert set(item["of"]) <= read | set(kind.sources) | {"attrition"}, item


def test_the_reports_short_tables_are_uncut_where_there_is_no_terminal(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    tests = [(t, c) for t in ("arousal", "valence") for c in ("baseline", "unambiguous")]
    # As wide as such numbers get.
    numbers = {"delta": -0.0123, "ci_low": -0.1234, "ci_high": 0.1234}
    ratio = {"odds_ratio": 12.345, "ci_low": 10.123, "ci_high": 123.456, "q": 0.0001}
    compared = {f"pooled_{name}": value for name, value in numbers.items()}
    compared |= {f"gee_{name}": value for name, value in ratio.items()}
    compared |= {"mean_delta": -0.0123, "fisher_q": 0.0001, "warnings": "one\ntwo"}
    verdict = "inconclusive: 4 participants allow no p below 0.125"
    tested = numbers | {"t_q": 0.0001, "sign_flip_p": 0.125, "null_p": 0.01, "verdict": verdict}
    places = [
        {"task": task, "condition": condition, "contrast": contrast}
        for task, condition in tests
        for contrast in ("High-Low", "High-Total")
    ]
    models = [row(COMPARISON, **place, **compared) for place in places]
    people = [
        row(BY_PARTICIPANT, **place, **tested, models=step, role="exploratory", null_n=99)
        for step in STEPS
        for place in places
    ]
    for name, table, frame in (
        ("evaluate/assignment-ei", "summary", scored(tests)),
        ("stats", "by_participant", BY_PARTICIPANT.frame(people)),
        ("stats", "comparison", COMPARISON.frame(models)),
    ):
        shutil.copytree(study / "data/split", study / "data" / name, dirs_exist_ok=True)
        write_table(study / "data" / name / f"{table}.parquet", frame)
    said = lines(study, capsys)
    titles = [shown.title for shown in tables(study)]
    assert len(titles) == 6 and titles[0].startswith("Primary") and "Table 3" in titles[-1]
    assert [line for line in said if line in titles] == titles
    for shown in tables(study):
        # The first row as the page has it, whole: no number is cut.
        first = " ".join(shown.rows[0]).split(":")[0]  # a long verdict goes on below
        assert any(line.startswith(first) for line in said), shown.name
    assert "data checks passed" in said[-1]


def test_an_expressions_study_tells_of_its_own_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shutil.copy(ROOT / "studies/expressions.yaml", tmp_path / "dvc.yaml")
    preset = (ROOT / "presets/expressions.yaml").read_text()
    (tmp_path / "params.yaml").write_text(preset)
    found = world().evaluated()
    for name in ("evaluate", "draw", "duplicates", "relabel", "corpora"):
        (tmp_path / "data" / name).mkdir(parents=True)
    report = {"stage": "evaluate", "item": {}, "title": "Title of evaluate", "results": ""}
    write_json(tmp_path / "data/evaluate/report.json", report | {"methods": "", "numbers": {}})
    write_table(tmp_path / "data/evaluate/matrix.parquet", found.matrix)
    write_table(tmp_path / "data/evaluate/contrasts.parquet", found.contrasts)
    for name, table in (
        ("draw/planted", TRUTH),
        ("duplicates/duplicates", DUPLICATES),
        ("relabel/relabelled", RELABELLED),
    ):
        write_table(tmp_path / f"data/{name}.parquet", table.empty())
    said = lines(tmp_path, capsys)
    rows = found.matrix.query(
        "trained_on == 'merged' and tested_on == 'all' and images == 'real' "
        "and target == 'original'"
    )
    mean, sd = rows["accuracy"].mean(), rows["accuracy"].std()
    (line,) = [line for line in said if line.startswith("cnn48 merged")]
    assert line.startswith(f"cnn48 merged {mean:.3f} ({sd:.3f})")
    titles = [shown.title for shown in tables(tmp_path)]
    assert titles == ["What was planted, and what was found", "Training sets"]
    assert [shown.title for shown in tables(tmp_path, {"evaluate"})] == ["Training sets"]
    # What is left out is told by the flow, too, once a stage left something out.
    left = images_left_out("webcam", {"picture cannot be decoded": 2})
    write_table(tmp_path / "data/corpora/attrition.parquet", left)
    (told,) = (shown for shown in tables(tmp_path, {"corpora"}))
    assert told.title == "What was left out, and why"
    assert told.rows == [["corpora", "webcam", "picture cannot be decoded", "2"]]
    (tmp_path / "data/corpora/attrition.parquet").unlink()
    # Of real corpora nothing was planted, whatever an earlier study left.
    (tmp_path / "params.yaml").write_text(preset.replace("faces: [drawn]", "faces: []"))
    assert [shown.title for shown in tables(tmp_path)] == ["Training sets"]
