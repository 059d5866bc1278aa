"""Videos as streams of RGB frames, counted from 0 in decoding order.

One frame is in memory at a time, whatever the length of the video. Decoding is
single-threaded on purpose: a stage puts one video on each core, which scales
better than several threads on one video and leaves nothing to their timing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from eifer.errors import RecordingError

if TYPE_CHECKING:
    from av.container import InputContainer
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

CLOCK_PER_S = 1_000_000
"""Ticks in a second of a container's own clock (libavformat's AV_TIME_BASE)."""

MISSING_SHARE = 0.02
MISSING_S = 0.5
"""What may be missing of the declared duration before a video counts as cut short.

Encoders round, and cut a leading or trailing frame or two; a copy that stopped
half-way loses more than either.
"""


@dataclass(frozen=True)
class VideoInfo:
    """What a video says of itself, upright: width and height in pixels as shown.

    ``fps`` is frames per second, on average; ``n_frames_declared`` is 0 where
    the container does not say (Matroska does not).
    """

    width: int
    height: int
    fps: float
    duration_s: float
    n_frames_declared: int


def probe(path: Path) -> VideoInfo:
    """Read what the video at ``path`` says of itself, and decode its first frame.

    Raises
    ------
    RecordingError
        If it is empty, not a video, or not a single frame can be decoded.
    """
    with _opened(path) as container:
        info = _info(container, path)
        for frame in container.decode(container.streams.video[0]):
            if frame.rotation % 180 == 90:
                return VideoInfo(
                    info.height, info.width, info.fps, info.duration_s, info.n_frames_declared
                )
            return info
    raise _without_frames(path)


def frames(path: Path, wanted: Collection[int] | None = None) -> Iterator[tuple[int, float, Image]]:
    """Decode the frames of the video at ``path``, upright, in order.

    Parameters
    ----------
    path
        A video that FFmpeg can read.
    wanted
        Indices of the frames to yield; the others are decoded (an index counts
        decoded frames, so none can be jumped over) but never converted. After
        the last one decoding stops. None: every frame.

    Yields
    ------
    tuple of (int, float, array)
        The index from 0; the time in s after the first frame; the image, uint8,
        height x width x 3, RGB, C-contiguous. Rotation metadata, which phones
        write, is applied (multiples of 90 degrees), so a face is upright as in a player.

    Raises
    ------
    RecordingError
        If the file is empty, not a video, damaged, without any frame, cut short
        (at its end, once every frame is out: only without ``wanted``), or ends before
        a wanted frame.
    """
    left = None if wanted is None else sorted(set(wanted), reverse=True)
    if left is not None and not left:
        return
    with _opened(path) as container:
        info = _info(container, path)
        # One reformatter a video: a frame's own would set its converter up anew each time.
        reformatter = VideoReformatter()
        start_s, time_s, count = 0.0, 0.0, 0
        decoding = container.decode(container.streams.video[0])
        while True:
            try:
                frame = next(decoding, None)
            except FFmpegError as error:
                raise _damaged(path, f"after {time_s:.2f} s ({count} frames)", error) from error
            if frame is None:
                break
            stamp = frame.time if frame.time is not None else count / info.fps
            if count == 0:
                start_s = stamp
            time_s = stamp - start_s
            if left is None or count == left[-1]:
                yield count, time_s, _rgb(frame, reformatter)
                if left is not None:
                    left.pop()
                    if not left:
                        return
            count += 1
    if count == 0:
        raise _without_frames(path)
    if left:
        raise RecordingError(
            f"{path}: frame {left[-1]} is wanted but it has {count} frames. It is not the video "
            "that the table of frames was made from; run extract again."
        )
    _refuse_cut_short(path, info, time_s + 1 / info.fps, count)


def check(path: Path) -> VideoInfo:
    """Read what the video says of itself, how long it is, and whether its data reach the end.

    Reads the whole file but decodes one frame of it: seconds for a cohort that
    takes minutes to decode, so that a copy that stopped half-way is known early.

    Raises
    ------
    RecordingError
        As `frames` (damage inside a frame shows only on decoding).
    """
    info = probe(path)
    with _opened(path) as container:
        stream = container.streams.video[0]
        tick_s = float(stream.time_base or 0)
        first_s, end_s, count = np.inf, -np.inf, 0
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and packet.size:
                    first_s = min(first_s, packet.pts * tick_s)
                    end_s = max(end_s, packet.pts * tick_s + 1 / info.fps)
                    count += 1
        except FFmpegError as error:
            raise _damaged(path, f"after {count} packets", error) from error
    got_s = end_s - first_s if count else info.duration_s
    _refuse_cut_short(path, info, got_s, count)
    return replace(info, duration_s=got_s)


def samples(path: Path, n: int) -> Iterator[tuple[float, Image]]:
    """Decode about ``n`` frames spread over the video, jumping over what lies between.

    Each is the first one that can be decoded after a jump to an evenly spaced
    time (a keyframe); only where the next keyframe is too far does it decode up
    to the time itself. Not for measurements: which frames come out depends on
    where the encoder put its keyframes.

    Yields
    ------
    tuple of (float, array)
        The time in s on the video's own clock, and the frame as of `frames`.

    Raises
    ------
    RecordingError
        As `frames`, but for what lies between the samples.
    """
    with _opened(path) as container:
        info = _info(container, path)
        stream = container.streams.video[0]
        reformatter = VideoReformatter()
        start_s = float((stream.start_time or 0) * (stream.time_base or 0))
        shown_s = -np.inf
        edges = np.linspace(0.0, info.duration_s, n + 1)
        for at_s, until_s in pairwise(start_s + edges):
            try:
                container.seek(int(at_s * CLOCK_PER_S))
                for index, frame in enumerate(container.decode(stream)):
                    stamp = frame.time if frame.time is not None else index / info.fps
                    # The keyframe of a jump may be one already seen, or long before.
                    if stamp > shown_s and (index == 0 or stamp >= at_s):
                        shown_s = stamp
                        yield stamp, _rgb(frame, reformatter)
                        break
                    if stamp >= until_s:
                        break
            except FFmpegError as error:
                raise _damaged(path, f"near {at_s - start_s:.2f} s", error) from error
    if not np.isfinite(shown_s):
        raise _without_frames(path)


@contextmanager
def _opened(path: Path) -> Iterator[InputContainer]:
    if not path.is_file():
        raise RecordingError(f"{path}: no such video file. Put it there, or exclude the video.")
    if path.stat().st_size == 0:
        raise RecordingError(
            f"{path}: empty (0 bytes). Copy it again from the recording, or exclude the video."
        )
    try:
        container = av.open(str(path))
    except (FFmpegError, ValueError) as error:
        raise RecordingError(
            f"{path}: not a video that FFmpeg can read ({_said(error)}); text, or cut short? Copy "
            "it again from the recording, or exclude the video with a reason."
        ) from error
    with container:
        if not container.streams.video:
            raise RecordingError(f"{path}: no video stream in it. Name the face video instead.")
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield container


def _info(container: InputContainer, path: Path) -> VideoInfo:
    stream = container.streams.video[0]
    rate = stream.average_rate or stream.guessed_rate
    if not rate or not stream.width or not stream.height:
        raise _without_frames(path)
    return VideoInfo(
        width=stream.width,
        height=stream.height,
        fps=float(rate),
        duration_s=_declared_s(container),
        n_frames_declared=stream.frames,
    )


def _declared_s(container: InputContainer) -> float:
    """Read the video stream's own duration, as far as the container gives one.

    A container's duration is that of its longest stream, often the sound, so it
    comes last; 0 where nothing is declared, and then nothing can be missing.
    """
    stream = container.streams.video[0]
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    tag = stream.metadata.get("DURATION", "")
    try:
        hours, minutes, seconds = tag.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return (container.duration or 0) / CLOCK_PER_S


def _rgb(frame: Any, reformatter: VideoReformatter) -> Image:
    image = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    # FFmpeg pads its lines for some widths, and then the array is a view with gaps:
    # the landmark models see nothing in such a one, without saying so.
    turns = round(frame.rotation / 90)
    return cast("Image", np.ascontiguousarray(np.rot90(image, turns)))


def _refuse_cut_short(path: Path, info: VideoInfo, got_s: float, n_frames: int) -> None:
    if info.duration_s - got_s > max(MISSING_S, MISSING_SHARE * info.duration_s):
        raise RecordingError(
            f"{path}: cut short: {info.duration_s:.2f} s declared, {got_s:.2f} s ({n_frames} "
            "frames) found. Copy it again from the recording, or exclude the video with a reason."
        )


def _damaged(path: Path, place: str, error: FFmpegError) -> RecordingError:
    return RecordingError(
        f"{path}: damaged {place}: {error.strerror}. Copy it again from the recording, or "
        "exclude the video with a reason."
    )


def _without_frames(path: Path) -> RecordingError:
    return RecordingError(
        f"{path}: not one frame can be decoded. Copy it again from the recording, or exclude "
        "the video with a reason."
    )


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
