"""A study of its own: this code in another folder."""

from __future__ import annotations

import difflib
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from eifer.errors import StudyError
from flows import workspace
from flows.git import git
from flows.graph import ROOT
from flows.workspace import make_workspace, params_of, relative, with_comments
from stages.params import load_params
from tests.watched import tool

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
    comments = re.findall("#.*", DEMO.read_text())
    assert re.findall("#.*", (made / "params.yaml").read_text()) == comments != []
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
    results = ("data/split/report.json", ".dvc/cache/files", "dvc.lock")
    kept = [made / name for name in (*results, "reports/thesis.tex", "presets/mine.yaml")]
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
        ("affect.sha256", 32 * "ab", 1),
        ("report.faces", ["sub-01"], 1),
        ("stats.participants.confirmatory", [], 2),  # a block of two lines, which become one
    ],
)
def test_a_value_that_is_set_leaves_every_other_line_as_it_was(
    name: str, value: object, lines: int
) -> None:
    text = with_comments(DEMO, {name: value}, params_of(DEMO, {name: value}))
    removed = [
        line
        for line in difflib.ndiff(DEMO.read_text().splitlines(), text.splitlines())
        if line.startswith("- ")
    ]
    assert len(removed) == lines


def test_a_workspace_can_be_made_from_a_workspace(tmp_path: Path) -> None:
    one = make_workspace(tmp_path / "one", preset=DEMO)
    (one / "eifer/errors.py").open("a").write("# changed here")
    done = tool("python", "-m", "flows", "workspace", "../two", cwd=one)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "two/eifer/errors.py").read_text().endswith("# changed here")


@pytest.mark.parametrize("names", [["thesis.txt"], ["dvc.yaml", "reports/thesis.tex"]])
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, names: list[str]) -> None:
    """Another project of DVC may have a reports/ of its own."""
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("years of work")
    with pytest.raises(StudyError, match="not empty and not a study"):
        make_workspace(tmp_path, preset=DEMO)
    assert {path.name for path in tmp_path.iterdir()} == {name.split("/")[0] for name in names}


@pytest.mark.parametrize(
    ("preset", "overrides", "said"),
    [
        ("study: [", {}, "not YAML"),
        ("study: {}", {}, "parameter missing"),
        (None, {}, "is missing"),
        (DEMO.read_text(), {"study.sed": 7}, "study.sed; did you mean 'seed'"),
        (DEMO.read_text(), {"studdy.seed": 7}, "no section for studdy.seed"),
        (DEMO.read_text(), {"select.top": 0}, "preset.yaml with select.top"),
    ],
)
def test_params_are_checked_before_anything_is_written(
    tmp_path: Path, preset: str | None, overrides: dict[str, object], said: str
) -> None:
    if preset is not None:
        (tmp_path / "preset.yaml").write_text(preset)
    with pytest.raises(StudyError) as refused:
        make_workspace(tmp_path / "study", preset=tmp_path / "preset.yaml", overrides=overrides)
    assert said in str(refused.value)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("place", ["", "reports/new", "eifer"])
def test_a_study_is_not_copied_into_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    one = tmp_path / "one"
    for here, target in ((one, one / place), (one / place, one)):
        monkeypatch.setattr(workspace, "ROOT", here)
        with pytest.raises(StudyError, match=r"is to be copied|in the code of"):
            make_workspace(target, preset=DEMO)
    assert not one.exists()


def test_params_that_say_the_same_are_kept_as_they_are_written(tmp_path: Path) -> None:
    made = make_workspace(tmp_path / "study", preset=DEMO)
    (made / "params.yaml").write_text("# my notes\n" + DEMO.read_text())
    make_workspace(made, preset=DEMO)
    assert (made / "params.yaml").read_text().startswith("# my notes")


def test_what_sections_of_a_preset_share_is_set_in_one_of_them(tmp_path: Path) -> None:
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
    assert f"made by eifer {version('eifer')}" in git(made, "log", "--format=%s")
    assert git(made, "status", "--short") == ""
    assert {"params.yaml", "dvc.yaml"} <= set(git(made, "ls-files").split())
    make_workspace(made, preset=DEMO)
    assert git(made, "rev-list", "--count", "HEAD") == "1"
    # One that stopped before its commit gets it the next time.
    shutil.rmtree(made / ".git")
    git(made, "init", "--quiet")
    make_workspace(made, preset=DEMO)
    assert git(made, "rev-list", "--count", "HEAD") == "1"


def test_a_cohort_is_named_from_the_workspace(tmp_path: Path) -> None:
    workspace, cohort = tmp_path / "a/study", tmp_path / "cohort"
    assert relative(cohort, workspace) == "../../cohort"
    # A name with a colon is a path still: DVC would take it for a URL.
    assert relative(workspace / "2024:pilot", workspace) == "./2024:pilot"
