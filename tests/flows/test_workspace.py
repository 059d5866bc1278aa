"""A study of its own: this code in another folder."""

from __future__ import annotations

import difflib
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from eifer.errors import ParamsError, StudyError
from flows.graph import ROOT
from flows.workspace import make_workspace, relative, with_comments
from stages.params import load_params

DEMO = ROOT / "presets/demo.yaml"


def test_a_workspace_has_the_code_and_the_params_asked_for(tmp_path: Path) -> None:
    made = make_workspace(
        tmp_path / "study",
        preset=DEMO,
        overrides={"study.seed": 7, "split.design.short_videos": "record"},
    )
    params = load_params(made / "params.yaml")
    assert (params.study.seed, params.split.design.short_videos) == (7, "record")
    assert params.select == load_params(DEMO).select
    for name in ("dvc.yaml", "eifer/errors.py", "stages/split.py"):
        assert (made / name).read_bytes() == (ROOT / name).read_bytes()
    # DVC finds its own repository here, and neither another's data nor byte code.
    assert (made / ".dvc/config").is_file() and (made / ".git").is_dir()
    assert [*(made / ".dvc/cache").iterdir(), *(made / "data").iterdir()] == []
    assert not list(made.rglob("__pycache__"))


def test_a_workspace_that_is_there_is_brought_up_to_date_and_keeps_its_results(
    tmp_path: Path,
) -> None:
    made = make_workspace(tmp_path / "study", preset=DEMO)
    kept = [made / "data/split/report.json", made / ".dvc/cache/files", made / "dvc.lock"]
    for path in kept:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("kept")
    (made / "eifer/gone.py").write_text("a module that the code no longer has")
    (made / "eifer/errors.py").write_text("old")
    with pytest.raises(StudyError, match=r"params\.yaml differs from .*--replace-params"):
        make_workspace(tmp_path / "study", preset=DEMO, overrides={"study.seed": 8})
    assert (made / "eifer/errors.py").read_text() == "old"
    seed = {"study.seed": 8}
    make_workspace(tmp_path / "study", preset=DEMO, overrides=seed, replace_params=True)
    assert all(path.read_text() == "kept" for path in kept)
    assert not (made / "eifer/gone.py").exists()
    assert (made / "eifer/errors.py").read_bytes() == (ROOT / "eifer/errors.py").read_bytes()
    assert yaml.safe_load((made / "params.yaml").read_text())["study"]["seed"] == 8


@pytest.mark.parametrize(
    ("name", "value", "lines"),
    [
        ("study.seed", 7, 1),
        ("affect.sha256", "ab", 1),
        ("estimate.also", ["expression"], 1),
        ("stats.participants.confirmatory", [], 2),  # a block of two lines, which become one
    ],
)
def test_a_value_that_is_set_leaves_every_other_line_as_it_was(
    name: str, value: object, lines: int
) -> None:
    text = with_comments(DEMO, {name: value}, _with(name, value))
    removed = [
        line
        for line in difflib.ndiff(DEMO.read_text().splitlines(), text.splitlines())
        if line.startswith("- ")
    ]
    assert len(removed) == lines


def _with(name: str, value: object) -> dict[str, Any]:
    params: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    *parents, key = name.split(".")
    section = params
    for parent in parents:
        section = section[parent]
    section[key] = value
    return params


def test_a_workspace_can_be_made_from_a_workspace(tmp_path: Path) -> None:
    one = make_workspace(tmp_path / "one", preset=DEMO)
    (one / "eifer/errors.py").write_text("changed here")
    two = make_workspace(tmp_path / "two", preset=one / "params.yaml", source=one)
    assert (two / "eifer/errors.py").read_text() == "changed here"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StudyError, match="not empty and not a study"):
        make_workspace(tmp_path, preset=DEMO)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_override_of_a_param_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"studdy\.seed"):
        make_workspace(tmp_path / "study", preset=DEMO, overrides={"studdy.seed": 7})


@pytest.mark.parametrize(
    ("preset", "overrides", "said"),
    [
        ("study: [", {}, "not YAML"),
        ("study: {}", {}, "parameter missing"),
        (None, {}, "is missing"),
        (DEMO.read_text(), {"study.sed": 7}, "study.sed; did you mean 'seed'"),
        (DEMO.read_text(), {"select.top": 0}, "preset.yaml with select.top"),
    ],
)
def test_params_are_checked_before_anything_is_written(
    tmp_path: Path, preset: str | None, overrides: dict[str, object], said: str
) -> None:
    if preset is not None:
        (tmp_path / "preset.yaml").write_text(preset)
    with pytest.raises(ParamsError) as refused:
        make_workspace(tmp_path / "study", preset=tmp_path / "preset.yaml", overrides=overrides)
    assert said in str(refused.value)
    assert not (tmp_path / "study").exists()


