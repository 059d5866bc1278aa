"""A whole cohort checked before anything is computed from it: files, videos, ECG, design."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from eifer.cohort.layout import Cohort, Exclusion, ecg_sidecar, read_cohort, read_ecg
from eifer.errors import InputError, Problem, RecordingError
from eifer.faces.decoding import check
from eifer.faces.extraction import ExtractSpec, has_face
from eifer.physiology.hrv import EcgSpec, ecg_quality

EXCLUDE = "mend it, or exclude it with a reason in params.yaml study.exclude"


@dataclass(frozen=True)
class ValidationSpec:
    """What a cohort must hold.

    ``face_samples`` frames of each video are searched for a face until one is
    found; ``least_participants`` is how many the study's design needs.
    """

    face_samples: int
    least_participants: int


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

    Every video is probed and searched for a face, and every ECG judged, also where
    the text files are wrong: then the recordings are those that are named as such.

    Raises
    ------
    InputError
        With everything that is wrong, and what to do about each.
    """
    cohort = read_cohort(root, waves=waves, exclude=exclude, workers=workers)
    problems = _too_few(cohort, spec)
    work = partial(_recording_problems, root, faces, ecg, spec)
    recordings = [
        (kind, row[f"{kind}_path"])
        for row in cohort.videos.to_dict("records")
        for kind in ("video", "ecg")
        if pd.notna(row[f"{kind}_path"])
    ]
    for found in each(work, recordings, "checking recordings"):
        problems += found
    if problems:
        raise InputError(f"cohort {root}", problems)
    return cohort


def _too_few(cohort: Cohort, spec: ValidationSpec) -> list[Problem]:
    included = int(cohort.participants["excluded"].isna().sum())
    if included >= spec.least_participants:
        return []
    return [
        Problem(
            f"too few participants to split: the design needs {spec.least_participants}",
            f"{included} are included",
            "add participants, or ask for a smaller test set in params.yaml split",
        )
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
                what = f"video without a face in any of {spec.face_samples} frames looked at"
                return [Problem(what, name, EXCLUDE)]
        else:
            sidecar = ecg_sidecar(root, name)
            quality = ecg_quality(read_ecg(path, sidecar), sidecar.hz, ecg)
            if quality.reason is not None:
                return [Problem("ECG cannot be used", f"{name} ({quality.reason})", EXCLUDE)]
    except RecordingError as error:
        return [Problem("recording cannot be read", str(error), EXCLUDE)]
    return []
