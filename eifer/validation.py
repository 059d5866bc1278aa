"""A whole cohort checked before anything is computed from it: files, videos, ECG, design."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import pandas as pd

from eifer.cohort.ecg import ecg_sidecar, read_ecg
from eifer.cohort.layout import (
    VIDEO_EXTENSIONS,
    Cohort,
    Exclusion,
    Recording,
    read_cohort,
)
from eifer.errors import InputError, Problem, RecordingError
from eifer.faces.decoding import check
from eifer.faces.extraction import ExtractSpec, has_face
from eifer.physiology.hrv import EcgSpec, ecg_quality
from eifer.ranges import Count, Share
from eifer.tables.cohort import VIDEOS

NAME = re.compile(
    r"sub-[0-9A-Za-z]+_task-elicitation_run-(?P<run>[1-4])_"
    rf"(video\.(?P<extension>{'|'.join(VIDEO_EXTENSIONS)})|recording-ecg_physio\.tsv\.gz)"
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


class Each(Protocol):
    """Something that applies a function to every task and yields the results in order."""

    def __call__(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], label: str
    ) -> Iterable[Any]:
        """Yield ``function(task)`` for every task; ``label`` names the work to a person."""


def validate(
    root: Path,
    *,
    waves: Sequence[str],
    exclude: Sequence[Exclusion],
    faces: ExtractSpec,
    ecg: EcgSpec,
    spec: ValidationSpec,
    each: Each,
    workers: int = 1,
) -> Cohort:
    """Read the cohort at ``root`` and open every recording that is not excluded.

    Every video is decoded to its end by the code that extract decodes it with, and searched
    for a face up to the first one found (`decoding.check`, `has_face`): what extract would
    refuse is refused here. Every ECG is read and judged. Where text files are wrong, whatever
    is named as a recording still is opened.

    The cohort's table of videos is completed: ``video_s`` is how long each face video is, and
    ``film_s`` too where stimuli.tsv does not say how long a film is.

    Raises
    ------
    InputError
        With everything that is wrong, and what to do about each.
    """
    cohort: Cohort | None = None
    problems: list[Problem] = []
    try:
        cohort = read_cohort(root, waves=waves, exclude=exclude, workers=workers)
    except InputError as error:
        if not root.is_dir():
            raise
        problems += error.problems
        included, runs = _found(root, exclude)
    else:
        included = int(cohort.participants["excluded"].isna().sum())
        problems += _without_video(cohort, waves)
        rows = cohort.videos.astype(object).where(cohort.videos.notna(), None)
        runs = [
            Run(row["video_path"], row["ecg_path"], row["film_s"])
            for row in rows.to_dict("records")
        ]
    problems += _too_few(included, spec)
    work = partial(_opened, root, faces, ecg, spec)
    lengths_s = []
    for found, video_s in each(work, runs, label="checking recordings"):
        problems += found
        lengths_s.append(video_s)
    if cohort is None or problems:
        raise InputError(f"cohort {root}", problems)
    videos = cohort.videos.assign(video_s=lengths_s)
    videos["film_s"] = videos["film_s"].fillna(videos["video_s"].astype("float64"))
    return replace(cohort, videos=VIDEOS.conform(videos))


def short_face_videos(videos: pd.DataFrame, spec: ValidationSpec) -> int:
    """How many face videos of VIDEOS last less of their film than the study asks for."""
    return int((videos["video_s"] < spec.least_filmed_share * videos["film_s"]).sum())


def _found(root: Path, exclude: Sequence[Exclusion]) -> tuple[int, list[Run]]:
    """How many participants have files, and which recordings, as far as names tell.

    Empty files and links out of the folder are passed over: `read_cohort` has named them.
    """
    participants: set[str] = set()
    runs: list[Run] = []
    for path in sorted(root.glob("sub-*/beh/*")):
        participant = path.parts[-3]
        if any(e.participant == participant and e.whole for e in exclude):
            continue
        participants.add(participant)
        named = NAME.fullmatch(path.name)
        inside = path.resolve().is_relative_to(root.resolve())
        if named is None or not inside or not path.is_file() or not path.stat().st_size:
            continue
        kind: Recording = "video" if named["extension"] else "ecg"
        if not any(e.covers(participant, int(named["run"]), kind) for e in exclude):
            name = path.relative_to(root).as_posix()
            video, ecg = (name, None) if kind == "video" else (None, name)
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


def _opened(
    root: Path, faces: ExtractSpec, ecg: EcgSpec, spec: ValidationSpec, run: Run
) -> tuple[list[Problem], float | None]:
    """What is wrong with the recordings of a run, and how long its face video is."""
    problems, video_s = _video_problems(root, faces, spec, run) if run.video else ([], None)
    film_s = run.film_s or video_s if run.timed else None
    if run.ecg and run.timed and film_s is None and not problems:
        remedy = f"give duration_s in stimuli.tsv, or {EXCLUDE}"
        problems.append(Problem("ECG of a film of unknown length", run.ecg, remedy))
    elif run.ecg:
        problems += _ecg_problems(root, ecg, run.ecg, film_s)
    return problems, video_s


def _video_problems(
    root: Path, faces: ExtractSpec, spec: ValidationSpec, run: Run
) -> tuple[list[Problem], float | None]:
    name = str(run.video)
    path = root / name
    problems = []
    try:
        video_s = check(path)
        if not has_face(path, samples=spec.face_samples, spec=faces):
            problems.append(Problem("video without a face in any frame", name, EXCLUDE))
    except RecordingError as error:
        return [error.problem or Problem("recording cannot be read", str(error), EXCLUDE)], None
    short = run.film_s is not None and video_s < spec.least_filmed_share * run.film_s
    if short and spec.short_face_videos == "refuse":
        where = f"{name}: {video_s:.1f} s of a film of {run.film_s:.1f} s"
        remedy = f"correct duration_s in stimuli.tsv, {EXCLUDE}; or allow it: short_face_videos"
        problems.append(Problem("face video much shorter than its film", where, remedy))
    return problems, video_s


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
