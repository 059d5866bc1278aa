"""Bytes held against dvc.lock and the records, of studies that lie otherwise than a demo."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from flows.audit.hashes import _paths, outputs, records, unlike
from flows.audit.study import Recorded
from flows.run import lockfile
from stages._runtime import content
from stages._runtime.provenance import RECORDS, sealed

Dvc = Callable[..., str]


@pytest.mark.parametrize("place", ["study/inputs/cohort", "cohort"])
def test_folders_hold_what_dvc_counts(tmp_path: Path, dvc: Dvc, fresh: Path, place: str) -> None:
    """DVC passes over .git and folders that are links, and heeds .dvcignore in the study alone."""
    cohort = tmp_path / place
    for name in (".git/HEAD", "a/video.mp4", "a/notes.tmp", "b.tsv"):
        (cohort / name).parent.mkdir(parents=True, exist_ok=True)
        (cohort / name).write_text(name)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/c.tsv").write_text("c")
    (cohort / "linked").symlink_to(tmp_path / "elsewhere")
    (fresh / ".dvcignore").write_text("*.tmp\n")
    named = "inputs/cohort" if "study" in place else "../cohort"
    (fresh / "dvc.yaml").write_text(
        yaml.safe_dump({"stages": {"x": {"cmd": "true", "deps": [named], "outs": []}}})
    )
    dvc(fresh, "repro", "--quiet")
    (entry,) = lockfile.entries(fresh)["x"]["deps"]
    now = Recorded(fresh).now(named)
    assert (now.md5, now.nfiles, now.size) == (entry["md5"], entry["nfiles"], entry["size"])
    ignored = content.of_study(fresh, named, content.ignored_in(fresh))
    assert bool(ignored) == (named == "inputs/cohort")


def test_a_path_is_the_same_however_it_stands(finished: Path) -> None:
    study = Recorded(finished)
    forms = ("../cohort", "./../cohort", str(finished.parent / "cohort"), "../cohort/")
    assert {tuple(_paths(study, [{"path": form}])) for form in forms} == {("../cohort",)}


def test_recordings_that_are_elsewhere_are_no_difference(finished: Path) -> None:
    params = finished / "params.yaml"
    params.write_text(params.read_text() + "study: {cohort: ../cohort}\n")
    made = {
        str(path.relative_to(finished)): Recorded(finished).hashed(path).sha256
        for path in (finished / "data/intake").rglob("*")
        if path.is_file()
    }
    record = {"stage": "intake", "made": made, "given": {"../cohort/a.mp4": "0" * 64}}
    (finished / RECORDS).mkdir(parents=True)
    (finished / RECORDS / "20260101T000000000000_intake.json").write_text(sealed(record))
    assert not any("a.mp4" in place for place in records(Recorded(finished)).places)
    (finished.parent / "cohort").mkdir()
    assert any("a.mp4" in place for place in records(Recorded(finished)).places)


def test_a_former_instance_does_not_speak_for_an_output(finished: Path) -> None:
    lock = finished / "dvc.lock"
    content_ = yaml.safe_load(lock.read_text())
    former = {"cmd": "python", "outs": [dict(content_["stages"]["split"]["outs"][0], md5="0" * 32)]}
    content_["stages"]["split@former"] = former
    lock.write_text(yaml.safe_dump(content_, sort_keys=False))
    assert unlike(Recorded(finished), [finished / "data/split"]) == []
    shutil.rmtree(finished / "data/split")
    (finished / "data/split").write_text("changed")
    assert unlike(Recorded(finished), [finished / "data/split"])


def test_a_copy_without_git_is_read(finished: Path) -> None:
    shutil.rmtree(finished / ".git")
    assert outputs(Recorded(finished)).state == "ok"
