"""One video to one row for every frame: found, measured, judged, counted."""

from __future__ import annotations

import hashlib
import json
from array import array
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import pandas as pd
from annotated_types import Ge, Le

from eifer.errors import CutShortError
from eifer.faces import decoding, detection, landmarks, quality
from eifer.faces.following import Following, principal
from eifer.hashing import sha256_code
from eifer.ranges import Share
from eifer.tables.attrition import ATTRITION
from eifer.tables.faces import BLENDSHAPES, COUNTS, FRAMES, MEASURES, SHAPES, count
from eifer.vocabulary import FrameStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

DECIMALS = {"_px": 2, "_deg": 2, "_score": 4, "_levels": 2}
"""Decimals kept, by the end of a column's name: more would only store arithmetic noise."""

CODE = ("faces", "tables/faces.py", "tables/schema.py", "vocabulary.py")
PACKAGES = ("ai-edge-litert", "av", "numpy", "opencv-python-headless", "pandas")
"""What the rows of a video follow from, beside the video and the choices of `ExtractSpec`."""


@dataclass(frozen=True)
class ExtractSpec:
    """How faces are found and judged.

    Parameters
    ----------
    detector_width_px
        Working width of the detector: frames wider than this are shrunk to it.
    min_candidate_score
        Detector score (0..1) below which there is no face at all; between it and
        ``quality.min_face_score`` there is one of low confidence.
    quality
        What a face must be to be accepted.
    """

    detector_width_px: Annotated[int, Ge(32), Le(4096)]
    min_candidate_score: Share
    quality: quality.QualitySpec

    def __post_init__(self) -> None:
        """Refuse a face that counts as sure before it is one."""
        if self.min_candidate_score > self.quality.min_face_score:
            raise ValueError(
                f"min_candidate_score {self.min_candidate_score} is above "
                f"quality.min_face_score {self.quality.min_face_score}"
            )


