"""Published corpora, from their own folders to a cohort that is valid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args, get_type_hints

import pandas as pd
import pytest
import yaml

from eifer.cohort.layout import Cohort
from eifer.errors import InputError, StudyError
from eifer.validation import validate
from flows import cli
from flows.graph import ROOT
from flows.pages import adapting
from flows.pages.adapting import adapt
from flows.workspace import params_of
from stages.params import load_params
from tests.eifer.cohort.adapters.corpora import write_amigos, write_deap, write_ei, write_mahnob

PEOPLE = ("sub-01", "sub-02")


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "few.yaml"
    few = params_of(ROOT / "presets/real.yaml", {"intake.least_participants": 2})
    path.write_text(yaml.safe_dump(few))
    return path


def valid(out: Path) -> Cohort:
    wanted = load_params(out.with_name(f"{out.name}_params.yaml"))
    return validate(
        out,
        waves=wanted.study.waves,
        exclude=wanted.study.exclude,
        faces=wanted.extract,
        ecg=wanted.stratify.ecg,
        spec=wanted.intake,
        each=lambda function, tasks, label: map(function, tasks),
    )


# Of each corpus: its fixture, and videos and ECGs of it that the study can use.
CORPORA: dict[str, tuple[Callable[[Path], Path], int, int]] = {
    "deap": (write_deap, 7, 0),
    "amigos": (write_amigos, 7, 6),
    "mahnob": (write_mahnob, 8, 8),
}


@pytest.mark.parametrize("name", CORPORA)
def test_a_corpus_becomes_a_cohort_that_lacks_its_ei_test_alone(
    tmp_path: Path, preset: Path, models: None, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write, videos, ecgs = CORPORA[name]
    source, out = write(tmp_path / "source"), tmp_path / "bare"
    adapt(name, source, out, ei=None, stimuli=None, preset=preset)
    said = capsys.readouterr()
    assert "missing: the EI test of 2 participants (sub-01, sub-02)" in said.err
    assert f"{videos} videos, {ecgs} ECGs" in said.out
    assert ("missing: every ECG" in said.err) == (ecgs == 0)
    with pytest.raises(InputError) as caught:
        valid(out)
    assert [problem.where for problem in caught.value.problems] == [
        f"{who}/beh/{who}_task-ei_beh.tsv" for who in PEOPLE
    ]
    ei = write_ei(tmp_path / "ei.tsv", *PEOPLE)
    adapt(name, source, tmp_path / "whole", ei=ei, stimuli=None, preset=preset)
    assert "EI test" not in capsys.readouterr().err
    cohort = valid(tmp_path / "whole")
    assert cohort.videos["video_path"].notna().sum() == videos
    assert cohort.videos["ecg_path"].notna().sum() == ecgs
    # What was filmed after the film is cut off.
    assert (cohort.videos["video_s"].dropna() <= cohort.videos["film_s"].dropna() + 0.11).all()
    assert cohort.videos["domain"].value_counts().sort_index().tolist() == (
        [2, 2, 2, 2] if name == "mahnob" else [1, 2, 2, 2] if name == "amigos" else [2, 2, 1, 2]
    )
    labels = cohort.videos["domain"].str[0].eq("H").astype("int64")
    pd.testing.assert_series_equal(cohort.videos["arousal_label"], labels, check_names=False)


def test_what_a_corpus_lacks_is_excluded_with_its_reason(tmp_path: Path, preset: Path) -> None:
    adapt(
        "deap", write_deap(tmp_path / "deap"), tmp_path / "out", ei=None, stimuli=None,
        preset=preset,
    )  # fmt: skip
    exclude = yaml.safe_load((tmp_path / "out_params.yaml").read_text())["study"]["exclude"]
    assert [(e["participant"], e["run"], e["recording"]) for e in exclude] == [
        ("sub-01", None, "ecg"),
        ("sub-02", 4, None),
        ("sub-02", 1, "ecg"),
        ("sub-02", 2, "ecg"),
        ("sub-02", 3, "ecg"),
        ("sub-23", None, None),
    ]
    assert exclude[1]["reason"] == "DEAP has no face video with ratings of a LAHV film"
    assert (
        "left out 4 times: DEAP recorded a plethysmograph" in (tmp_path / "out/README").read_text()
    )


def test_the_cohort_is_written_only_where_nothing_is_lost(tmp_path: Path, preset: Path) -> None:
    source = write_deap(tmp_path / "deap")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not empty"):
        adapt("deap", source, tmp_path / "out", ei=None, stimuli=None, preset=preset)
    assert not (tmp_path / "out_params.yaml").exists()
    (tmp_path / "new_params.yaml").write_text("# with notes")
    with pytest.raises(StudyError, match=r"new_params.yaml is there already"):
        adapt("deap", source, tmp_path / "new", ei=None, stimuli=None, preset=preset)
    assert not (tmp_path / "new").exists()


def test_the_command_knows_every_corpus() -> None:
    kind, _ = get_args(get_type_hints(cli.adapt, include_extras=True)["corpus"])
    assert sorted(get_args(kind)) == sorted(adapting.CORPORA) == sorted(CORPORA)
