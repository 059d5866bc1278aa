"""A whole cohort checked before anything is computed from it: files, videos, ECG, design."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from eifer.cohort.ecg import ecg_sidecar, read_ecg
from eifer.cohort.layout import (
    RECORDINGS,
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
from eifer.ranges import Count

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
    is how many the study's design needs.
    """

    face_samples: Count
    least_participants: Count


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
        included, recordings = _found(root, exclude)
    else:
        included = int(cohort.participants["excluded"].isna().sum())
        problems += _without_video(cohort, waves)
        recordings = [
            (kind, row[f"{kind}_path"])
            for row in cohort.videos.to_dict("records")
            for kind in RECORDINGS
            if pd.notna(row[f"{kind}_path"])
        ]
    problems += _too_few(included, spec)
    work = partial(_recording_problems, root, faces, ecg, spec)
    for found in each(work, recordings, label="checking recordings"):
        problems += found
    if cohort is None or problems:
        raise InputError(f"cohort {root}", problems)
    return cohort


def _found(root: Path, exclude: Sequence[Exclusion]) -> tuple[int, list[tuple[Recording, str]]]:
    """How many participants have files, and which recordings, as far as names tell.

    Empty files and links out of the folder are passed over: `read_cohort` has named them.
    """
    participants: set[str] = set()
    recordings: list[tuple[Recording, str]] = []
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
            recordings.append((kind, path.relative_to(root).as_posix()))
    return len(participants), recordings


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


def _recording_problems(
    root: Path,
    faces: ExtractSpec,
    ecg: EcgSpec,
    spec: ValidationSpec,
    recording: tuple[str, str],
) -> list[Problem]:
    kind, name = recording
    path = root / name
    try:
        if kind == "video":
            check(path)
            if not has_face(path, samples=spec.face_samples, spec=faces):
                return [Problem("video without a face in any frame", name, EXCLUDE)]
        else:
            sidecar = ecg_sidecar(root, name)
            quality = ecg_quality(read_ecg(path, sidecar), sidecar.hz, ecg)
            if quality.reason is not None:
                return [Problem("ECG cannot be used", f"{name} ({quality.reason})", EXCLUDE)]
    except RecordingError as error:
        return [error.problem or Problem("recording cannot be read", str(error), EXCLUDE)]
    except InputError:
        return []  # A sidecar at fault, which `read_cohort` has named.
    return []
