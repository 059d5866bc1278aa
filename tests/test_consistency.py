"""Code, dvc.yaml, params and docs say the same thing."""

from __future__ import annotations

import re

import pytest

from eifer.errors import ParamsError
from flows.dvc_yaml import printed
from flows.graph import ROOT, declared, graph_of, stage_of
from flows.pages import graph, outputs, settings
from stages._runtime.kinds import EI, KINDS, Kind, load_study
from stages._runtime.privacy import TELEMETRY_OFF

STAGES = [(kind, name) for kind in KINDS.values() for name in declared(graph_of(kind))]
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


@each_kind
def test_dvc_yaml_lists_what_is_declared(kind: Kind) -> None:
    text = (ROOT / kind.graph).read_text()
    assert text == printed(text, kind), "run `make graph`"


@pytest.mark.parametrize(("kind", "name"), STAGES)
def test_command_matrix_and_params_agree(kind: Kind, name: str) -> None:
    stage, block = stage_of(name, graph_of(kind)), declared(graph_of(kind))[name]
    assert block["cmd"] == f"python -m {kind.package}.{name}"
    folder = next(folder for folder in kind.catalogue.FOLDERS if folder.stage == name)
    assert block.get("matrix", {}) == folder.matrix
    assert sorted(block.get("params", [])) == sorted(stage.params)
    assert block["outs"] == [stage.folder]


@each_kind
def test_every_stage_module_is_in_the_graph(kind: Kind) -> None:
    folder = ROOT.joinpath(*kind.package.split("."))
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "params", "catalogue"}
    named = {folder.stage for folder in kind.catalogue.FOLDERS}
    assert modules == set(declared(graph_of(kind))) == named


@each_kind
def test_params_sections_are_those_of_the_stages(kind: Kind) -> None:
    model, stages = kind.params.Params, declared(graph_of(kind))
    used = {p.split(".")[0] for name in stages for p in stage_of(name, graph_of(kind)).params}
    assert set(model.model_fields) - {"protocol"} == used - {"protocol"}


def test_presets_are_valid() -> None:
    refused = []
    for preset in sorted((ROOT / "presets").glob("*.yaml")):
        try:
            load_study(preset)
        except ParamsError as error:
            refused.append(str(error))
    assert not refused, "\n".join(refused)
    same = (ROOT / "params.yaml").read_text() == (ROOT / "presets/demo.yaml").read_text()
    assert same, "params.yaml is a copy: cp presets/demo.yaml params.yaml"


def test_every_parameter_is_read() -> None:
    """By its name after a dot, in code or in a path of dvc.yaml: else it would change nothing."""
    places = [path for room in ("eifer", "stages", "flows") for path in (ROOT / room).rglob("*.py")]
    graphs = [graph_of(kind) for kind in KINDS.values()]
    read = "\n".join(path.read_text() for path in places + graphs)
    names = re.findall(r"^\| `(\w+)`", (ROOT / "docs/settings.md").read_text(), re.MULTILINE)
    assert len(names) > 200
    assert [name for name in names if not re.search(rf"\.{name}\b", read)] == []


def test_the_readme_has_a_row_for_every_stage() -> None:
    rows = re.findall(r"^\| (`\w+`.*?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(rows))) >= set(declared(graph_of(KINDS[EI])))


def test_stage_modules_stay_short_and_have_a_title() -> None:
    for kind, name in STAGES:
        module = ROOT.joinpath(*kind.package.split("."), f"{name}.py")
        lines = module.read_text().splitlines()
        assert len(lines) <= 110, f"{module} has {len(lines)} lines"
        assert stage_of(name, graph_of(kind)).title


def test_printed_pages_are_in_step() -> None:
    assert (ROOT / "docs/outputs.md").read_text() == outputs.describe(), "run `make docs`"
    assert (ROOT / "docs/settings.md").read_text() == settings.describe(), "run `make docs`"
    for name, kind in KINDS.items():
        assert (ROOT / f"reports/graph-{name}.svg").read_text() == graph.svg(kind), (
            "run `make docs`"
        )
    networks = (ROOT / "docs/published-networks.yaml").read_text()
    assert networks == settings.networks(), "run `make docs`"


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
