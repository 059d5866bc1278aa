"""Every face of a video in a table: where, who, which arousal, valence and expression.

What the models say of a frame is kept until the video is finished, so that a reading that was
stopped goes on. All else (decoding, who is who) is done again then, and cheap.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eifer.affect import estimators
from eifer.affect.blendshapes import FITTED
from eifer.affect.expression import PUBLISHED
from eifer.affect.network import WeightsSpec
from eifer.errors import ParamsError, RecordingError, did_you_mean
from eifer.faces import decoding, detection, landmarks
from eifer.faces.crops import CropSpec, aligned
from eifer.hashing import sha256_code, sha256_file
from eifer.tables.video import CHANCE, FACE, faces_table
from eifer.video.tracks import Looks, Tracks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eifer.affect.estimators import Choice
    from eifer.affect.seeing import Seeing

    Image = NDArray[np.uint8]

PART_FRAMES = 200
"""Frames that are kept at a time: what a stop can cost."""
CERTAIN = 0.5
"""Probability from which on an expression is called certain; benchmarks/expression.py says why."""
DECIMALS = 4
ALONE_S = 1.0
"""What a video of a single frame lasts: nobody knows."""
TOLD = 10
"""From this place on a face's row goes into the table; before it are the detector's five points."""
CODE = ("faces", "affect", "video", "tables/video.py")
PACKAGES = (
    "ai-edge-litert",
    "av",
    "lapx",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pandas",
)


@dataclass(frozen=True)
class ReadingSpec:
    """How a video is looked at.

    Parameters
    ----------
    per_second
        Frames looked at in a second, at most: the first of each ``1 / per_second`` s.
    detector_width_px
        Working width of the detector: frames wider than this are shrunk to it.
    min_face_score, min_presence
        What detector and mesh must say (0..1) for a face to be one, and to be read.
    crop
        What the estimator is shown.
    """

    per_second: float = 10.0
    detector_width_px: int = 640
    min_face_score: float = 0.7
    min_presence: float = 0.5
    crop: CropSpec = field(default_factory=lambda: CropSpec(64, 0.36, 0.4))


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes
    ----------
    faces
        The table `eifer.tables.video.faces_table`.
    duration_s
        To the end of the last frame that could be decoded.
    cut_short
        Why the video could not be decoded to its end; empty where it could.
    """

    faces: pd.DataFrame
    duration_s: float
    cut_short: str


