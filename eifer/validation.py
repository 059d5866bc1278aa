"""A whole cohort checked before anything is computed from it: files, videos, ECG, design."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from eifer.cohort.ecg import FORMATS, ecg_files, ecg_sha256, ecg_sidecar, read_ecg
from eifer.cohort.folder import Folder
from eifer.cohort.layout import (
    VIDEO_EXTENSIONS,
    Cohort,
    Exclusion,
    Recording,
    copies,
    hashed,
    read_cohort,
)
from eifer.cohort.place import opened
from eifer.errors import CutShortError, InputError, Problem, RecordingError
from eifer.faces.decoding import check
from eifer.faces.extraction import ExtractSpec, cut_short, has_face
from eifer.hashing import sha256_file
from eifer.physiology.hrv import EcgSpec, ecg_quality
from eifer.ranges import Count, Share

NAME = re.compile(
    r"sub-[0-9A-Za-z]+_task-elicitation_run-(?P<run>[1-4])_"
    rf"(video\.(?P<extension>{'|'.join(VIDEO_EXTENSIONS)})"
    rf"|recording-ecg_physio\.({'|'.join(map(re.escape, FORMATS))}))"
)
EXCLUDE = "mend it, or exclude it with a reason in params.yaml study.exclude"


@dataclass(frozen=True)
class ValidationSpec:
    """What a cohort must hold.

    ``face_samples`` frames of each video are searched for a face until one is
    found, and every frame where none of these has one; ``least_participants``
    is how many the study's design needs. A face video that lasts less than
    ``least_filmed_share`` of its film is a fault, or recorded (`short_face_videos`).
    """

    face_samples: Count
    least_participants: Count
    least_filmed_share: Share
    short_face_videos: Literal["refuse", "record"]


@dataclass(frozen=True)
class Run:
    """The recordings of one run; ``film_s`` from stimuli.tsv.

    ``timed`` is False where the text files are wrong, so that films are not known.
    """

    video: str | None = None
    ecg: str | None = None
    film_s: float | None = None
    timed: bool = True

    def __str__(self) -> str:
        """Name its recordings, for an error."""
        return " or ".join(filter(None, (self.video, self.ecg)))


@dataclass
class Opened:
    """What the recordings of a run are: their hashes by path, what is wrong, how long the video.

    ``declared_s`` is what the video says of its own length, where its end is missing.
    """

    sha256: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    video_s: float | None = None
    declared_s: float | None = None

    @property
    def filmed_s(self) -> float | None:
        """For how long the camera ran, where that is known."""
        return (self.video_s if self.declared_s is None else self.declared_s) or None


def validate(
    root: Path,
    *,
    waves: Sequence[str],
    exclude: Sequence[Exclusion],
    faces: ExtractSpec,
    ecg: EcgSpec,
    spec: ValidationSpec,
    each: Callable[..., Iterable[Any]],
    tell: Callable[[Sequence[Problem]], object] = bool,
) -> Cohort:
    """Read the cohort at ``root``; hash and open every recording that is not excluded.

    Every video is decoded to its end by the code that extract decodes it with, and searched
    for a face up to the first one found (`decoding.check`, `has_face`): what extract would
    refuse is refused here. Every ECG is read and judged. Where text files are wrong, whatever
    is named as a recording still is opened. ``each(function, tasks, label)`` yields
    ``function(task)`` for every task in order; ``label`` names the work to a person. ``tell`` hears
    of problems as they are found, which may be long before the last recording is read.

    The cohort's table of videos is completed: hashes, ``video_s``, which is how long each face
    video is, and ``film_s`` too where stimuli.tsv does not say how long a film is. A video whose
    end is missing is no fault by itself: ``video_declared_s`` tells of it (`cut_videos`).

    Raises
    ------
    InputError
        With everything that is wrong, and what to do about each.
    """
    folder = opened(root)
    cohort: Cohort | None = None
    problems: list[Problem] = []
    try:
        cohort = read_cohort(root, waves=waves, exclude=exclude)
    except InputError as error:
        problems += error.problems
        included, runs = _found(folder, exclude)
    else:
        included = int(cohort.participants["excluded"].isna().sum())
        problems += _without_video(cohort, waves)
        rows = cohort.videos.astype(object).where(cohort.videos.notna(), None)
        runs = [
            Run(row["video_path"], row["ecg_path"], row["film_s"])
            for row in rows.to_dict("records")
        ]
    problems += _too_few(included, spec)
    tell(problems)
    sha256: dict[str, str] = {}
    lengths_s: list[tuple[float | None, ...]] = []
    work = partial(_opened, root, faces, ecg, spec)
    for done in each(work, runs, label="checking recordings"):
        sha256 |= done.sha256
        lengths_s.append((done.video_s, done.declared_s, done.filmed_s))
        tell(done.problems)
        problems += done.problems
    problems += copies(sha256)
    if cohort is None or problems:
        raise InputError(f"cohort {root}", problems)
    names = ["video_s", "video_declared_s", "filmed_s"]
    lengths = pd.DataFrame(lengths_s, cohort.videos.index, names, dtype="float64")
    videos = cohort.videos.assign(**lengths[names[:2]])
    videos["film_s"] = videos["film_s"].fillna(lengths["filmed_s"])
    return hashed(replace(cohort, videos=videos), sha256)


def short_face_videos(videos: pd.DataFrame, spec: ValidationSpec) -> int:
    """How many face videos of VIDEOS last less of their film than the study asks for."""
    return int((videos["video_s"] < spec.least_filmed_share * videos["film_s"]).sum())


def cut_videos(videos: pd.DataFrame) -> list[str]:
    """The face videos of VIDEOS whose end is missing: each by its path, and how much is there."""
    cut = videos[videos["video_declared_s"].notna()]
    columns = ("video_path", "video_s", "video_declared_s")
    return [
        f"{path} is {cut_short(*lengths)}"
        for path, *lengths in zip(*(cut[name] for name in columns), strict=True)
    ]


def _found(folder: Folder, exclude: Sequence[Exclusion]) -> tuple[int, list[Run]]:
    """How many participants have files, and which recordings, as far as names tell.

    What is no file that can be read is passed over: `read_cohort` has named it.
    """
    participants: set[str] = set()
    runs: list[Run] = []
    people = [name for name in folder.names(".") if name.startswith("sub-")]
    for participant in people:
        if any(e.participant == participant and e.whole for e in exclude):
            continue
        for name in folder.names(f"{participant}/beh"):
            participants.add(participant)
            named, path = NAME.fullmatch(name), f"{participant}/beh/{name}"
            if named is None or not folder.usable(path):
                continue
            kind: Recording = "video" if named["extension"] else "ecg"
            if not any(e.covers(participant, int(named["run"]), kind) for e in exclude):
                video, ecg = (path, None) if kind == "video" else (None, path)
                runs.append(Run(video, ecg, timed=False))
    return len(participants), runs


def _too_few(included: int, spec: ValidationSpec) -> list[Problem]:
    if included >= spec.least_participants:
        return []
    return [
        Problem(
            f"too few participants to split: the design needs {spec.least_participants}",
            f"{included} are included",
            "add participants, or lower intake.least_participants in params.yaml, and with it "
            "split.design.test_per_group: each group needs those and two more",
        )
    ]


def _without_video(cohort: Cohort, waves: Sequence[str]) -> list[Problem]:
    filmed = set(cohort.videos.loc[cohort.videos["video_path"].notna(), "wave"])
    remedy = "exclude fewer of its videos, or put its participants in another wave"
    return [
        Problem("wave without a face video", f"params.yaml: {wave!r}", remedy)
        for wave in waves
        if wave not in filmed
    ]


def _opened(root: Path, faces: ExtractSpec, ecg: EcgSpec, spec: ValidationSpec, run: Run) -> Opened:
    """Hash the recordings of a run, open them, and say what is wrong with them."""
    done = Opened()
    for name in filter(None, (run.video, run.ecg)):
        try:
            done.sha256[name] = (ecg_sha256 if name == run.ecg else sha256_file)(root / name)
            # By itself, for a copy of the samples may have another header.
            if name == run.ecg:
                for samples in ecg_files(name)[1:]:
                    done.sha256[samples] = sha256_file(root / samples)
        except OSError as error:
            where = f"{name}: {error.strerror}"
            done.problems.append(Problem("recording cannot be read", where, EXCLUDE))
    if run.video in done.sha256:
        _open_video(root, faces, spec, run, done)
    film_s = run.film_s or done.filmed_s if run.timed else None
    if run.ecg and run.timed and film_s is None and not done.problems:
        remedy = f"give duration_s in stimuli.tsv, or {EXCLUDE}"
        done.problems.append(Problem("ECG of a film of unknown length", run.ecg, remedy))
    elif run.ecg in done.sha256:
        done.problems += _ecg_problems(root, ecg, str(run.ecg), film_s)
    return done


def _open_video(
    root: Path, faces: ExtractSpec, spec: ValidationSpec, run: Run, done: Opened
) -> None:
    name = str(run.video)
    path = root / name
    try:
        try:
            done.video_s = check(path)
        except CutShortError as cut:
            done.video_s, done.declared_s = cut.there_s, cut.declared_s
        samples = spec.face_samples if done.declared_s is None else 0
        if not has_face(path, samples=samples, spec=faces):
            done.problems.append(Problem("video without a face in any frame", name, EXCLUDE))
    except RecordingError as error:
        problem = error.problem or Problem("recording cannot be read", str(error), EXCLUDE)
        done.problems.append(problem)
        return
    film_s = run.film_s or done.filmed_s
    short = run.timed and film_s and done.video_s < spec.least_filmed_share * film_s
    if short and spec.short_face_videos == "refuse":
        where = f"{name}: {done.video_s:.1f} s of a film of {film_s:.1f} s"
        if done.declared_s is not None:
            where += f", {cut_short(done.video_s, done.declared_s)}"
        remedy = f"correct duration_s in stimuli.tsv, {EXCLUDE}; or allow it: short_face_videos"
        done.problems.append(Problem("face video much shorter than its film", where, remedy))


def _ecg_problems(root: Path, ecg: EcgSpec, name: str, film_s: float | None) -> list[Problem]:
    try:
        sidecar = ecg_sidecar(root, name)
        signal = read_ecg(root / name, sidecar)
        quality = ecg_quality(signal, sidecar.hz, ecg, sidecar.start_s, film_s)
    except RecordingError as error:
        return [error.problem or Problem("recording cannot be read", str(error), EXCLUDE)]
    except InputError:
        return []  # A sidecar at fault, which `read_cohort` has named.
    if quality.reason is None:
        return []
    return [Problem("ECG cannot be used", f"{name} ({quality.why})", EXCLUDE)]
