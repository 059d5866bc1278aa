"""params.yaml of the expressions study: all that is wrong is said at once, in plain words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from eifer.errors import ParamsError
from flows.cli import app
from flows.graph import ROOT
from stages._runtime.kinds import check_study
from stages.expressions.params import check_params
from stages.params import check_params as check_ei

DEMO = (ROOT / "presets/expressions.yaml").read_text()
EI_DEMO = (ROOT / "presets/demo.yaml").read_text()
Change = Callable[[dict[str, Any]], None]


def refused(change: Change) -> str:
    content = yaml.safe_load(DEMO)
    change(content)
    with pytest.raises(ParamsError) as caught:
        check_study(content, "params.yaml")
    return str(caught.value)


def test_every_value_that_is_wrong_by_itself_is_said_at_once() -> None:
    def change(content: dict[str, Any]) -> None:
        content["evaluator"]["size"]["per_cel"] = content["evaluator"]["size"].pop("per_cell")
        content["corpora"]["web cam"] = content["corpora"].pop("webcam")
        content["networks"]["cnn48"]["network"] = "cnn84"
        content["relabel"]["how"]["method"] = "confidant"
        content["split"]["mode"] = "by hand"
        content["train"]["repetitions"] = 0
        content["evaluat"] = content.pop("evaluate")

    said = refused(change)
    assert said.startswith("params.yaml: 9 problems")
    assert "evaluator.size.per_cel; did you mean 'per_cell'?" in said
    assert "evaluat; did you mean 'evaluate'?" in said
    assert "parameter missing (2): evaluator.size.per_cell, evaluate" in said
    assert "corpora.web cam" in said and "no name: 1 to 32 letters" in said
    assert "networks.cnn48.network = 'cnn84'" in said and "'attention'" in said
    assert "relabel.how.method = 'confidant'" in said and "'confident'" in said
    assert "split.mode = 'by hand'" in said and "'official'" in said
    assert "train.repetitions = 0" in said


def test_judges_are_those_whom_the_methods_need() -> None:
    def change(content: dict[str, Any]) -> None:
        content["relabel"]["judges"] = ["published", "none"]

    said = refused(change)
    wanted = "[confident, published], by how (confident_weight) and also (confident_relabel, "
    assert f"judges must be {wanted}published)" in said


def test_all_that_does_not_fit_together_is_said_at_once() -> None:
    def change(content: dict[str, Any]) -> None:
        content["corpora"]["merged"] = content["corpora"].pop("street")
        content["corpora"]["studio"]["path"] = "/data/studio"
        content["train"]["data"] = ["webcma", "without-street", "studio"]
        content["train"]["networks"] = ["cnn49"]
        content["relabel"]["network"] = "judge"
        content["report"]["planted_from"] = "data/corpora"

    said = refused(change)
    assert "train.data: no 'webcma'; did you mean 'webcam'?" in said
    assert "train.data: no 'without-street'; did you mean 'without-studio'?" in said
    assert "corpora: merged means something else; name them otherwise" in said
    assert "corpora.studio.path: '/data/studio' leaves study.corpora" in said
    assert "train.networks: no 'cnn49'; did you mean 'cnn48'?" in said
    assert "relabel.network: no 'judge'" in said
    assert "report.planted_from must be data/draw, by draw.faces" in said


@pytest.mark.parametrize("name", ["merged", "drawn", "all", "specialists"])
def test_a_corpus_has_a_name_that_means_nothing_else(name: str) -> None:
    def change(content: dict[str, Any]) -> None:
        content["corpora"][name] = content["corpora"]["webcam"]

    assert f"corpora: {name} means something else" in refused(change)


def test_one_corpus_cannot_be_merged() -> None:
    content = yaml.safe_load(DEMO)
    content["corpora"] = {"webcam": content["corpora"]["webcam"]}
    for data in (["webcam", "merged"], ["without-webcam"]):
        content["train"]["data"] = data
        with pytest.raises(ParamsError, match="with one corpus there is nothing to merge"):
            check_params(content, "params.yaml")
    content["train"]["data"] = ["webcam"]
    assert check_params(content, "params.yaml").train.data == ("webcam",)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("path", "/data/webcam"),
        ("path", "../webcam"),
        ("path", "webcam/../../webcam"),
        ("path", ".."),
        ("votes", "/data/fer2013new.csv"),
        ("votes", "../fer2013new.csv"),
    ],
)
def test_a_corpus_stays_in_the_folder_that_dvc_watches(key: str, path: str) -> None:
    said = refused(lambda content: content["corpora"]["webcam"].update({key: path}))
    assert f"corpora.webcam.{key}: {path!r} leaves study.corpora; give a place in it" in said


@pytest.mark.parametrize("path", [".", "webcam", "./faces/webcam", "faces_*.parquet", "a..b"])
def test_a_corpus_may_lie_anywhere_in_it(path: str) -> None:
    content = yaml.safe_load(DEMO)
    content["corpora"]["webcam"]["path"] = path
    assert check_params(content, "params.yaml").corpora["webcam"].path == path


def test_the_report_reads_what_was_planted_only_where_it_was_drawn() -> None:
    content = yaml.safe_load(DEMO)
    content["draw"] = {"faces": [], "planted": None}
    content["study"]["corpora"] = "/data/corpora"
    with pytest.raises(ParamsError, match=r"planted_from must be data/corpora, by draw\.faces"):
        check_params(content, "params.yaml")
    content["report"]["planted_from"] = "data/corpora"
    assert check_params(content, "params.yaml").draw.planted is None


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("expresions", "protocol 'expresions' is none of ei, expressions; did you mean 'express"),
        (None, "protocol None is none of ei, expressions"),
        (["expressions"], "is none of ei, expressions"),
    ],
)
def test_a_protocol_that_is_not_known(word: object, said: str) -> None:
    assert said in refused(lambda content: content.update(protocol=word))


def test_either_study_refuses_the_params_of_the_other() -> None:
    with pytest.raises(ParamsError, match="is of another kind of study"):
        check_ei(yaml.safe_load(DEMO), "params.yaml")
    with pytest.raises(ParamsError, match="is of an EI study: it has no word protocol"):
        check_params(yaml.safe_load(EI_DEMO), "params.yaml")
    # A word is not enough: what the file says must be of that study.
    with pytest.raises(ParamsError, match="unknown parameter"):
        check_study(yaml.safe_load(EI_DEMO) | {"protocol": "expressions"}, "params.yaml")


def test_commands_of_the_ei_study_refuse_params_of_expressions(tmp_path: Path) -> None:
    params = str(ROOT / "presets/expressions.yaml")
    out = tmp_path / "cohort"
    (tmp_path / "empty").mkdir()
    for words in (
        ["simulate", str(out), "--params", params],
        ["validate", str(tmp_path / "empty"), "--params", params],
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 1, words
        assert "another kind of study" in done.output
        assert "Traceback" not in done.output
    assert os.listdir(tmp_path) == ["empty"]
