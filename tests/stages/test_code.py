"""The fingerprints by which DVC sees which stages a change of code is about."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import grimp
import pytest

from eifer.code import fingerprint, reached
from flows.graph import ROOT, declared, stage_of
from stages._runtime.fingerprints import RUNNER, WRITER, modules_of
from tests.watched import finish

GRAPH = grimp.build_graph("eifer", "stages", cache_dir=None)
MODULES = {name: modules_of(stage_of(name), GRAPH) for name in declared() if name != "code"}


def test_a_package_that_is_imported_whole_may_be_used_whole() -> None:
    graph = grimp.ImportGraph()
    for module in ("a", "b", "b.c", "b.c.d", "e", "e.f", "g", "h"):
        graph.add_module(module)
    graph.add_import(importer="a", imported="b")
    graph.add_import(importer="b.c.d", imported="e.f")
    graph.add_import(importer="e", imported="g")
    graph.add_import(importer="a", imported="h")
    graph.add_import(importer="h", imported="g")
    # Of e a module alone was imported, and importing it runs e too.
    found = reached(graph, ["a"], lambda module: module != "h")
    assert found == {"a", "b", "b.c", "b.c.d", "e", "e.f", "g"}
    assert reached(graph, ["h"], lambda module: module != "g") == {"h"}


def test_what_code_says_counts_and_not_how_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    told = {
        "plain": "def f(x):\n    return x + 1\n",
        "commented": "# Why.\ndef f(\n    x,\n):\n    return x + 1  # one more\n",
        "other": "def f(x):\n    return x + 2\n",
    }
    for name, text in told.items():
        (tmp_path / f"said_{name}.py").write_text(text)
    plain, commented, other = (fingerprint(f"said_{name}") for name in told)
    assert plain == commented != other


@pytest.mark.parametrize("name", MODULES)
def test_a_stage_is_its_own_code_its_tables_and_what_they_import(name: str) -> None:
    found = MODULES[name]
    assert {f"stages.{name}", WRITER, "eifer.tables.schema", "eifer.seeding"} <= found
    assert not {RUNNER, "stages.params", "stages._runtime.contracts", "stages.catalogue"} & found
    assert not {f"stages.{other}" for other in MODULES if other != name} & found


def test_examples_of_what_changes_what() -> None:
    def concerned(module: str) -> set[str]:
        return {name for name, found in MODULES.items() if module in found}

    # Also declare, which no code makes run again: it has no input.
    compared = {"declare", "evaluate_external", "stats", "calibrate", "report"}
    assert concerned("eifer.statistics.delong") == compared
    # Given and made tables count where nothing but the catalogue names them.
    assert {"stratify", "split", "report"} <= concerned("eifer.tables.ei")
    assert concerned("eifer.tables.calibration") == {"calibrate", "report"}
    # Found by name in reports/spec.yml.
    assert concerned("eifer.summaries.recovered") == {"report"}
    # `eifer.estimate` is found by name: no study is computed again for it.
    assert not concerned("eifer.video.reading") and "affect" in concerned("eifer")


def test_nothing_in_runtime_but_the_writer_decides_what_a_stage_writes() -> None:
    # They train or ask models for a stage, and count as its own code.
    models = {f"stages._runtime.{name}" for name in ("repetitions", "checkpoints", "answers")}
    decide = {module for found in MODULES.values() for module in found if "_runtime" in module}
    assert decide - models - {"stages._runtime"} == {WRITER}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A copy of the code with params."""
    for name in ("eifer", "flows", "stages"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(ROOT / "presets/demo.yaml", tmp_path / "params.yaml")
    return tmp_path


def run(study: Path, module: str) -> None:
    done = finish([sys.executable, "-m", module], study)
    assert done.returncode == 0, done.stderr


def fingerprints(study: Path) -> dict[str, bytes]:
    run(study, "stages.code")
    return {path.stem: path.read_bytes() for path in study.glob("data/code/stages/*")}


def test_a_change_of_code_changes_the_stages_that_it_is_about(study: Path) -> None:
    before = fingerprints(study)
    assert set(before) == set(MODULES)
    for name, more in {
        "eifer/statistics/delong.py": "WORSE = 1",
        "stages/_runtime/pool.py": "BAR = 1",
        "eifer/faces/decoding.py": "# Said better.",
        "eifer/figures/new_one.py": '"""New."""',
    }.items():
        with (study / name).open("a") as module:
            module.write(f"\n\n{more}\n")
    after = fingerprints(study)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"declare", "evaluate_external", "stats", "calibrate", "report"}
    assert "eifer.figures.new_one" in json.loads(after["report"])["modules"]


def test_a_stage_is_added_as_contributing_says(study: Path) -> None:
    module, lines = re.findall(
        r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL
    )
    (study / "stages/tally.py").write_text(module)
    catalogue = study / "stages/catalogue.py"
    catalogue.write_text(catalogue.read_text().replace("\nFOLDERS", f"\n{lines}\nFOLDERS"))
    run(study, "flows.dvc_yaml")
    blocks = declared(study)
    assert blocks["tally"] == {
        "cmd": "python -m stages.tally",
        "params": ["study.waves"],
        "deps": ["data/intake/videos", "data/code/stages/tally.json"],
        "outs": ["data/tally"],
    }
    assert blocks["report"]["deps"].count("data/tally") == 1
    assert "tally" in fingerprints(study)