def extract_video(
    path: Path, *, video_id: str, participant_id: str, spec: ExtractSpec
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Make a row of FRAMES of every frame of a video, one of BLENDSHAPES of each with a face, and
    the video's row of COUNTS; in the order FRAMES, COUNTS, BLENDSHAPES.

    Frames are streamed. What is kept of each until the end is its row, its blendshapes and about
    600 bytes of its looks, since what covers a face shows only beside the rest of the
    video. The models are opened once a process.

    A video in which no face is ever found gives its rows, all rejected; whether that is
    an error is for the caller to say. One whose end is missing gives the rows of what there is,
    and COUNTS says which length it declares.

    Raises
    ------
    RecordingError
        If what there is of the video cannot be decoded; see `decoding.frames`.
    AssetError
        If a model file is missing or is another one.
    """
    rows, shapes, looks, given, (height, width), declared_s = _seen(path, spec)
    usable = quality.confident(rows, spec.quality) & ~quality.repeated(rows, spec.quality)
    share = quality.covered(looks, given, usable, spec.quality)
    del looks  # The largest thing kept, and no longer needed.
    rows["occlusion_score"] = np.where(rows["n_faces"] > 0, share.round(4), np.nan)
    rows["reason"] = pd.array(quality.reasons(rows, spec.quality), dtype="str")
    rows["status"] = np.where(
        rows["reason"].isna(), FrameStatus.ACCEPTED.value, FrameStatus.REJECTED.value
    )
    rows["video_id"] = video_id
    rows["participant_id"] = participant_id
    counts = count(rows).reset_index()
    counts["participant_id"] = participant_id
    counts["width_px"] = width
    counts["height_px"] = height
    last_s = rows["time_s"].iloc[-1]
    fps = decoding.mean_fps(len(rows), last_s)
    counts["fps"] = round(fps, 6)
    counts["duration_s"] = round(last_s + 1 / fps, 6)
    counts["declared_s"] = declared_s
    moved = pd.DataFrame(shapes.round(DECIMALS["_score"]), columns=list(SHAPES))
    moved["frame"] = rows.loc[rows["n_faces"] > 0, "frame"].to_numpy()
    moved["video_id"] = video_id
    return FRAMES.conform(rows), COUNTS.conform(counts), BLENDSHAPES.conform(moved)


def fingerprint(video_sha256: str, *names: str, spec: ExtractSpec) -> str:
    """SHA-256 of all that `extract_video` makes its rows of: rows of another one are others'."""
    versions = [version(package) for package in PACKAGES]
    facts = [video_sha256, names, asdict(spec), sha256_code(*CODE), versions]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def has_face(path: Path, *, samples: int, spec: ExtractSpec) -> bool:
    """Look for a confident face in ``samples`` frames spread over the video, then in all.

    Stops at the first, so that it costs a frame or two for most videos; only one
    without a face in the samples is decoded as a whole. With 0 ``samples`` all are looked at
    in turn: in a video whose end is missing, some would be sought there.

    Raises
    ------
    RecordingError
        If the video cannot be decoded where it is looked at.
    """
    finder, _ = _models(spec.detector_width_px, spec.min_candidate_score)
    sampled = (rgb for _, rgb in decoding.samples(path, samples)) if samples else ()
    # A missing end was told by `decoding.check`.
    every = (rgb for _, _, rgb in decoding.frames(path, cut=bool))
    return any(
        face.score >= spec.quality.min_face_score
        for rgb in chain(sampled, every)
        for face in finder(rgb)
    )


def find(
    rgb: Image, spec: ExtractSpec, box: tuple[float, float, float, float] | None = None
) -> tuple[detection.Face, landmarks.Mesh] | None:
    """Find the face of one still image, or the one at ``box``, and its mesh.

    None where there is no confident one (see `detection.Face.is_at`).
    """
    finder, mesher = _models(spec.detector_width_px, spec.min_candidate_score)
    faces = [face for face in finder(rgb) if box is None or face.is_at(box)]
    face = principal(faces, spec.quality.min_face_score)
    if face is None:
        return None
    mesh = mesher(rgb, face)
    sure = face.score >= spec.quality.min_face_score and mesh.presence >= spec.quality.min_presence
    return (face, mesh) if sure else None


def cut_short(there_s: float, declared_s: float) -> str:
    """Say of a video how much of it is there."""
    declared = f"{declared_s:.2f} s declared" if declared_s else "no length declared"
    return f"cut short: {there_s:.2f} s there, {declared}"


def missing(counts: pd.DataFrame) -> pd.Series[int]:
    """How many frames each video of COUNTS lacks by the length that it declares.

    At least 1 where it is cut short and declares none, or no more than there is; 0 where it is
    whole.
    """
    lacking = (counts["declared_s"] - counts["duration_s"]) * counts["fps"]
    return lacking.round().clip(lower=1).fillna(0).astype("int64")


def attrition(counts: pd.DataFrame) -> pd.DataFrame:
    """List the rejected frames of COUNTS, and those missing at the end of a video.

    A row of ATTRITION for each video and reason.
    """
    rejected = [name for name in COUNTS.names if name.startswith("rejected_")]
    long = counts.melt(["video_id", "participant_id"], rejected, "reason", "n")
    reason = long["reason"].str.removeprefix("rejected_").str.replace("_", " ")
    rows = long.assign(reason=reason)
    lengths = zip(counts["duration_s"], counts["declared_s"], strict=True)
    cut = counts[["video_id", "participant_id"]].assign(
        n=missing(counts), reason=[cut_short(*both) for both in lengths]
    )
    rows = pd.concat([rows, cut]).assign(level="frame", what="frames")
    return ATTRITION.conform(rows[rows["n"] > 0])


@cache
def _models(width_px: int, score: float) -> tuple[detection.Detector, landmarks.Landmarker]:
    return detection.detector(width_px=width_px, score=score), landmarks.landmarker()


def _measured(
    face: detection.Face, mesh: landmarks.Mesh, change: float, pose: tuple[float, float, float]
) -> list[float]:
    """Collect the values of MEASURES, but for the occlusion, which is known at the end."""
    points = mesh.five().ravel().tolist()
    scores = [face.score, mesh.presence, mesh.eye_closed, 0.0]
    return [*face.box, *points, change, *scores, *pose]


def _seen(
    path: Path, spec: ExtractSpec
) -> tuple[
    pd.DataFrame,
    NDArray[np.float32],
    NDArray[np.uint8],
    NDArray[np.float64],
    tuple[int, ...],
    float | None,
]:
    """Look at every frame.

    Returns what is measured of each, the blendshapes of those with a face, the `complexion` and
    `circumstances` of each, the frames' shape, and the declared length of a video whose end is
    missing.
    """
    finder, mesher = _models(spec.detector_width_px, spec.min_candidate_score)
    times, n_faces, measures, looks = array("d"), array("q"), array("d"), bytearray()
    blank, nothing = [np.nan] * len(MEASURES), bytes(quality.VALUES * len(quality.SPOTS))
    given, unknown = array("d"), [np.nan] * len(quality.UNITS)
    shapes = array("f")
    follow, switched = Following(spec.quality.min_face_score), array("b")
    last_new: Image | None = None
    cut: list[CutShortError] = []
    for _, time_s, rgb in decoding.frames(path, cut=cut.append):
        face, number, switch = follow(finder(rgb))
        times.append(time_s)
        n_faces.append(number)
        switched.append(switch)
        if face is None:
            measures.extend(blank)
            looks.extend(nothing)
            given.extend(unknown)
            last_new = rgb
            continue
        mesh = mesher(rgb, face)
        pose, change = mesh.pose(), round(quality.change(rgb, last_new, face.box), 2)
        measures.extend(_measured(face, mesh, change, pose))
        shapes.frombytes(mesh.shapes.tobytes())
        looks.extend(quality.complexion(mesh).tobytes())
        given.extend(quality.circumstances(mesh, pose))
        # Not simply the frame before: a slow motion adds up until it counts.
        if change > spec.quality.max_repeat_levels:
            last_new = rgb
    n = len(times)
    values = np.frombuffer(measures).reshape(n, len(MEASURES))
    rows: dict[str, NDArray[Any]] = {
        name: values[:, k].round(DECIMALS[name[name.rindex("_") :]])
        for k, name in enumerate(MEASURES)
    }
    rows |= {"frame": np.arange(n), "time_s": np.frombuffer(times).round(6)}
    rows |= {"n_faces": np.frombuffer(n_faces, np.int64)}
    rows |= {"switched": np.frombuffer(switched, np.bool_)}
    return (
        pd.DataFrame(rows),
        np.frombuffer(shapes, np.float32).reshape(-1, len(SHAPES)),
        np.frombuffer(looks, np.uint8).reshape(n, -1),
        np.frombuffer(given).reshape(n, -1),
        rgb.shape[:2],
        cut[0].declared_s if cut else None,
    )
