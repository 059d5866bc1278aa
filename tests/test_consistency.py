"""Code, dvc.yaml, params and docs say the same thing."""

from __future__ import annotations

import re

import pytest

from flows.dvc_yaml import printed
from flows.graph import ROOT, declared, stage_of
from flows.pages import outputs, settings
from stages._runtime.privacy import TELEMETRY_OFF
from stages.catalogue import FOLDERS

STAGES = list(declared())


def test_dvc_yaml_lists_what_is_declared() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert text == printed(text), "run `make graph`"


@pytest.mark.parametrize("name", STAGES)
def test_command_matrix_and_params_agree(name: str) -> None:
    stage, block = stage_of(name), declared()[name]
    assert block["cmd"] == f"python -m stages.{name}"
    folder = next(folder for folder in FOLDERS if folder.stage == name)
    assert block.get("matrix", {}) == folder.matrix
    assert sorted(block.get("params", [])) == sorted(stage.params)
    assert block["outs"] == [stage.folder]


def test_every_stage_module_is_in_the_graph() -> None:
    modules = {path.stem for path in (ROOT / "stages").glob("*.py")} - {
        "__init__",
        "params",
        "catalogue",
    }
    assert modules == set(STAGES) == {folder.stage for folder in FOLDERS}


def test_params_sections_are_those_of_the_stages_and_presets_are_valid() -> None:
    from stages.params import Params, load_params

    assert set(Params.model_fields) <= {"study", "arithmetic", "training", "external", *STAGES}
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
