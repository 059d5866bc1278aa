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
from eifer.cohort.folder import Folder
from eifer.cohort.layout import (
    RECORDINGS,
    VIDEO_EXTENSIONS,
    Cohort,
    Exclusion,
    Recording,
    copies,
    hashed,
    read_cohort,
)
from eifer.cohort.place import opened
from eifer.errors import InputError, Problem, RecordingError
from eifer.faces.decoding import check
from eifer.faces.extraction import ExtractSpec, has_face
from eifer.hashing import sha256_file
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
    tell: Callable[[Sequence[Problem]], object] = bool,
) -> Cohort:
    """Read the cohort at ``root``; hash and open every recording that is not excluded.

    Every video is read to its end and searched for a face, but decoded no further
    than to the first one found (`decoding.check`, `has_face`): damage inside a later
    frame shows in extract. Every ECG is read and judged. Where text files are wrong,
    whatever is named as a recording still is opened. ``tell`` hears of problems as they
    are found, which may be long before the last recording is read.

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
        included, recordings = _found(folder, exclude)
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
    tell(problems)
    sha256: dict[str, str] = {}
    work = partial(_opened, root, faces, ecg, spec)
    checked = each(work, recordings, label="checking recordings")
    for (_, name), (content, found) in zip(recordings, checked, strict=True):
        if content is not None:
            sha256[name] = content
        tell(found)
        problems += found
    problems += copies(sha256)
    if cohort is None or problems:
        raise InputError(f"cohort {root}", problems)
    return hashed(cohort, sha256)


def _found(folder: Folder, exclude: Sequence[Exclusion]) -> tuple[int, list[tuple[Recording, str]]]:
    """How many participants have files, and which recordings, as far as names tell.

    What is no file that can be read is passed over: `read_cohort` has named it.
    """
    participants: set[str] = set()
    recordings: list[tuple[Recording, str]] = []
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
                recordings.append((kind, path))
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


def _opened(
    root: Path, faces: ExtractSpec, ecg: EcgSpec, spec: ValidationSpec, recording: tuple[str, str]
) -> tuple[str | None, list[Problem]]:
    """A recording's hash, and what is wrong with it."""
    try:
        content = sha256_file(root / recording[1])
    except OSError as error:
        where = f"{recording[1]}: {error.strerror}"
        return None, [Problem("recording cannot be read", where, EXCLUDE)]
    return content, _recording_problems(root, faces, ecg, spec, recording)


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
        return [Problem("recording cannot be read", str(error), EXCLUDE)]
    except InputError:
        return []  # A sidecar at fault, which `read_cohort` has named.
    return []
