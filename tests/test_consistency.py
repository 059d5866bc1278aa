"""Code, dvc.yaml, params and docs say the same thing.

DVC does not see Python imports: a stage's deps must list what it imports, or a
change in the library leaves stale results behind. Here the import closure is
computed and compared.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import grimp
import pytest

from flows.graph import ROOT, declared, stage_of
from flows.pages import outputs, settings
from stages._runtime.privacy import TELEMETRY_OFF

RUNNING = {
    "eifer",
    "eifer.errors",
    "stages",
    "stages.params",
    "stages._runtime",
    "stages._runtime.contracts",
    "stages._runtime.machine",
    "stages._runtime.params_file",
    "stages._runtime.pool",
    "stages._runtime.privacy",
    "stages._runtime.provenance",
    "stages._runtime.stage",
}
"""How a stage is run, not what it computes: kept out of deps, or a new progress bar
would retrain every network (docs/decisions/0001)."""

STAGES = list(declared())


FOUND_BY_NAME = {"eifer.figures", "eifer.summaries"}
"""Packages whose modules are imported by the names that reports/spec.yml gives them."""


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("eifer", "stages", cache_dir=None)


def closure(name: str) -> set[str]:
    """The files that the code of a stage is made of, as dvc.yaml names them."""
    graph = imports()
    seen, todo = set(), [f"stages.{name}"]
    while todo:
        module = todo.pop()
        if module in seen:
            continue
        seen.add(module)
        if module not in RUNNING or module == f"stages.{name}":
            todo += graph.find_modules_directly_imported_by(module)
        if module in FOUND_BY_NAME:
            todo += graph.find_children(module)
    # What every stage is written with, whether or not the module itself names it.
    seen |= {"stages._runtime.artifacts"}
    return {
        module.replace(".", "/") + ("/__init__.py" if graph.find_children(module) else ".py")
        for module in seen - RUNNING
    }


def code_deps(block: dict[str, Any]) -> set[str]:
    return {d for d in block.get("deps", []) if d.startswith(("eifer", "stages"))}


def covered(file: str, deps: set[str]) -> bool:
    return any(file == dep or file.startswith(dep + "/") for dep in deps)


@pytest.mark.parametrize("name", STAGES)
def test_deps_list_every_module_a_stage_imports(name: str) -> None:
    deps = code_deps(declared()[name])
    files = {f for f in closure(name) if not f.endswith("/__init__.py")}
    missing = sorted(file for file in files if not covered(file, deps))
    idle = sorted(dep for dep in deps if not any(covered(file, {dep}) for file in files))
    paste = "\n".join(f"      - {file}" for file in missing)
    assert not missing, f"dvc.yaml, stage {name}: add to deps\n{paste}"
    assert not idle, f"dvc.yaml, stage {name}: deps that nothing imports: {idle}"


@pytest.mark.parametrize("name", STAGES)
def test_files_read_and_written_are_deps_and_outs(name: str) -> None:
    stage, block = stage_of(name), declared()[name]
    data = {d for d in block.get("deps", []) if not d.startswith(("eifer/", "stages/"))}
    read = {given.path for given in stage.given}
    assert all(covered(path, data) for path in read), (read, data)
    assert all(any(covered(path, {dep}) for path in read) for dep in data), (read, data)
    assert block["outs"] == [stage.folder]


@pytest.mark.parametrize("name", STAGES)
def test_command_matrix_and_params_agree(name: str) -> None:
    stage, block = stage_of(name), declared()[name]
    assert block["cmd"] == f"python -m stages.{name}"
    assert tuple(block.get("matrix", {})) == stage.matrix
    assert sorted(block["params"]) == sorted(stage.params)


def test_every_stage_module_is_in_the_graph() -> None:
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", "params"}
    assert modules == set(STAGES)


def test_params_sections_are_those_of_the_stages_and_presets_are_valid() -> None:
    from stages.params import Params, load_params

    assert set(Params.model_fields) <= {"study", "arithmetic", "training", *STAGES}
    used = {p.split(".")[0] for name in STAGES for p in stage_of(name).params}
    assert set(Params.model_fields) == used
    for preset in sorted((ROOT / "presets").glob("*.yaml")):
        load_params(preset)
    assert (ROOT / "params.yaml").read_text() == (ROOT / "presets/demo.yaml").read_text()


def test_stage_modules_stay_short_and_have_a_title() -> None:
    for name in STAGES:
        lines = (ROOT / "stages" / f"{name}.py").read_text().splitlines()
        assert len(lines) <= 110, f"stages/{name}.py has {len(lines)} lines"
        assert stage_of(name).title


def test_printed_pages_are_in_step() -> None:
    assert (ROOT / "docs/outputs.md").read_text() == outputs.describe(), "run `make docs`"
    assert (ROOT / "docs/settings.md").read_text() == settings.describe(), "run `make docs`"


def test_telemetry_is_off_in_the_makefile_as_in_the_code() -> None:
    exported = re.findall(r"^export ([A-Z_]+) := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert {name: value for name, value in exported if name in TELEMETRY_OFF} == TELEMETRY_OFF


def test_links_between_pages_lead_somewhere() -> None:
    dead = [
        (page.name, link)
        for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text())
        if "://" not in link and not (page.parent / link).exists()
    ]
    assert not dead


def test_no_dumping_ground() -> None:
    forbidden = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
    folders = ("eifer", "stages", "flows", "benchmarks", "tests")
    found = [p for f in folders for p in (ROOT / f).rglob("*.py") if p.stem in forbidden]
    assert not found


def test_lock_pins_everything_and_names_no_host() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    loose = [line for line in lines if not re.fullmatch(r"[a-z0-9._-]+==[^\s;]+( ;.*)?", line)]
    assert not loose


def test_readme_tree_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text()
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}
    absent = [f for f in sorted(folders - {"data", "runs", "inputs"}) if f"{f}/" not in readme]
    assert not absent, f"README.md's tree does not name {absent}"


def test_sources_carry_no_machine_paths() -> None:
    pattern = re.compile(r"(^|[\s\"'=(])/(home|root|work|Users)/")
    for path in [p for p in ROOT.rglob("*.py") if ".venv" not in p.parts and "runs" not in p.parts]:
        assert not pattern.search(path.read_text()), path
