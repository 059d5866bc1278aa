"""A params file from somewhere else runs no command and deletes nothing, by any way to run it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from eifer.errors import ParamsError
from flows.graph import ROOT, declared
from flows.run import command, instances
from flows.workspace import make_workspace
from tests.watched import tool

DEMO = ROOT / "presets/demo.yaml"
NAMES = {
    "simulate": ("simulate", "cohorts"),
    "corpus": ("corpus", "faces"),
    "extract": ("study", "waves"),
    "evaluate": ("split", "assignments"),
    "pretrain_ei": ("split", "rotations"),
    "train_total": ("split", "totals"),
    "fine_tune_total": ("training", "blocks"),
}
"""A stage for each list of names in params.yaml, and where that stands."""
ONE = {
    **{"assignment": "ei", "rotation": "1", "total": "ei", "task": "arousal"},
    **{"group": "High", "block": "1-2"},
}
"""A value of each key of a matrix that another list of names is tried beside."""
COMMANDS = [
    "1-2; touch PWNED;",
    "x' ; touch PWNED; '\"; touch PWNED; \"$(touch PWNED)`touch PWNED`\n touch PWNED \n'",
    "\\'; touch PWNED; '",  # in fish a backslash escapes a quote between quotes
    "$(touch PWNED)",
    "x\ntouch PWNED\n",
    "x\u2028touch PWNED\u2028",  # DVC splits a command into lines as Python does
    "-h",
    "* ? ~ ${study.seed} & touch PWNED & | touch PWNED > PWNED",
]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    made = make_workspace(tmp_path / "study", preset=DEMO)
    (made / "data/victim").mkdir(parents=True)
    (made / "data/victim/thesis.txt").write_text("years of work")
    (made / "victim").mkdir()
    (made / "victim/thesis.txt").write_text("years of work")
    return made


@cache
def demo() -> dict[str, Any]:
    return yaml.safe_load(DEMO.read_text())


def put(study: Path, names: dict[str, list[str]]) -> None:
    params = deepcopy(demo())
    for stage, values in names.items():
        section, key = NAMES[stage]
        params[section][key] = values
    (study / "params.yaml").write_text(yaml.safe_dump(params))


def unharmed(study: Path) -> bool:
    kept = [study / "victim/thesis.txt", study / "data/victim/thesis.txt"]
    return not list(study.rglob("PWNED")) and all(path.exists() for path in kept)


def test_no_command_of_dvc_yaml_holds_anything_of_params_yaml() -> None:
    assert not [block["cmd"] for block in declared().values() if "$" in block["cmd"]]


def test_dvc_repro_runs_no_command_that_stands_in_a_name(study: Path) -> None:
    """Each list of names, in a graph without inputs: so that every stage has its turn."""
    blocks = declared(study)
    bare = {name: {k: blocks[name][k] for k in ("cmd", "matrix", "outs")} for name in NAMES}
    for name, place in NAMES.items():
        matrix = bare[name]["matrix"]
        mine = f"${{{'.'.join(place)}}}"
        bare[name]["matrix"] = {k: v if v == mine else [ONE[k]] for k, v in matrix.items()}
    for name, key in (("simulate", "cohort"), ("corpus", "faces")):  # of one name at most
        bare[name]["outs"] = [f"data/{name}/${{item.{key}}}"]
    (study / "dvc.yaml").write_text(yaml.safe_dump({"stages": bare}))
    two = {
        name: [COMMANDS[(2 * i + k) % len(COMMANDS)] for k in (0, 1)]
        for i, name in enumerate(NAMES)
    }
    assert {command for commands in two.values() for command in commands} == set(COMMANDS)
    put(study, two)
    done = tool("dvc", "repro", "--keep-going", cwd=study)
    assert done.returncode != 0
    for name in NAMES:
        assert done.stderr.count(f"{name}: no names of the matrix: ") == 2, done.stderr
    assert unharmed(study)


@pytest.mark.parametrize(
    ("stage", "depth", "message"),
    [
        # Several stages have an output by this name, which would be the same folder.
        ("extract", 2, "victim' is specified in"),
        ("fine_tune_total", 4, "victim' is specified in"),
        # Others have theirs in the folder of this name.
        ("evaluate", 2, "overlap"),
        # No output has this name.
        ("simulate", 2, "simulate: no names of the matrix"),
        ("corpus", 2, "corpus: no names of the matrix"),
    ],
)
def test_dvc_repro_removes_no_folder_that_a_name_leads_to(
    study: Path, stage: str, depth: int, message: str
) -> None:
    for name in ("/.." * depth + "/victim", "/.." * (depth + 1) + "/victim"):
        put(study, {stage: [name]})
        words = ["-s", f"{stage}@{name}"] if "no names" in message else []
        # As if stage code had run: DVC wants a stage's deps before the stage may refuse.
        code = study / f"data/code/stages/{stage}.json"
        code.parent.mkdir(parents=True, exist_ok=True)
        code.write_text("{}")
        done = tool("dvc", "repro", *words, cwd=study)
        assert done.returncode != 0 and message in done.stderr, done.stderr
        assert unharmed(study)


def refusals() -> dict[str, Callable[[Path], object]]:
    return {
        "run": lambda study: command.go(study, {}),
        "dry run": command.dry,
        "instances": instances.instances,
        "workspace": lambda study: make_workspace(
            study.with_name("other"), preset=study / "params.yaml"
        ),
    }


@pytest.mark.parametrize("way", refusals())
@pytest.mark.parametrize("stage", NAMES)
def test_eifer_refuses_before_dvc_reads_params(
    study: Path, stage: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(instances, "_read", lambda _: pytest.fail("DVC was asked"))
    monkeypatch.setattr(command, "serve", lambda _: pytest.fail("a server was started"))
    for name in (*COMMANDS, "/../../victim", "..", "/", "", "a b"):
        put(study, {stage: [name]})
        with pytest.raises(ParamsError, match=r"\.".join(NAMES[stage])):
            refusals()[way](study)
    assert unharmed(study)


@pytest.mark.parametrize("text", ["study: &a [*a]", "study: {2024-01-01: 1}", "study: {}"])
def test_eifer_run_reads_the_file_before_dvc_does(study: Path, text: str) -> None:
    (study / "params.yaml").write_text(text)
    for words in (["run"], ["run", "--dry-run"]):
        done = tool("eifer", *words, cwd=study)
        assert done.returncode == 1 and "params.yaml" in done.stderr
        assert "Traceback" not in done.stderr
    assert not [file for name in ("runs", ".dvc/tmp") for file in (study / name).rglob("*")]


def test_names_of_another_study_than_eifers_are_its_own(finished: Path) -> None:
    """Its stages are not known here, and neither are its params."""
    shutil.rmtree(finished / "told")
    assert set(instances.instances(finished)) >= {"extract@1", "split"}
