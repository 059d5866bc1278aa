"""What a reading leaves: a folder a video, with a table, a summary, a page and maybe a film."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from eifer.errors import InputError, Problem, RecordingError
from eifer.faces import decoding
from eifer.hashing import sha256_file
from eifer.tables.video import FACE, expressions_of
from eifer.video import overlay, page
from eifer.video.reading import Reader, Reading

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMATS = Literal["csv", "parquet"]
ENDS = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi")
"""How the videos of a folder are named; a file that is named itself may have any name."""
KEPT = ".unfinished"


def videos_of(given: Iterable[Path]) -> list[Path]:
    """Give the videos named, and those in the folders named, each once.

    Raises
    ------
    InputError
        If something is not there, a folder has no video, or two videos have one name.
    """
    videos: list[Path] = []
    problems = []
    for path in given:
        if path.is_dir():
            own = sorted(
                one
                for one in path.iterdir()
                if one.suffix.lower() in ENDS and one.is_file() and one.name[0] != "."
            )
            if not own:
                problems.append(Problem("no video", str(path), f"name one of {', '.join(ENDS)}"))
            videos += own
        elif path.is_file():
            videos.append(path)
        else:
            problems.append(Problem("no such file or folder", str(path), "look at its name"))
    videos = list(dict.fromkeys(videos))
    names = [video.stem for video in videos]
    problems += [
        Problem("no folder can have its name", str(video), "rename it")
        for video in videos
        if not video.stem.strip(".")
    ]
    problems += [
        Problem("two videos of one name", str(video), "rename it, or give each call another --out")
        for video in videos
        if names.count(video.stem) > 1
    ]
    if problems:
        raise InputError("estimate", problems)
    return videos


def write(
    reader: Reader,
    video: Path,
    out: Path,
    *,
    told: str,
    form: FORMATS,
    film: bool,
    seen: Callable[[str, float], None] = lambda what, time_s: None,
    name: str | None = None,
) -> dict[str, Any]:
    """Read ``video`` and write all that is made of it into the folder ``out``.

    A reading that was stopped goes on. Of a finished one only what is missing is made. ``seen`` is
    called with what is being done, and where in the video, in s. ``name`` is what the video is
    called, if not by its file.

    Returns
    -------
    dict
        What is in ``summary.json``.

    Raises
    ------
    RecordingError
        If not one frame of the video can be decoded.
    InputError
        If the folder holds the reading of another video, or files that are no reading.
    """
    sha256 = _hash(video)
    fingerprint = reader.fingerprint(sha256)
    table, overlay_name = f"faces.{form}", "overlay.mp4"
    before = _summary(out)
    if before.get("sha256", sha256) != sha256:
        where = f"{out} holds the reading of another video"
        raise InputError("estimate", [Problem(where, shown(video.name), "give another --out")])
    ours = "fingerprint" in before or (out / KEPT).is_dir()
    if not ours and out.is_dir() and any(out.iterdir()):
        where = f"{out} holds files that are no reading"
        raise InputError("estimate", [Problem(where, shown(video.name), "give another --out")])
    known = before if before.get("fingerprint") == fingerprint else {}
    film |= bool(known.get("overlay"))
    names = {"table": table, "overlay": overlay_name if film else None}
    files = [name for name in ("index.html", *names.values()) if name]
    if names.items() <= known.items() and all((out / name).is_file() for name in files):
        return known
    for folder in (out.parent, out, out / KEPT):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    strip = page.Strip()
    reading = _again(reader, video, out, known, strip)
    if reading is None:
        (out / "summary.json").unlink(missing_ok=True)
        (out / overlay_name).unlink(missing_ok=True)
        for other in (out / KEPT).glob("*"):
            if other.is_dir() and other.name != fingerprint:
                shutil.rmtree(other)

        def looked(time_s: float, rgb: NDArray[np.uint8], faces: NDArray[np.float64]) -> None:
            strip.add(rgb, faces)
            seen("reading", time_s)

        reading = reader(video, out / KEPT / fingerprint, looked)
    for form_before in ("csv", "parquet"):
        (out / f"faces.{form_before}").unlink(missing_ok=True)
    if form == "csv":
        reading.faces.to_csv(out / table, index=False)
    else:
        reading.faces.to_parquet(out / table, index=False)
    if film and not (out / overlay_name).is_file():
        overlay.write(
            out / overlay_name, video, reading.faces, lambda time_s: seen("overlay", time_s)
        )
    summary = {
        "video": name or shown(video.name),
        "sha256": sha256,
        "fingerprint": fingerprint,
        "version": version("eifer"),
        "told": told,
        "per_second": reader.spec.per_second,
        **names,
        **summarised(reading),
    }
    page.write(out / "index.html", reading.faces, summary, strip)
    # Where it stands, all is there.
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(out / KEPT, ignore_errors=True)
    return summary


def shown(path: str | Path) -> str:
    """Give a path as text, whatever its bytes are."""
    return os.fsencode(path).decode(errors="replace")


def _hash(video: Path) -> str:
    try:
        return sha256_file(video)
    except OSError as error:
        raise RecordingError(f"{shown(video)}: cannot be read ({error.strerror})") from None


def _summary(out: Path) -> dict[str, Any]:
    """What a finished reading left; nothing where there is none."""
    try:
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def _again(
    reader: Reader, video: Path, out: Path, known: dict[str, Any], strip: page.Strip
) -> Reading | None:
    """A finished reading from its table, of which other files are asked for now."""
    path = out / str(known.get("table"))
    if not path.is_file():
        return None
    read = pd.read_csv if path.suffix == ".csv" else pd.read_parquet
    faces = reader.table.conform(read(path))
    told = faces[["person", *(column.name for column in FACE[:5])]]
    by_frame = {
        frame: own.to_numpy(float, na_value=np.nan) for frame, own in told.groupby(faces["frame"])
    }
    try:
        for frame, _, rgb in decoding.at_rate(video, reader.spec.per_second):
            if rgb is not None:
                strip.add(rgb, by_frame[frame])
    except RecordingError:
        # The summary has told of it.
        pass
    return Reading(faces, known["duration_s"], known["cut_short"])


def summarised(reading: Reading) -> dict[str, Any]:
    """Numbers of a reading as JSON can hold them; shares are of a person's frames."""
    faces = reading.faces
    return {
        "cut_short": reading.cut_short,
        "duration_s": reading.duration_s,
        "frames": int(faces["frame"].nunique()),
        "frames_without_face": int(faces["person"].isna().sum()),
        "people": [
            _person(number, faces[faces["person"] == number])
            for number in sorted(faces["person"].dropna().unique().tolist())
        ],
    }


def _person(number: int, own: pd.DataFrame) -> dict[str, Any]:
    read = own["arousal"].notna()
    told: dict[str, Any] = {
        "person": number,
        "frames": len(own),
        "first_s": float(own["time_s"].iloc[0]),
        "last_s": float(own["time_s"].iloc[-1]),
        "unsure": round(float(1 - read.mean()), 4),
    }
    for dimension in ("arousal", "valence"):
        told[f"{dimension}_mean"] = round(float(own[dimension].mean()), 4) if read.any() else None
    if "expression" in own:
        names = expressions_of(own)
        share = own["expression"].value_counts().reindex(names, fill_value=0) / len(own)
        told["expressions"] = {name: round(float(share[name]), 4) for name in names}
        told["uncertain"] = round(float(own["uncertain"].mean()), 4)
    return told
