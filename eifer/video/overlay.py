"""The video again with each face's box, person and expression: H.264, yuv420p, no sound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np

from eifer.errors import RecordingError
from eifer.faces import decoding

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

TICKS_PER_S = 90_000
"""Times are those of the video's own frames, to the tick of MPEG's clock."""
CRF, PRESET = "20", "veryfast"
INK, PAPER = (255, 255, 255), (0, 85, 140)


def write(
    path: Path,
    video: Path,
    faces: pd.DataFrame,
    seen: Callable[[float], None] = lambda time_s: None,
) -> None:
    """Write ``video`` to ``path`` (mp4) with what ``faces`` (`eifer.tables.video`) says.

    A frame that was not looked at shows what was found in the last one before it.
    """
    found = dict(list(faces.groupby("frame")))
    unfinished = path.with_name(path.name + ".partial")
    with av.open(str(unfinished), "w", format="mp4") as container:
        stream: Any = None
        shown: list[dict[Any, Any]] = []
        try:
            for frame, time_s, rgb in decoding.frames(video):
                if stream is None:
                    stream = _stream(container, rgb)
                if frame in found:
                    shown = found[frame].dropna(subset="person").to_dict("records")
                for face in shown:
                    _draw(rgb, face)
                even = rgb[: stream.height, : stream.width]
                picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
                picture.pts, picture.time_base = round(time_s * TICKS_PER_S), stream.time_base
                container.mux(stream.encode(picture))
                seen(time_s)
        except RecordingError:
            # The reading has told of it: the overlay ends where the reading did.
            if stream is None:
                raise
        container.mux(stream.encode())
    unfinished.replace(path)


def _stream(container: Any, rgb: NDArray[np.uint8]) -> Any:
    stream = container.add_stream("libx264", rate=30)
    stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
    # H.264 holds pairs of pixels: an odd picture loses a line.
    stream.height, stream.width = (side - side % 2 for side in rgb.shape[:2])
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": CRF, "preset": PRESET}
    return stream


def _draw(rgb: NDArray[np.uint8], face: dict[Any, Any]) -> None:
    x, y, w, h = (round(face[f"box_{side}_px"]) for side in "xywh")
    line = max(1, round(rgb.shape[0] / 360))
    cv2.rectangle(rgb, (x, y), (x + w, y + h), INK, line + 2, cv2.LINE_AA)
    cv2.rectangle(rgb, (x, y), (x + w, y + h), PAPER, line, cv2.LINE_AA)
    size, font = rgb.shape[0] / 900 + 0.2, cv2.FONT_HERSHEY_SIMPLEX
    (wide, high), below = cv2.getTextSize(text := label(face), font, size, line)
    left = max(0, min(x, rgb.shape[1] - wide - 4))
    top = y - high - below - 4 if y > high + below + 4 else y + h + 2
    cv2.rectangle(rgb, (left, top), (left + wide + 4, top + high + below + 4), PAPER, cv2.FILLED)
    cv2.putText(rgb, text, (left + 2, top + high + 2), font, size, INK, line, cv2.LINE_AA)


def label(face: dict[Any, Any]) -> str:
    """What is said of a face: its person, then the expression or arousal and valence."""
    who = f"{face['person']}"
    if face["arousal"] != face["arousal"]:
        return f"{who} unsure"
    if "expression" in face:
        chance = face[f"{face['expression']}_probability"]
        return f"{who} {face['expression']}{'?' if face['uncertain'] else ''} {chance:.2f}"
    return f"{who} arousal {face['arousal']:+.2f} valence {face['valence']:+.2f}"
