"""A cohort checked as a whole; opening a recording is stood in for, and tested where it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eifer import validation
from eifer.cohort.layout import Exclusion
from eifer.errors import CutShortError, InputError, Problem, RecordingError
from eifer.hashing import sha256_file
from eifer.validation import ValidationSpec, validate
from tests.eifer.cohort.conftest import stimuli, write_cohort
from tests.eifer.cohort.ecg_files import write_wfdb

SPEC = ValidationSpec(
    face_samples=3, least_participants=2, least_filmed_share=0.9, short_face_videos="refuse"
)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Two people whose recordings are a few bytes, of one wave; films of 6 s."""
    root = write_cohort(tmp_path / "cohort")
    people = "participant_id\tage\tsex\nsub-01\t21\tF\nsub-02\t22\tM\n"
    (root / "participants.tsv").write_text(people)
    films_last(root, "6")
    return root


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recordings that were opened; a file of b"bad" cannot be read, and the end is missing
    of one of b"cut" and how many s are there and declared.
    """
    seen: list[str] = []

    def look(path: Path) -> float:
        seen.append(path.name)
        if path.read_bytes() == b"bad":
            raise RecordingError(f"{path.name}: not a video")
        if path.read_bytes().startswith(b"cut"):
            error = CutShortError(f"{path.name}: cut short")
            error.there_s, error.declared_s = map(float, path.read_bytes().split()[1:])
            raise error
        return 6.0

    monkeypatch.setattr(validation, "check", look)

    def shows(path: Path, samples: int, spec: object) -> bool:
        content = path.read_bytes()
        # In a video whose end is missing, nothing is sought there.
        assert samples == (0 if content.startswith(b"cut") else SPEC.face_samples)
        return content != b"wall"

    monkeypatch.setattr(validation, "has_face", shows)
    monkeypatch.setattr(validation, "read_ecg", lambda path, sidecar: look(path))
    monkeypatch.setattr(validation, "ecg_quality", lambda *_: SimpleNamespace(reason=None))
    return seen


def in_turn(function: Callable[[Any], Any], tasks: Sequence[Any], label: str) -> Iterable[Any]:
    return map(function, tasks)


def checked(
    root: Path, *exclude: Exclusion, waves: Sequence[str] = ("1",), **otherwise: object
) -> Any:
    given: Any = {"faces": None, "ecg": None, "spec": SPEC, "each": in_turn} | otherwise
    return validate(root, waves=waves, exclude=exclude, **given)


def complaint(root: Path, *exclude: Exclusion, waves: Sequence[str] = ("1",)) -> str:
    with pytest.raises(InputError) as caught:
        checked(root, *exclude, waves=waves)
    return str(caught.value)


def films_last(root: Path, seconds: str) -> None:
    (root / "stimuli.tsv").write_text(stimuli(seconds))


def video(root: Path, run: int) -> Path:
    return root / f"sub-01/beh/sub-01_task-elicitation_run-{run}_video.mp4"


def test_a_valid_cohort_is_handed_on_with_every_recording_opened(
    cohort: Path, opened: list[str]
) -> None:
    found = checked(cohort)
    assert len(found.videos) == 8 and len(opened) == len(set(opened)) == 16


def test_recordings_are_opened_also_where_the_text_files_are_wrong(cohort: Path) -> None:
    video(cohort, 1).write_bytes(b"bad")
    video(cohort, 2).write_bytes(b"wall")
    (cohort / "stimuli.tsv").unlink()
    text = complaint(cohort, waves=("1", "2"))
    assert "4 problems" in text
    assert "missing file or folder (1): stimuli.tsv" in text
    assert "wave without participants (1)" in text
    assert "recording cannot be read (1): sub-01_task-elicitation_run-1_video.mp4" in text
    assert "video without a face in any frame (1): sub-01/beh/" in text


def test_what_is_named_once_is_not_named_again(cohort: Path, opened: list[str]) -> None:
    video(cohort, 1).write_bytes(b"")
    video(cohort, 2).rename(cohort.parent / "outside.mp4")
    video(cohort, 2).symlink_to(cohort.parent / "outside.mp4")
    video(cohort, 3).rename(video(cohort, 3).with_name("misnamed.mp4"))
    sidecar = cohort / "task-elicitation_recording-ecg_physio.json"
    sidecar.write_text(sidecar.read_text().replace("SamplingFrequency", "Frequency"))
    text = complaint(cohort)
    # Empty; a link out of the folder, which is not followed; misnamed, hence missing; a sidecar.
    assert "zero-byte file (1)" in text and "link that leads out" in text
    assert "misnamed.mp4" in text and "sidecar without SamplingFrequency (1)" in text
    assert "recording cannot be read" not in text
    assert not {"misnamed.mp4", video(cohort, 1).name, video(cohort, 2).name} & set(opened)


def test_what_is_excluded_is_not_opened(cohort: Path, opened: list[str]) -> None:
    video(cohort, 1).write_bytes(b"bad")
    exclude = Exclusion("sub-01", "camera fell", run=1, recording="video")
    assert len(checked(cohort, exclude).videos) == 8
    # Nor where something else is wrong, and the recordings are found by name.
    (cohort / "sub-02/beh/sub-02_task-ei_beh.tsv").unlink()
    assert "1 problem\n" in complaint(cohort, exclude)
    assert video(cohort, 1).name not in opened


@pytest.mark.parametrize("broken", [False, True])
def test_too_few_participants_are_counted_after_exclusions(cohort: Path, broken: bool) -> None:
    if broken:
        (cohort / "stimuli.tsv").unlink()
    text = complaint(cohort, Exclusion("sub-02", "withdrew consent"))
    assert "too few participants to split: the design needs 2 (1): 1 are included" in text
    # The remedy names what decides.
    assert "lower intake.least_participants" in text and "split.design.test_per_group" in text


def test_a_wave_of_which_every_video_is_excluded_is_named(cohort: Path) -> None:
    people = cohort / "participants.tsv"
    people.write_text(
        "participant_id\tage\tsex\twave\nsub-01\t21\tF\tspring\nsub-02\t22\tM\tautumn\n"
    )
    waves = ("spring", "autumn")
    films = Exclusion("sub-01", "camera fell", recording="video")
    assert len(checked(cohort, waves=waves).videos) == 8
    text = complaint(cohort, films, waves=waves)
    assert "1 problem\n" in text
    assert "wave without a face video (1): params.yaml: 'spring'" in text


def give(root: Path, kind: str, one: tuple[str, int], other: tuple[str, int]) -> None:
    """The recording of ``one`` to ``other`` as well: participant and run."""
    names = [
        root / f"{who}/beh/{who}_task-elicitation_run-{run}_{kind}" for who, run in (one, other)
    ]
    names[1].write_bytes(names[0].read_bytes())


VIDEO, ECG = "video.mp4", "recording-ecg_physio.tsv.gz"


@pytest.mark.parametrize("kind", [VIDEO, ECG])
@pytest.mark.parametrize("other", [("sub-02", 1), ("sub-02", 3), ("sub-01", 2)])
@pytest.mark.parametrize("broken", [False, True])
def test_a_recording_under_two_names_is_named_with_both(
    cohort: Path, kind: str, other: tuple[str, int], broken: bool
) -> None:
    give(cohort, kind, ("sub-01", 1), other)
    if broken:
        (cohort / "stimuli.tsv").unlink()
    text = complaint(cohort)
    assert f"{1 + broken} problem" in text and "the same recording under several names (1)" in text
    assert f"sub-01_task-elicitation_run-1_{kind} = {other[0]}/beh/" in text
    # Left out of the study, the copy harms nobody.
    exclude = Exclusion(
        other[0], "copied", run=other[1], recording="ecg" if kind == ECG else "video"
    )
    assert broken or len(checked(cohort, exclude).videos) == 8


def test_samples_under_two_headers_are_named(cohort: Path) -> None:
    for who, unit in (("sub-01", "mV"), ("sub-02", "uV")):
        name = f"{who}_task-elicitation_run-1_recording-ecg_physio"
        path = cohort / who / "beh" / f"{name}.hea"
        path.with_name(f"{name}.tsv.gz").unlink()
        near = {"Columns": ["ECG"], "ECG": {"Units": unit}}
        path.with_suffix(".json").write_text(json.dumps(near))
        write_wfdb(path, {"ECG": np.arange(500)}, 250, gain=f"1/{unit}")
    text = complaint(cohort)
    assert "the same recording under several names (1): sub-01/beh/" in text
    assert "physio.dat = sub-02" in text and "1 problem" in text


def test_hashes_are_handed_on_and_faults_are_told_when_found(cohort: Path) -> None:
    names = [video(cohort, 1), video(cohort, 2)]
    found = checked(cohort).videos.set_index("video_path")["video_sha256"]
    assert found[names[0].relative_to(cohort).as_posix()] == sha256_file(names[0])
    video(cohort, 3).write_bytes(b"bad")
    (cohort / "sub-02/beh/sub-02_task-ei_beh.tsv").unlink()
    told: list[str] = []

    def watched(function: Callable[[Any], Any], tasks: Sequence[Any], label: str) -> Iterable[Any]:
        assert told == ["missing file or folder"]
        yield from map(function, tasks)

    def tell(problems: Sequence[Problem]) -> None:
        told.extend(problem.what for problem in problems)

    with pytest.raises(InputError):
        checked(cohort, each=watched, tell=tell)
    assert told == ["missing file or folder", "recording cannot be read"]


def test_a_recording_that_goes_away_meanwhile_is_a_problem(
    cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: Path) -> str:
        raise FileNotFoundError(2, "No such file or directory", str(path))

    monkeypatch.setattr(validation, "sha256_file", gone)
    monkeypatch.setattr(validation, "ecg_sha256", gone)
    assert "recording cannot be read (16): sub-01/beh/" in complaint(cohort)


@pytest.mark.parametrize("broken", [False, True])
def test_what_is_linked_to_itself_is_one_problem(cohort: Path, broken: bool) -> None:
    video(cohort, 1).unlink()
    video(cohort, 1).symlink_to(video(cohort, 1).name)
    if broken:
        (cohort / "stimuli.tsv").unlink()
    assert f"{1 + broken} problem" in complaint(cohort)


def test_films_are_as_long_as_stimuli_tsv_says_else_as_the_face_video(cohort: Path) -> None:
    videos = checked(cohort).videos
    assert set(videos["film_s"]) == set(videos["video_s"]) == {6.0}
    films_last(cohort, "6.5")
    assert set(checked(cohort).videos["film_s"]) == {6.5}
    films_last(cohort, "n/a")
    assert set(checked(cohort).videos["film_s"]) == {6.0}
    text = complaint(cohort, Exclusion("sub-01", "camera fell", run=1, recording="video"))
    assert "ECG of a film of unknown length (1): sub-01/beh/" in text
    assert "give duration_s in stimuli.tsv" in text
    # Nobody needs a film whose ECG is excluded as well.
    nothing = Exclusion("sub-01", "power cut", run=1)
    assert len(checked(cohort, nothing).videos) == 7


@pytest.mark.parametrize(("film", "short"), [("6.6", 0), ("6.7", 8), ("56", 8), ("360", 8)])
def test_face_videos_much_shorter_than_their_film_are_refused_or_counted(
    cohort: Path, film: str, short: int
) -> None:
    films_last(cohort, film)
    allowed = replace(SPEC, short_face_videos="record")
    found = checked(cohort, spec=allowed)
    assert validation.short_face_videos(found.videos, allowed) == short
    if short:
        text = complaint(cohort)
        assert "face video much shorter than its film (8): sub-01/beh/" in text
        assert f"6.0 s of a film of {float(film):.1f} s" in text and "and 3 more" in text
    else:
        assert len(checked(cohort).videos) == 8


def test_the_ecg_is_judged_in_the_films_time(cohort: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar = cohort / "task-elicitation_recording-ecg_physio.json"
    sidecar.write_text(sidecar.read_text().replace('"StartTime": 0', '"StartTime": -60'))
    seen: set[tuple[object, ...]] = set()

    why = "film_not_covered: 3.0 s of a film of 6.0 s at 250 Hz"

    def judge(signal: object, hz: float, spec: object, *when: object) -> SimpleNamespace:
        seen.add((hz, *when))
        return SimpleNamespace(reason="film_not_covered", why=why)

    monkeypatch.setattr(validation, "ecg_quality", judge)
    text = complaint(cohort)
    assert seen == {(250.0, -60.0, 6.0)}
    assert "ECG cannot be used (8): sub-01/beh/" in text
    assert f"({why})" in text


def test_a_video_whose_end_is_missing_is_kept_and_told(cohort: Path) -> None:
    video(cohort, 1).write_bytes(b"cut 5.5 6.0")
    videos = checked(cohort).videos.set_index("video_path")
    name = video(cohort, 1).relative_to(cohort).as_posix()
    lengths = ["video_s", "video_declared_s", "film_s"]
    assert videos.loc[name, lengths].tolist() == [5.5, 6.0, 6.0]
    assert videos.drop(name)["video_declared_s"].isna().all()
    told = validation.cut_videos(videos.reset_index())
    assert told == [f"{name} is cut short: 5.50 s there, 6.00 s declared"]


@pytest.mark.parametrize("film", ["6", "n/a"])
def test_too_little_of_a_video_is_refused_or_counted_by_its_films_length(
    cohort: Path, film: str
) -> None:
    """By the length that it declares, where nothing else says how long the film is."""
    films_last(cohort, film)
    video(cohort, 1).write_bytes(b"cut 3.0 6.0")
    text = complaint(cohort)
    assert (
        "1 problem\n" in text and "face video much shorter than its film (1): sub-01/beh/" in text
    )
    assert "3.0 s of a film of 6.0 s, cut short: 3.00 s there, 6.00 s declared" in text
    allowed = replace(SPEC, short_face_videos="record")
    found = checked(cohort, spec=allowed)
    assert validation.short_face_videos(found.videos, allowed) == 1
    assert set(found.videos["film_s"]) == {6.0}


def test_a_film_of_which_only_a_part_is_known_is_of_unknown_length(cohort: Path) -> None:
    films_last(cohort, "n/a")
    video(cohort, 1).write_bytes(b"cut 3.0 0.0")
    assert "ECG of a film of unknown length (1): sub-01/beh/" in complaint(cohort)
    without = Exclusion("sub-01", "electrode came off", run=1, recording="ecg")
    videos = checked(cohort, without).videos
    assert videos["film_s"].isna().sum() == 1
    (told,) = validation.cut_videos(videos)
    assert told.endswith("cut short: 3.00 s there, no length declared")
