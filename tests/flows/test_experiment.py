"""``eifer run --experiment``: an experiment of DVC that the flow computes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from eifer.errors import ParamsError, StudyError
from flows.git import git
from flows.graph import ROOT
from flows.locks import without_flow
from flows.run.experiment import changed, experiment
from tests.flows.made import commit_all
from tests.flows.test_local import tell
from tests.watched import finish, tool


@pytest.fixture
def committed(finished: Path) -> Path:
    """A study that ran, and a commit of its results."""
    params = finished / "params.yaml"
    params.write_text(f"# why\n{params.read_text()}")
    commit_all(finished)
    return finished


def names(study: Path, dvc: Callable[..., str]) -> list[str]:
    return dvc(study, "exp", "list", "--name-only").split()


@pytest.mark.xdist_group("prefect")
@pytest.mark.usefixtures("server")
def test_what_the_flow_computes_is_seen_by_dvc_and_the_way_back_leads_back(
    committed: Path, dvc: Callable[..., str]
) -> None:
    top = committed / "data/split/top"
    tell(committed, "split", "out.mkdir(parents=True)\n(out / 'top').write_text('by this run')")

    done = tool("eifer", "run", "--experiment", "higher", "-S", "top=5", cwd=committed)

    assert done.returncode == 0, done.stderr
    assert names(committed, dvc) == ["higher"]
    assert "top: 5" in (committed / "params.yaml").read_text()
    assert dvc(committed, "status", "--json").strip() == "{}"
    assert top.exists()
    back = done.stdout.strip().partition("back to the commit: ")[2]
    assert finish(["bash", "-c", back], committed).returncode == 0, back
    assert not top.exists()
    assert dvc(committed, "status", "--json").strip() == "{}"
    assert not git(committed, "status", "--porcelain")
    dvc(committed, "exp", "apply", "higher")
    assert top.exists()
    assert (committed / "params.yaml").read_text().startswith("# why\n")


def test_a_run_that_fails_saves_nothing_and_the_same_command_goes_on(
    committed: Path, dvc: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), experiment(committed, "higher", ["top=5"]):
        raise SystemExit(143)
    said = capsys.readouterr().err
    assert "nothing was saved as experiment higher. To go on: the same command; back to" in said
    assert names(committed, dvc) == []
    with experiment(committed, "higher", ["top=5"]):
        dvc(committed, "repro", "--quiet")
    assert names(committed, dvc) == ["higher"]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("taken", "top=5", "experiment taken is there already"),
        ("no name", "top=5", "Invalid exp name no name"),
        ("a/b", "top=5", "Invalid exp name a/b"),
        ("", "top=5", "give it a name"),
        ("new", "tops=5", r"unknown parameter \(1\): tops; did you mean 'top'"),
        ("new", "top", r"not NAME=VALUE \(1\): top"),
        ("new", "top=5,6", r"no change of one parameter \(1\): top=5,6"),
        ("new", "+more=5", "no change of one parameter"),
        ("new", "other.yaml:top=5", "no change of one parameter"),
    ],
)
def test_what_cannot_be_an_experiment_is_refused_before_anything_is_touched(
    committed: Path, name: str, change: str, said: str
) -> None:
    with experiment(committed, "taken", []):
        pass
    before = (committed / "params.yaml").read_bytes()
    with pytest.raises(StudyError, match=said), experiment(committed, name, ["seed=9", change]):
        raise AssertionError("it ran")
    assert (committed / "params.yaml").read_bytes() == before


def test_an_experiment_needs_a_commit_and_a_study_that_no_flow_holds(finished: Path) -> None:
    with pytest.raises(StudyError, match="Add a commit"), experiment(finished, "new", ["top=5"]):
        raise AssertionError("it ran")
    commit_all(finished)
    with (
        without_flow(finished),
        pytest.raises(StudyError, match="another flow is running"),
        experiment(finished, "new", ["top=5"]),
    ):
        raise AssertionError("it ran")
    assert "top: 2" in (finished / "params.yaml").read_text()


def test_the_first_run_of_a_study_may_be_an_experiment(
    fresh: Path, dvc: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    commit_all(fresh)
    with experiment(fresh, "first", ["top=5"]):
        dvc(fresh, "repro", "--quiet")
    assert names(fresh, dvc) == ["first"]
    assert "the commit, which has no dvc.lock" in capsys.readouterr().out


def test_all_faults_of_the_params_are_said_at_once() -> None:
    with pytest.raises(ParamsError) as refused:
        changed(ROOT, ["stats.participants.margin=-3", "stats.participants.margn=1", "seed"])
    for words in ("margin = -3", "margn; did you mean 'stats.participants.margin'", "): seed"):
        assert words in str(refused.value)


@pytest.mark.parametrize("words", [["-S", "a=1"], ["--experiment", "a", "--dry-run"]])
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, words: list[str]) -> None:
    done = tool("eifer", "run", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert "experiment" in done.stderr
