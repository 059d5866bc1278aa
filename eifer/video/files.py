"""What a reading leaves: a folder a video, with a table, a summary, a page and maybe a film."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from eifer.errors import InputError, Problem
from eifer.faces.decoding import mean_fps
from eifer.hashing import sha256_file
from eifer.tables.video import expressions_of
from eifer.video import overlay, page
from eifer.video.reading import Reader, Reading

if TYPE_CHECKING:
    import pandas as pd

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
            own = sorted(one for one in path.iterdir() if one.suffix.lower() in ENDS)
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
) -> dict[str, Any]:
    """Read ``video`` and write all that is made of it into the folder ``out``.

    A reading that was stopped goes on; a finished one is left as it is. ``seen`` is called with
    what is being done, and where in the video, in s.

    Returns
    -------
    dict
        What is in ``summary.json``.

    Raises
    ------
    RecordingError
        If not one frame of the video can be decoded.
    """
    table = f"faces.{form}"
    wanted = {
        "fingerprint": reader.fingerprint(video),
        "table": table,
        "overlay": "overlay.mp4" if film else None,
    }
    if (there := _finished(out, wanted)) is not None:
        return there
    out.mkdir(parents=True, exist_ok=True)
    reading = reader(video, out / KEPT, lambda time_s: seen("reading", time_s))
    if form == "csv":
        reading.faces.to_csv(out / table, index=False)
    else:
        reading.faces.to_parquet(out / table, index=False)
    if film:
        overlay.write(
            out / "overlay.mp4", video, reading.faces, lambda time_s: seen("overlay", time_s)
        )
    summary = {
        "video": video.name,
        "sha256": sha256_file(video),
        "version": version("eifer"),
        "told": told,
        "per_second": reader.spec.per_second,
        **wanted,
        **summarised(reading),
    }
    page.write(out / "index.html", video, reading.faces, summary)
    # Last: where it stands, all is there.
    (out / "summary.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    return summary


def _finished(out: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """The summary of a finished reading that left what is ``wanted``."""
    try:
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(summary, dict) and wanted.items() <= summary.items()
    files = ["index.html", wanted["table"], wanted["overlay"] or "index.html"]
    return summary if same and all((out / name).is_file() for name in files) else None


def summarised(reading: Reading) -> dict[str, Any]:
    """Numbers of a reading as JSON can hold them; shares are of a person's frames."""
    faces = reading.faces
    times = faces.drop_duplicates("frame")["time_s"]
    end_s = float(times.iloc[-1])
    end_s += 1 / mean_fps(len(times), end_s) if end_s else 1.0
    return {
        "cut_short": reading.cut_short,
        "duration_s": round(end_s, 3),
        "frames": len(times),
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