def test_another_dvc_project_is_no_study(tmp_path: Path) -> None:
    """It may have an eifer/ or a reports/ of its own."""
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/thesis.tex").write_text("years of work")
    with pytest.raises(StudyError, match="not empty and not a study"):
        make_workspace(tmp_path, preset=DEMO)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dvc.yaml", "reports"]


@pytest.mark.parametrize("place", ["", "reports/new", "eifer"])
def test_a_study_is_not_copied_into_itself(tmp_path: Path, place: str) -> None:
    one = make_workspace(tmp_path / "one", preset=DEMO)
    before = sorted(one.rglob("*"))
    with pytest.raises(StudyError, match=r"is to be copied|in the code of"):
        make_workspace(one / place, preset=DEMO, source=one)
    with pytest.raises(StudyError, match=r"is to be copied|in the code of"):
        make_workspace(one, preset=DEMO, source=one / place)
    assert sorted(one.rglob("*")) == before


def test_params_that_say_the_same_are_kept_as_they_are_written(tmp_path: Path) -> None:
    made = make_workspace(tmp_path / "study", preset=DEMO)
    (made / "params.yaml").write_text("# my notes\n" + DEMO.read_text())
    make_workspace(made, preset=DEMO)
    assert (made / "params.yaml").read_text().startswith("# my notes")


def test_presets_and_pages_of_a_workspace_stay(tmp_path: Path) -> None:
    one = make_workspace(tmp_path / "one", preset=DEMO)
    (one / "reports/thesis.tex").write_text("years of work")
    (one / "presets/mine.yaml").write_text(DEMO.read_text())
    make_workspace(one, preset=DEMO)
    assert (one / "reports/thesis.tex").exists() and (one / "presets/mine.yaml").exists()


def test_comments_of_the_preset_survive(tmp_path: Path) -> None:
    made = make_workspace(tmp_path / "one", preset=DEMO, overrides={"study.seed": 7})
    text, source = (made / "params.yaml").read_text(), DEMO.read_text()
    comments = [line.partition("# ")[2] for line in source.splitlines() if "# " in line]
    assert comments and all(comment in text for comment in comments)
    assert yaml.safe_load(text)["study"]["seed"] == 7
    shared = tmp_path / "shared.yaml"
    first, second = "  first: &same\n", "  second: *same\n"
    shared.write_text(f"recipe:\n{first}    epochs: 2 # few\n{second}")
    params = {"recipe": {"first": {"epochs": 3}, "second": {"epochs": 2}}}
    assert yaml.safe_load(with_comments(shared, {"recipe.first.epochs": 3}, params)) == params


def test_a_workspace_is_born_with_a_commit_that_says_what_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody has told git a name, and every commit is to be signed by a key that is not there.
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[commit]\n\tgpgsign = true\n[user]\n\tuseConfigOnly = true\n")
    monkeypatch.setenv("HOME", str(home))
    made = make_workspace(tmp_path / "one", preset=DEMO)

    def git(*words: str) -> str:
        return subprocess.run(
            ["git", "-C", str(made), *words], capture_output=True, text=True, check=True
        ).stdout

    assert f"made by eifer {version('eifer')}" in git("log", "--format=%s")
    assert git("status", "--short") == ""
    assert {"params.yaml", "dvc.yaml"} <= set(git("ls-files").split())
    make_workspace(made, preset=DEMO)
    assert git("rev-list", "--count", "HEAD").strip() == "1"
    # One that stopped before its commit gets it the next time.
    shutil.rmtree(made / ".git")
    git("init", "--quiet")
    make_workspace(made, preset=DEMO)
    assert git("rev-list", "--count", "HEAD").strip() == "1"


def test_a_cohort_is_named_from_the_workspace(tmp_path: Path) -> None:
    workspace, cohort = tmp_path / "a/study", tmp_path / "cohort"
    assert relative(cohort, workspace) == "../../cohort"
    # A name with a colon is a path still: DVC would take it for a URL.
    assert relative(workspace / "2024:pilot", workspace) == "./2024:pilot"