class Reader:
    """Reads videos with one estimator; its models are opened once.

    Parameters
    ----------
    estimator
        What reads a face.
    identity
        All that a table follows from beside the video and ``spec``.
    spec
        How a video is looked at.

    Raises
    ------
    AssetError
        If a model file is not there (`eifer assets --fetch`).
    """

    def __init__(self, estimator: Seeing, identity: str, spec: ReadingSpec) -> None:
        self.spec, self.table = spec, faces_table(estimator.columns)
        self._estimator, self._identity = estimator, identity
        self.finder = detection.detector(width_px=spec.detector_width_px, score=spec.min_face_score)
        self._mesher = landmarks.landmarker()
        self.looks = Looks()
        self._width = TOLD + len(FACE) + 2 + len(estimator.columns)
        self._nothing = np.full((1, self._width - TOLD + 1), np.nan)

    def __call__(
        self,
        path: Path,
        kept: Path | None = None,
        seen: Callable[[float, Image, NDArray[np.float64]], None] = lambda time_s, rgb, faces: None,
    ) -> Reading:
        """Read the video at ``path``.

        Parameters
        ----------
        path
            An mp4, mov, mkv, webm or avi file.
        kept
            Folder for what this reading has seen so far, so that it goes on there if it is
            stopped. None: nothing is kept.
        seen
            Called with the time in s of each frame that was looked at, the frame, and of each
            face in it the person, the box (x, y, w, h; px) and the detector's score,
            ``[faces, 6]``: missing where there is none.

        Raises
        ------
        RecordingError
            If not one frame can be decoded; see `decoding.frames`.
        """
        store = _Store(self._found, kept)
        tracks, parts, last_s, why = Tracks(self.looks), [], 0.0, ""
        count = 0
        try:
            for frame, time_s, rgb in decoding.at_rate(path, self.spec.per_second):
                last_s, count = time_s, frame + 1
                if rgb is not None:
                    found = store.found(frame, rgb)
                    people = tracks(time_s, rgb, [_face(row) for row in found])
                    told = np.column_stack([people, found[:, TOLD:]]) if people else self._nothing
                    place = np.full((len(told), 2), (frame, time_s))
                    parts.append(np.column_stack([place, told]))
                    seen(time_s, rgb, told[:, :6])
        except RecordingError as error:
            # What can be decoded is kept, and what cannot is said, without the place of the video.
            if not parts:
                raise
            why = str(error).removeprefix(f"{path}: ")
        step_s = 1 / decoding.mean_fps(count, last_s) if last_s else ALONE_S
        return Reading(self._conformed(np.concatenate(parts)), round(last_s + step_s, 6), why)

    def _found(self, rgb: Image) -> NDArray[np.float64]:
        """What is measured of each face, ``[faces, TOLD + measures]``, from left to right."""
        rows = []
        for face in sorted(self.finder(rgb), key=lambda face: face.box):
            mesh = self._mesher(rgb, face)
            if mesh.presence >= self.spec.min_presence:
                crop = aligned(rgb, mesh.five()[:2].astype(float), self.spec.crop)
                said = self._estimator.see(crop, mesh.shapes).tolist()
            else:
                said = [np.nan] * (2 + len(self._estimator.columns))
            measured = [face.score, mesh.presence, mesh.eye_closed, *mesh.pose()]
            rows.append([*face.points.ravel().tolist(), *face.box, *measured, *said])
        return np.array(rows, float).reshape(-1, self._width)

    def _conformed(self, rows: NDArray[np.float64]) -> pd.DataFrame:
        columns = self._estimator.columns
        chances = [f"{name}{CHANCE}" for name in columns]
        names = ["frame", "time_s", "person", *(column.name for column in FACE)]
        faces = pd.DataFrame(rows, columns=[*names, "arousal", "valence", *chances])
        kept = {n: 2 if n.endswith("_px") else DECIMALS for n in faces.columns}
        faces = faces.round(kept | {"time_s": 6})
        if columns:
            read, of = faces[chances].notna().all(axis=1), faces[chances].to_numpy()
            best = np.nan_to_num(of, nan=0.0).argmax(axis=1)
            faces["expression"] = pd.Series(np.array(columns)[best]).where(read, None)
            faces["uncertain"] = read & (np.nan_to_num(of, nan=0.0).max(axis=1) < CERTAIN)
        return self.table.conform(faces)

    def fingerprint(self, video_sha256: str) -> str:
        """SHA-256 of all that a video's table follows from."""
        facts = [video_sha256, asdict(self.spec), self._identity]
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _face(row: NDArray[np.float64]) -> detection.Face:
    x, y, w, h, score = row[TOLD : TOLD + 5].tolist()
    return detection.Face((x, y, w, h), row[:TOLD].reshape(5, 2).astype(np.float32), score)


class _Store:
    """What the models said of each frame, in parts on disk; without a folder nothing is kept."""

    def __init__(
        self,
        look: Callable[[Image], NDArray[np.float64]],
        folder: Path | None,
    ) -> None:
        self._look, self._folder = look, folder
        self._before: dict[int, NDArray[np.float64]] = {}
        self._new: dict[int, NDArray[np.float64]] = {}
        for part in [] if folder is None else folder.glob("*.npz"):
            try:
                with np.load(part) as arrays:
                    self._before |= {int(name): arrays[name] for name in arrays}
            except (EOFError, OSError, ValueError, zipfile.BadZipFile):
                # The machine stopped while it was written.
                part.unlink()

    def found(self, frame: int, rgb: Image) -> NDArray[np.float64]:
        """Give what is found in a frame, by looking only where nobody has."""
        if frame in self._before:
            return self._before[frame]
        found = self._new[frame] = self._look(rgb)
        if len(self._new) == PART_FRAMES:
            self._write()
        return found

    def _write(self) -> None:
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f"{next(iter(self._new)):09d}"
            with part.with_suffix(".partial").open("wb") as file:
                arrays: dict[str, Any] = {str(frame): found for frame, found in self._new.items()}
                np.savez(file, **arrays)
            part.with_suffix(".partial").replace(part.with_suffix(".npz"))
        self._new = {}


def opened(choice: Choice = PUBLISHED, spec: ReadingSpec | None = None) -> Reader:
    """Open a reader by an estimator, by default that of expressions."""
    facts, code, packages = [repr(choice)], [*CODE], [*PACKAGES]
    if isinstance(choice, WeightsSpec):
        facts.append(sha256_file(choice.weights))
        code.append("training")
        packages += ["timm", "torch"]
    facts += [sha256_code(*code), *map(version, packages)]
    return Reader(estimators.opened(choice), "\n".join(facts), spec or ReadingSpec())


def ready(name: str) -> Choice:
    """The estimator of that name that needs no description.

    Raises
    ------
    ParamsError
        If there is none.
    """
    known: dict[str, Choice] = {"expression": PUBLISHED, "blendshapes": FITTED}
    if name not in known:
        raise ParamsError(
            f"no estimator {name!r} is ready{did_you_mean(name, known)}: there are "
            f"{' and '.join(known)}; others are described in the params of a study"
        )
    return known[name]
