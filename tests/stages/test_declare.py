from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eifer.comparison.declaration import declaration
from flows.dvc_yaml import deps
from flows.graph import ROOT, declared, stage_of
from stages import catalogue
from stages.params import load_params


def test_dvc_knows_no_input_of_it_so_that_nothing_runs_it_again() -> None:
    assert deps(stage_of("declare")) == []
    assert stage_of("declare").params == ()


@pytest.mark.parametrize("name", ["pretrain_ei", "train_total"])
def test_the_first_trainings_have_the_declaration_as_an_input(name: str) -> None:
    assert catalogue.DECLARATION.path in declared()[name]["deps"]


def test_it_writes_down_what_params_declare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    stage_of("declare")({})
    written = json.loads(Path(catalogue.DECLARATION.path).read_text())
    params = load_params(Path("params.yaml"))
    assert written == declaration(params.stats.participants)
    # No other parameter can be read: DVC is told of none.
    assert stage_of("declare").frozen == ("stats.participants",)
    report = json.loads(Path("data/declare/report.json").read_text())
    assert written["sha256"] in report["methods"]
