"""What happens around every stage, with small stages made up here."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import torch

from eifer.errors import ContractError, ParamsError, StudyError
from eifer.seeding import sub_seed
from eifer.tables.schema import Column, Table, rule
from eifer.training.weights import save_weights
from flows.graph import ROOT, declared, stage_of
from stages._runtime import artifacts
from stages._runtime.artifacts import read_table, write_table
from stages._runtime.places import Folder, Given
from stages._runtime.privacy import FOLDERS
from stages._runtime.provenance import sealed
from stages._runtime.stage import UNWRITABLE, Outcome, Report, Run, Stage, stage


@rule("", "")
def known(table: pd.DataFrame, words: pd.DataFrame) -> pd.DataFrame:
    """A word is one of words."""
    return table[~table["word"].isin(words["word"])]


STAGES = list(declared())
WORDS = Table(
    "words", "Words.", ("word",), (Column("word", "string", "one"), Column("n", "int 0..", "n"))
)
COLUMNS = (Column("word", "string", "a word of words"),)
ECHOES = Table("echoes", "Words again.", ("word",), COLUMNS, rules=(known,))
SPOKEN = Given("in/words.parquet", WORDS)
ECHO = Folder("echo", wave="${study.waves}")
HEARD = ECHO.table("echoes.parquet", ECHOES)
REPORT = Report("Said with   real\n values.", {"words": 2})


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params and an input; stages run in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EIFER_WORKERS", "1")
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Path("params.yaml").write_text((ROOT / "presets/demo.yaml").read_text())
    Path("in").mkdir()
    speak("a", "b")
    return tmp_path


def speak(*words: str, n: int = 1) -> None:
    frame = pd.DataFrame({"word": list(words), "n": [n] * len(words)})
    write_table(Path("in/words.parquet"), frame)


def hear(run: Run) -> pd.DataFrame:
    return run.read(SPOKEN)[["word"]]


@stage(ECHO, params=("study.seed",), given=(SPOKEN,))
def echo(run: Run) -> Outcome:
    return Outcome({HEARD: hear(run)}, REPORT)


def words(path: str) -> list[str]:
    return read_table(Path(path), ECHOES)["word"].tolist()


def left() -> list[str]:
    """What a failed run left in data, in files."""
    return sorted(path.as_posix() for path in Path("data").rglob("*") if path.is_file())


def contents() -> dict[str, bytes]:
    return {name: Path(name).read_bytes() for name in left()}


def test_a_stage_decodes_by_what_the_machine_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIFER_DECODER", "unset below")  # so that it is put back
    monkeypatch.delenv("EIFER_DECODER")
    Path("machine.yaml").write_text("decoder: cuda\n")
    named, whole = [], echo.function
    monkeypatch.setattr(
        echo, "function", lambda run: named.append(os.environ["EIFER_DECODER"]) or whole(run)
    )
    echo({"wave": "1"})
    assert named == ["cuda"]


def test_a_stage_writes_its_folder_with_checks_and_report() -> None:
    echo({"wave": "1"})
    assert words("data/echo/wave-1/echoes.parquet") == ["a", "b"]
    report = json.loads(Path("data/echo/wave-1/report.json").read_text())
    assert report == {
        "stage": "echo",
        "item": {"wave": "1"},
        "title": "What happens around every stage, with small stages made up here",
        "methods": "Said with real values.",
        "results": "",
        "numbers": {"words": 2},
    }
    checks = json.loads(Path("data/echo/wave-1/checks.json").read_text())
    assert {"words", "echoes"} == {line["table"] for line in checks}
    # Compared with what the stage read, so the rule between the two tables was checked.
    assert "known" in {line["about"] for line in checks}
    assert all(line["success"] and line["times"] == 1 for line in checks)
    assert [p.name for p in Path("data/echo").iterdir()] == ["wave-1"]
    names = {"echoes.parquet", "checks.json", "report.json"}
    assert {p.name for p in Path("data/echo/wave-1").iterdir()} == names
    (record,) = Path("runs/provenance").iterdir()
    assert json.loads(record.read_text())["stage"] == "echo@1"


def test_twice_gives_the_same_bytes() -> None:
    echo({"wave": "1"})
    before = contents()
    echo({"wave": "1"})
    assert contents() == before


def test_a_new_result_takes_the_place_of_the_old_one_whole() -> None:
    echo({"wave": "1"})
    Path("data/echo/wave-1/left_behind").touch()
    speak("c")
    echo({"wave": "1"})
    assert words("data/echo/wave-1/echoes.parquet") == ["c"]
    assert not Path("data/echo/wave-1/left_behind").exists()


def failing(kind: str) -> Stage:
    """A stage called echo that fails in one way after it has begun to write."""

    folder = Folder("echo", wave="${study.waves}")
    heard_as, note = folder.table("echoes.parquet", ECHOES), folder.file("note.json")

    def echo(run: Run) -> Outcome:
        run.out(note).write_text("half")
        heard = hear(run)
        if kind == "raises":
            raise RuntimeError("power")
        if kind == "interrupted":
            raise KeyboardInterrupt
        extra = pd.DataFrame({"word": ["a" if kind == "twice" else "unheard of"]})
        return Outcome({heard_as: pd.concat([heard, extra]), note: None}, REPORT)

    return stage(folder, params=("study.seed",), given=(SPOKEN,))(echo)


@pytest.mark.parametrize(
    ("kind", "error", "said"),
    [
        ("twice", ContractError, "one row for each word: 2 of 3 rows break this: word=a"),
        ("unknown", ContractError, "A word is one of words: 1 of 3 rows break this: word=unheard"),
        ("raises", RuntimeError, "power"),
        ("interrupted", KeyboardInterrupt, None),
    ],
)
def test_a_failure_leaves_what_was_there(
    kind: str, error: type[BaseException], said: str | None
) -> None:
    with pytest.raises(error, match=said):
        failing(kind)({"wave": "1"})
    assert left() == []
    echo({"wave": "1"})
    before = left()
    with pytest.raises(error, match=said):
        failing(kind)({"wave": "1"})
    assert left() == before
    assert words("data/echo/wave-1/echoes.parquet") == ["a", "b"]
    assert len(list(Path("runs/provenance").iterdir())) == 1
    # Apart from those that made something, and of an interruption without hashing what was read.
    for file in Path("runs/failed").iterdir():
        record = json.loads(file.read_text())
        assert (record["stage"], record["made"]) == ("echo@1", {})
        assert record["error"].startswith(f"{error.__name__}: ")
        assert bool(record["given"]) == (kind != "interrupted")
    assert len(list(Path("runs/failed").iterdir())) == 2


def test_bad_params_fail_before_anything_is_touched_and_are_recorded_too() -> None:
    echo({"wave": "1"})
    before = left()
    Path("params.yaml").write_text("study: {3\n")
    with pytest.raises(ParamsError, match=r"params\.yaml"):
        echo({"wave": "1"})
    assert left() == before
    (file,) = Path("runs/failed").iterdir()
    record = json.loads(file.read_text())
    assert record["error"].startswith("ParamsError: ") and record["params"]["values"] == {}
    assert sealed(record) == file.read_text()


def test_a_failure_in_a_folder_that_is_no_study_leaves_nothing_there() -> None:
    Path("params.yaml").unlink()
    before = sorted(Path().rglob("*"))
    with pytest.raises(StudyError):
        echo({"wave": "1"})
    assert sorted(Path().rglob("*")) == before


def test_a_failure_that_cannot_be_recorded_is_still_what_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("runs").write_text("no folder")
    with pytest.raises(RuntimeError, match="power"):
        failing("raises")({"wave": "1"})
    assert "no record of the failure" in capsys.readouterr().err


def test_a_failure_after_a_power_cut_brings_back_what_was_there() -> None:
    echo({"wave": "1"})
    before = left()
    Path("data/echo/wave-1").rename("data/echo/wave-1.former")
    with pytest.raises(RuntimeError, match="power"):
        failing("raises")({"wave": "1"})
    assert left() == before


def test_missing_input_says_what_to_run() -> None:
    Path("in/words.parquet").unlink()
    with pytest.raises(StudyError, match=r"in/words\.parquet is missing; run `dvc repro`"):
        echo({"wave": "1"})
    assert left() == []


def test_a_param_that_was_not_declared_cannot_be_read() -> None:
    folder = Folder("seeing")
    note = folder.file("note.json")

    def seeing(run: Run) -> Outcome:
        assert run.params.study.seed == 20260302
        assert run.seed("who", 1) == sub_seed(20260302, "seeing", "who", 1)
        assert not hasattr(run.params.study, "name")
        assert not hasattr(run.params, "select")
        return Outcome({note: run.params.extract.detector_width_px}, REPORT)

    stage(folder, params=("study.seed", "extract"))(seeing)({})
    assert json.loads(Path("data/seeing/note.json").read_text()) == 256


def test_what_is_returned_must_be_what_was_declared() -> None:
    def other(run: Run) -> Outcome:
        return Outcome({HEARD: hear(run)}, REPORT)

    with pytest.raises(TypeError, match="declares and returns different things"):
        stage(Folder("other"), params=(), given=(SPOKEN,))(other)({})


def test_shards_are_checked_one_by_one_and_counted() -> None:
    folder = Folder("parts")
    shards = folder.shards("parts", ECHOES)

    def parts(run: Run) -> Outcome:
        # A generator: one shard is in memory at a time.
        return Outcome({shards: ((w, hear(run).query("word == @w")) for w in ("a", "b"))}, REPORT)

    stage(folder, params=(), given=(SPOKEN,))(parts)({})
    assert words("data/parts/parts") == ["a", "b"]
    assert words("data/parts/parts/b.parquet") == ["b"]
    checks = json.loads(Path("data/parts/checks.json").read_text())
    assert [line["times"] for line in checks if line["about"] == "known"] == [2]


def test_each_value_of_a_key_may_be_read_apart() -> None:
    made = Folder("x", task=["a", "b"], wave="${study.waves}").file("y")
    assert [one.path for one in made.each("task")] == [
        "data/x/task-a_wave-${item.wave}/y", "data/x/task-b_wave-${item.wave}/y",
    ]  # fmt: skip


def test_a_reader_without_a_key_of_the_matrix_reads_every_value_of_it() -> None:
    for wave, word in (("1", "z"), ("2", "a")):
        speak(word)
        echo({"wave": wave})
    folder, own = Folder("gather"), Folder("one", wave="${study.waves}")
    note = folder.file("note.json")

    def gather(run: Run) -> Outcome:
        assert [path.parent.name for path in run.paths(HEARD)] == ["wave-1", "wave-2"]
        return Outcome({note: run.read(HEARD, ["word"])["word"].tolist()}, REPORT)

    stage(folder, params=("study.waves",), given=(HEARD,))(gather)({})
    assert json.loads(Path("data/gather/note.json").read_text()) == ["z", "a"]
    # What dvc.yaml lists: DVC has no path for each value.
    assert HEARD.dep(folder.matrix) == "data/echo"
    assert HEARD.dep(own.matrix) == "data/echo/wave-${item.wave}/echoes.parquet"
    assert Given("${study.cohort}").dep(folder.matrix) == "${study.cohort}"


def test_the_command_line_fails_without_a_traceback_for_the_users_faults(
    capsys: pytest.CaptureFixture[str],
) -> None:
    speak("a", n=-1)
    with pytest.raises(SystemExit) as left_with:
        echo.main(["--wave", "1"])
    said = capsys.readouterr().err
    assert left_with.value.code == 1
    assert said.startswith("echo: words: 1 checks failed") and "Traceback" not in said
    assert re.search(r"n lies in \[0, None\]: 1 of 1 .* word=a n=-1", said)


def test_the_command_line_says_when_eifer_is_at_fault(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left_with:
        failing("raises").main(["--wave", "1"])
    said = capsys.readouterr().err
    assert left_with.value.code == 2
    assert "Traceback" in said and "fault of eifer, not of the data" in said


@pytest.mark.parametrize("number", sorted(UNWRITABLE))
@pytest.mark.parametrize("where", ["write_table", "write_json", "settle"])
def test_the_command_line_says_when_there_is_no_room(
    where: str, number: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    echo({"wave": "1"})
    before = contents()
    speak("c")

    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number), "data/echo/wave-1/x")

    monkeypatch.setattr(artifacts, where, full)
    with pytest.raises(SystemExit) as left_with:
        echo.main(["--wave", "1"])
    said = capsys.readouterr().err
    assert left_with.value.code == 1
    assert said.startswith("echo: cannot ") and "write (" in said
    assert "data/echo/wave-1/x" in said and os.strerror(number) in said
    assert "run again; the former output is kept" in said
    assert "Traceback" not in said and "fault" not in said
    assert contents() == before


@pytest.mark.parametrize("kind", ["table", "json", "weights"])
def test_writers_hand_on_the_number_of_what_the_disk_said(kind: str) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as error:
            if kind == "table":
                write_table(Path("t"), pd.DataFrame({"word": ["a"] * 1000}))
            elif kind == "json":
                artifacts.write_json(Path("t"), {})
            else:
                save_weights(Path("t"), {"a": torch.zeros(9)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert error.value.errno == errno.EFBIG


def test_what_is_to_be_cleared_away_goes_last() -> None:
    folder = Folder("scratch")
    note = folder.file("note.json")

    def scratch(run: Run) -> Outcome:
        Path("kept").touch()
        run.afterwards.append(Path("kept").unlink)
        return Outcome({note: 1 if Path("room").exists() else object()}, REPORT)

    clearing = stage(folder, params=())(scratch)
    with pytest.raises(TypeError):
        clearing({})
    assert Path("kept").exists()
    Path("room").touch()
    clearing({})
    assert not Path("kept").exists() and Path("data/scratch/note.json").exists()


def test_others_on_this_machine_read_nothing(study: Path) -> None:
    """Also where it is plain DVC that runs a stage, in a shell that lets all be read."""
    former = os.umask(0o022)
    for name in (".dvc", "data"):
        Path(name).mkdir()
    study.chmod(0o755)
    echo.main(["--wave", "1"])
    os.umask(former)

    modes = {name: (study / name).stat().st_mode & 0o077 for name in FOLDERS}
    assert modes == dict.fromkeys(("data", "runs", ".dvc/cache", ".dvc/tmp"), 0)
    assert study.stat().st_mode & 0o777 == 0o755  # others may share the folder around them


ITEM = {
    **{"assignment": "null01", "rotation": "2", "total": "matched", "task": "arousal"},
    **{"group": "High", "block": "1-20", "wave": "2b", "cohort": "demo", "faces": "drawn"},
    "network": "resnet50",
}


@pytest.mark.parametrize("name", STAGES)
def test_dvc_says_which_item_it_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The instances of every stage, as DVC addresses them; options win."""
    known = stage_of(name)
    item = {key: ITEM[key] for key in known.matrix}
    ran: list[Mapping[str, str]] = []
    monkeypatch.setattr(Stage, "__call__", lambda _, given: ran.append(given))
    address = "@".join(filter(None, [name, "-".join(item.values())]))
    for said in (address, f"../a folder/dvc.yaml:{address}"):
        monkeypatch.setenv("DVC_STAGE", said)
        known.main([])
    assert ran == [item, item]
    if item:
        known.main(["--" + known.matrix[0], "other"])
        assert ran[-1] == item | {known.matrix[0]: "other"}
        for other in ("", "x@1", f"x{name}@1", name):
            monkeypatch.setenv("DVC_STAGE", other)
            with pytest.raises(SystemExit, match="2"):
                known.main([])


@pytest.mark.parametrize("name", [name for name in STAGES if stage_of(name).matrix])
@pytest.mark.parametrize(
    "value",
    ["x; touch y", "$(x)", "`x`", "'", '"', "a b", "a\n", "..", "/../../victim", "*", "${x}", "é"],
)
def test_an_item_that_is_no_name_makes_no_path(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(Path().rglob("*"))
    known = stage_of(name)
    first = [ITEM[key] for key in known.matrix[:-1]]
    monkeypatch.setenv("DVC_STAGE", f"{name}@{'-'.join([*first, value])}")
    with pytest.raises(SystemExit) as left_with:
        known.main([])
    assert left_with.value.code == 1 and "no names of the matrix" in capsys.readouterr().err
    assert sorted(Path().rglob("*")) == before
