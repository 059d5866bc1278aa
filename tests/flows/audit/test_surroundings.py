"""The packages and the commit, held against the lock and the records."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from flows.audit.study import Recorded
from flows.audit.surroundings import commit, environment
from flows.git import git
from stages._runtime.provenance import RECORDS, sealed
from tests.flows.made import commit_all


def record(study: Path, **content: object) -> None:
    folder = study / RECORDS
    folder.mkdir(parents=True, exist_ok=True)
    known = {"stage": "split", "made": {}, "given": {}, "git": {"commit": None, "changed": []}}
    (folder / "20260101T000000000000_split.json").write_text(sealed(known | content))


def test_packages_are_those_of_the_lock(finished: Path) -> None:
    lock = finished / "requirements.lock"
    lock.write_text(f"pandas=={version('pandas')}\nrich=={version('rich')}+cpu\n")
    record(finished, packages={"Rich": version("rich"), "of-nobody": "1"})
    assert environment(Recorded(finished)).state == "ok"
    lock.write_text("pandas==0.1\nno.such_package==2\n")
    verdict = environment(Recorded(finished))
    assert verdict.places == [f"pandas here is {version('pandas')}, in requirements.lock 0.1"]
    assert verdict.unchecked == ["no-such-package 2 is not installed"]
    record(finished, packages={"rich": "0.1"})
    lock.write_text(f"rich=={version('rich')}\n")
    (place,) = environment(Recorded(finished)).places
    assert place == f"rich was 0.1, is {version('rich')} now (record of split)"
    # One that the study does not have any more says nothing of what it is now.
    former = finished / RECORDS / "20260102T000000000000_split@9.json"
    former.write_text(sealed({"stage": "split@9", "packages": {"rich": "0.0"}}))
    assert environment(Recorded(finished)).places == [place]


def test_a_file_that_is_not_of_the_commit_is_named(finished: Path) -> None:
    assert commit(Recorded(finished)).state == "cannot be checked"
    commit_all(finished)
    here = git(finished, "rev-parse", "HEAD")
    record(finished, git={"commit": here, "changed": []})
    assert commit(Recorded(finished)).state == "ok"
    params = finished / "params.yaml"
    params.write_text(params.read_text() + "# a comment\n")
    assert commit(Recorded(finished)).places == [f"params.yaml: not as in commit {here[:12]}"]
    # The run knew of it.
    record(finished, git={"commit": here, "changed": ["params.yaml"]})
    assert commit(Recorded(finished)).state == "cannot be checked"
    record(finished, git={"commit": "0" * 40, "changed": ["params.yaml"]})
    (place,) = commit(Recorded(finished)).places
    assert place.startswith("split: commit 000000000000 is not known here")
