"""Videos as streams of RGB frames, counted from 0 in decoding order.

One frame is in memory at a time, whatever the length of the video. Decoding is
single-threaded on purpose: a stage puts one video on each core, which scales
better than several threads on one video and leaves nothing to their timing.

A device may decode in place of the processor (`DECODER_VARIABLE`), where it makes the same
pictures.

A video is opened as data and not as a name: FFmpeg reads the bytes of this one file,
by the demuxers and decoders listed here, and can open nothing else. So what a frame
shows is in the file whose hash the study knows.
"""

from __future__ import annotations

import logging
import math
import os
import resource
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

import av
import numpy as np
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.error import ArgumentError, FFmpegError
from av.sidedata.sidedata import SideDataContainer
from av.stream import Discard, Disposition
from av.video.reformatter import ColorPrimaries, ColorTrc, VideoReformatter

from eifer.errors import CutShortError, ParamsError, Problem, RecordingError, examples

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

Refusal = TypeVar("Refusal", bound=RecordingError)

CONTAINERS = ("mov", "matroska", "avi")
"""FFmpeg's demuxers of mp4 and mov, mkv and webm, avi: files that hold their own frames."""

DECODERS = (
    *("h264", "hevc", "vp8", "vp9", "libdav1d", "av1", "mpeg4", "mpeg2video", "mjpeg"),
    *("ffv1", "prores"),
)
"""FFmpeg's decoders of what cameras write, and of what laboratories re-encode to."""

DECODER_VARIABLE = "EIFER_DECODER"
"""Variable that names what decodes videos: `CPU`, or a kind of device as FFmpeg calls it."""

CPU = "cpu"

PLANAR = {
    **{"nv12": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p"},
    **{"p010le": "yuv420p10le", "p012le": "yuv420p12le", "p016le": "yuv420p12le"},
    **{"p210le": "yuv422p10le", "p410le": "yuv444p10le"},
}
"""The forms of picture that devices give, each with the one that the processor has of the same
numbers. FFmpeg makes other colours of nv12 than of yuv420p."""

MOST_PIXELS = 4096 * 2304
"""Most pixels of a picture: the largest of H.264's level 5.2 (ITU-T H.264, table A-1), 4K.

A decoder keeps up to 16 of them, some 250 MB.
"""

SHORTEST_PX, LONGEST_PX = 16, 8192
"""Sides of a picture; the longest that level 5.2 allows is 8688."""

LARGEST_ASPECT = 4
"""Most that a pixel may be wider than high, or higher than wide; anamorphic film has 2."""

LOWEST_FPS, HIGHEST_FPS = 1, 1000
"""Frames a second, on average, between which a face is filmed: from time lapse to high speed."""

LONGEST_GAP_S = 10.0
"""Longest time between two frames. Cameras stall for a second or two; more is a damaged clock."""

SHORTEST_GAP_S = 2e-6
"""Shortest time between two frames: times are kept to the microsecond."""

OPENING_BYTES = 1 << 29
"""Most memory that opening a file may take. A few bytes of its head can claim a hundred million
frames, for each of which FFmpeg keeps a row; the head of an hour of video takes some 10 MB."""

TICK_S = 0.001
"""What time stamps are rounded to in most containers: a frame so much early is on time."""

CLOCK_PER_S = 1_000_000
"""Ticks in a second of a container's own clock (libavformat's AV_TIME_BASE)."""

MISSING_SHARE = 0.02
MISSING_S = 0.5
"""What may be missing of the declared duration before a video counts as cut short.

Encoders round, and cut a leading or trailing frame or two; a copy that stopped
half-way loses more than either.
"""

REFERENCE_WHITE = {ColorTrc.ARIB_STD_B67: 0.265, ColorTrc.SMPTE2084: 203 / 10_000}
"""Linear light of a white sheet of paper in HLG and in PQ, as a share of the most they can say.

ITU-R BT.2408-7, table 1: HLG 75 %, PQ 58 % (203 cd/m2). It becomes the white of the RGB frame.
"""

BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
"""Linear RGB of the primaries of BT.2020 to those of BT.709 (ITU-R BT.2087-0, inverted)."""

SDR_GAMMA = 2.2
"""Power between linear light and an RGB value of an ordinary screen."""

REFUSALS = (FFmpegError, OSError, ValueError, OverflowError, MemoryError)
"""What PyAV raises where FFmpeg, the disk or the text in a file does not go on."""

DAMAGED = "Copy it again from the recording, or exclude the video with a reason."
REENCODE = "Re-encode the recording, or exclude the video with a reason."
UNLIKELY = "a picture of an unlikely size"
SIZES = (
    f"Read are {SHORTEST_PX} to {LONGEST_PX} pixels a side, up to {MOST_PIXELS} in all, each up to "
    f"{LARGEST_ASPECT} times as wide as high or as high as wide. {REENCODE}"
)


def frames(
    path: Path,
    wanted: Collection[int] | None = None,
    cut: Callable[[CutShortError], object] | None = None,
) -> Iterator[tuple[int, float, Image]]:
    """Decode the frames of the video at ``path``, as a player shows them, in order.

    Parameters
    ----------
    path
        An mp4, mov, mkv, webm or avi file.
    wanted
        Indices of the frames to yield; the others are decoded (an index counts
        decoded frames, so none can be jumped over) but never converted. After
        the last one decoding stops. None: every frame.
    cut
        Is told that the video's end is missing, in place of an error.

    Yields
    ------
    tuple of (int, float, array)
        The index from 0; the time in s after the first frame, by the frame's time
        stamp; the image, uint8, height x width x 3, RGB, C-contiguous: turned and
        mirrored as its display matrix says, with square pixels, and HDR (HLG, PQ) in
        ordinary colours, where light above the reference white is cut off.

    Raises
    ------
    RecordingError
        If the file is empty, not a video of these kinds, damaged, with several films or
        an unlikely picture or clock, or ends before a wanted frame.
    CutShortError
        If its end is missing and nobody is told: once every frame that there is is out, and
        only without ``wanted``.
    """
    left = None if wanted is None else sorted(set(wanted), reverse=True)
    if left is not None and not left:
        return
    count = 0
    with _opened(path) as video:
        for count, (time_s, frame) in enumerate(video.decoded(cut), 1):
            if left is None or count - 1 == left[-1]:
                yield count - 1, time_s, video.rgb(frame)
                if left is not None:
                    left.pop()
                    if not left:
                        return
    if left:
        raise RecordingError(
            f"{path}: frame {left[-1]} is wanted but it has {count} frames. It is not the video "
            "that the table of frames was made from; run extract again."
        )


def at_rate(path: Path, per_second: float) -> Iterator[tuple[int, float, Image | None]]:
    """Decode every frame, and convert the first of each ``1 / per_second`` s by the time stamps.

    Yields
    ------
    tuple of (int, float, array or None)
        As `frames`; None for a frame that is not the first.

    Raises
    ------
    RecordingError
        As `frames`.
    """
    due = 0
    with _opened(path) as video:
        for index, (time_s, frame) in enumerate(video.decoded()):
            step = int((time_s + TICK_S) * per_second)
            yield index, time_s, video.rgb(frame) if step >= due else None
            due = max(due, step + 1)


def declared_s(path: Path) -> float:
    """The duration in s that the file declares, 0 where it declares none.

    Raises
    ------
    RecordingError
        If the file cannot be opened; see `frames`.
    """
    with _opened(path) as video:
        return video.declared_s()


def check(path: Path) -> float:
    """Decode the whole video and convert its first frame: what `frames` refuses, this refuses.

    Returns
    -------
    float
        How long the video is, in s: to the end of its last frame.

    Raises
    ------
    RecordingError
        As `frames`.
    """
    with _opened(path) as video:
        for count, (time_s, frame) in enumerate(video.decoded(), 1):
            if count == 1:
                video.rgb(frame)
            last_s = time_s
    return last_s + 1 / mean_fps(count, last_s)


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
    with _opened(path) as video:
        start_s = float((video.stream.start_time or 0) * (video.stream.time_base or 0))
        shown_s = -np.inf
        edges = np.linspace(0.0, video.declared_s(), n + 1)
        for at_s, until_s in pairwise(start_s + edges):
            place = f"near {at_s - start_s:.2f} s"
            try:
                video.container.seek(int(at_s * CLOCK_PER_S))
            except REFUSALS as error:
                raise _damaged(path, place, _said(error)) from error
            for index, frame in enumerate(video.frames(place)):
                # The keyframe of a jump may be one already seen, or long before.
                if frame.time > shown_s and (index == 0 or frame.time >= at_s):
                    shown_s = frame.time
                    yield shown_s, video.rgb(frame)
                    break
                if frame.time >= until_s:
                    break
    if not np.isfinite(shown_s):
        raise _without_frames(path)


def mean_fps(n_frames: int, last_s: float) -> float:
    """Frames a second of ``n_frames`` (2 or more) whose last comes ``last_s`` after the first."""
    return (n_frames - 1) / last_s


@dataclass
class _Video:
    """An opened file and the one stream of it that is the film."""

    path: Path
    container: InputContainer
    stream: VideoStream
    width: int
    # One reformatter a video: a frame's own would set its converter up anew each time.
    reformatter: VideoReformatter = field(default_factory=VideoReformatter)
    planar: VideoReformatter = field(default_factory=VideoReformatter)
    torn: bool = False
    """Whether the file ended within a frame."""

    def frames(self, place: str = "") -> Iterator[VideoFrame]:
        """Decode from where the file stands; damage is told at ``place``, or at its own time."""
        whole, count, time_s, size = 0, 0, 0.0, None

        def where() -> str:
            return place or f"after {time_s:.2f} s ({count} frames)"

        try:
            for packet in self.container.demux(self.stream):
                # FFmpeg's mark of one that the file ends within: some decoders would fill it up.
                if packet.is_corrupt:
                    self.torn = True
                    continue
                if packet.size and self.torn:
                    raise _damaged(self.path, where(), "a frame is incomplete")
                whole += packet.size > 0
                # Of the frames that wait for their turn at the end of an avi file that is cut,
                # some turns have gone, and nothing tells which.
                last = not packet.size and packet.dts is None
                if last and (fps := self.counted_fps()) and self.lacks_its_end(whole / fps):
                    return
                for frame in packet.decode():
                    self._check(frame, count, size)
                    count, time_s, size = count + 1, frame.time, (frame.width, frame.height)
                    yield frame
        except REFUSALS as error:
            raise _damaged(self.path, where(), _said(error)) from error

    def _check(self, frame: VideoFrame, count: int, size: tuple[int, int] | None) -> None:
        """Refuse what cannot come after ``count`` frames of that size."""
        if frame.time is None:
            raise _refusal(self.path, "a frame without a time stamp", f"{count}", REENCODE)
        if frame.is_corrupt:
            raise _damaged(self.path, f"at {frame.time:.2f} s", "a frame is incomplete")
        if size not in (None, (frame.width, frame.height)):
            sizes = f"from {size[0]}x{size[1]} to {frame.width}x{frame.height}"
            change = f"changes {sizes} at {frame.time:.2f} s"
            raise _refusal(self.path, "a picture of no one size", change, REENCODE)

    def decoded(
        self, cut: Callable[[CutShortError], object] | None = None
    ) -> Iterator[tuple[float, VideoFrame]]:
        """Decode the whole film: each frame with its time in s after the first.

        That its end is missing is told to ``cut``, or else an error.
        """
        rate = self.counted_fps()
        start_s, time_s, count = 0.0, 0.0, 0
        for count, frame in enumerate(self.frames(), 1):
            stamp = (count - 1) / rate if rate else frame.time
            if count == 1:
                start_s = stamp
            elif not SHORTEST_GAP_S <= stamp - start_s - time_s <= LONGEST_GAP_S:
                raise _refusal(
                    self.path,
                    f"frames out of time: each must be later than the last, by {LONGEST_GAP_S:g} s "
                    "at most",
                    f"frame {count - 1} comes at {stamp - start_s:.6f} s, the one before at "
                    f"{time_s:.6f} s",
                    REENCODE,
                )
            time_s = stamp - start_s
            yield time_s, frame
        if not count:
            raise _without_frames(self.path)
        if count == 1:
            facts = f"{self.stream.frames} are declared"
            raise _refusal(self.path, "a single frame can be decoded", facts, DAMAGED)
        fps = mean_fps(count, time_s)
        if not LOWEST_FPS <= fps <= HIGHEST_FPS:
            raise _refusal(
                self.path,
                f"a rate that no camera has: under {LOWEST_FPS} or over {HIGHEST_FPS} a second",
                f"{fps:.6g} frames a second: {count} in {time_s:.6g} s",
                REENCODE,
            )
        there_s, declared_s = time_s + 1 / fps, self.declared_s()
        if self.lacks_its_end(there_s):
            declared = f"{declared_s:.2f} s declared" if declared_s else "no length declared"
            facts = f"{declared}, {there_s:.2f} s or {count} frames found"
            error = _refusal(self.path, "cut short", facts, DAMAGED, CutShortError)
            error.there_s, error.declared_s = there_s, declared_s
            if cut is None:
                raise error
            cut(error)

    def counted_fps(self) -> float:
        """Frames a second where times are counted and not read: 0 elsewhere.

        An avi file has no times of its own: its frames follow each other at one rate, and
        FFmpeg's guess at the times of frames that are stored out of order is wrong.
        """
        avi = self.container.format.name == "avi" and self.stream.codec_context.has_b_frames
        return float(self.stream.average_rate or self.stream.guessed_rate or 0) if avi else 0.0

    def lacks_its_end(self, there_s: float) -> bool:
        """Whether the film is cut short, if it lasts ``there_s`` from the first frame on."""
        declared_s = self.declared_s()
        return self.torn or declared_s - there_s > max(MISSING_S, MISSING_SHARE * declared_s)

    def declared_s(self) -> float:
        """Read the film's own duration, as far as the container gives one.

        A container's duration is that of its longest stream, often the sound, so it
        comes last; 0 where nothing is declared.
        """
        # Of an avi file that is cut FFmpeg gives the duration of what is left.
        if self.container.format.name == "avi" and self.stream.frames and self.stream.average_rate:
            return float(self.stream.frames / self.stream.average_rate)
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        tag = self.stream.metadata.get("DURATION", "")
        try:
            hours, minutes, seconds = tag.split(":")
            tagged = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        except ValueError:
            tagged = math.nan
        # "nan" and "inf" are numbers to Python.
        return tagged if math.isfinite(tagged) else (self.container.duration or 0) / CLOCK_PER_S

    def first(self) -> tuple[str, Image]:
        """Give the form and the picture of the first frame."""
        for frame in self.frames():
            return frame.format.name, self.rgb(frame)
        raise _without_frames(self.path)

    def rgb(self, frame: VideoFrame) -> Image:
        """Convert a frame to what a player shows of it."""
        planar = PLANAR.get(frame.format.name, frame.format.name)
        hdr = frame.color_trc if frame.color_trc in REFERENCE_WHITE else None
        image_format = "rgb24" if hdr is None else "rgb48le"
        try:
            same = self.planar.reformat(frame, format=planar, threads=1)
            image = self.reformatter.reformat(
                same, width=self.width, format=image_format, threads=1
            ).to_ndarray()
        except REFUSALS as error:
            raise _damaged(self.path, f"at {frame.time:.2f} s", _said(error)) from error
        if hdr is not None:
            wide = frame.color_primaries == ColorPrimaries.BT2020
            image = _sdr(cast("NDArray[np.uint16]", image), ColorTrc(hdr), wide=wide)
        # FFmpeg pads its lines for some widths, and then the array is a view with gaps:
        # the landmark models see nothing in such a one, without saying so.
        return cast("Image", np.ascontiguousarray(_upright(image, frame, self.path)))


@contextmanager
def _opened(path: Path) -> Iterator[_Video]:
    if not path.is_file():
        raise RecordingError(f"{path}: no such video file. Put it there, or exclude the video.")
    if path.stat().st_size == 0:
        raise RecordingError(f"{path}: empty (0 bytes). {DAMAGED}")
    device = _device()
    try:
        readable = path.open("rb")
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read ({error.strerror}). {DAMAGED}") from None
    with readable as file:
        if device and not _agrees(device, path, file):
            device = None
        with _decoding(path, file, device) as video:
            yield video


@contextmanager
def _decoding(path: Path, file: IO[bytes], device: str | None = None) -> Iterator[_Video]:
    """Open ``file`` from its start, to be decoded by the processor or by a kind of device."""
    file.seek(0)
    try:
        # A device may take any number of addresses; by then the processor has opened the file.
        with _bounded() if device is None else nullcontext():
            container = av.open(
                file,
                options={
                    "format_whitelist": ",".join(CONTAINERS),
                    "codec_whitelist": ",".join(DECODERS),
                    # No protocol has this name. The file itself needs none.
                    "protocol_whitelist": "none",
                    "max_pixels": str(MOST_PIXELS),
                },
                metadata_errors="replace",
                hwaccel=None if device is None else HWAccel(device, allow_software_fallback=True),
            )
    except REFUSALS as error:
        # What a list does not allow is an "invalid argument".
        other = isinstance(error, ArgumentError)
        raise _refusal(
            path,
            "not a video in an mp4, mov, mkv, webm or avi file that holds its own frames",
            "another kind of file" if other else _said(error),
            f"A playlist, a picture, sound, text, or cut short? {DAMAGED}",
        ) from error
    with container:
        stream = _film(container, path)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {
            "max_pixels": str(MOST_PIXELS),
            # Damage is an error, and not a frame made up of its neighbours.
            "err_detect": "explode",
        }
        yield _Video(path, container, stream, _width(stream))


def _device() -> str | None:
    """Which kind of device is asked for to decode videos, if not the processor."""
    kind = os.environ.get(DECODER_VARIABLE) or CPU
    known = [CPU, *hwdevices_available()]
    if kind not in known:
        what = f"decoder {kind!r} (machine.yaml or {DECODER_VARIABLE}) is none that FFmpeg has here"
        raise ParamsError(f"{what}: {', '.join(known)}")
    return None if kind == CPU else kind


def _agrees(device: str, path: Path, file: IO[bytes]) -> bool:
    """Whether a device makes the same picture of the first frame as the processor.

    Why it does not is logged, once a process for each reason; the processor then decodes.
    """
    try:
        with _decoding(path, file) as video:
            _, wanted = video.first()
            codec = video.stream.codec_context.name
    except RecordingError:
        return False  # As the processor will say.
    try:
        with _decoding(path, file, device) as video:
            form, picture = video.first()
    except RecordingError as error:
        why = f"cannot be used ({_said(error.__cause__ or error)})"
    else:
        if form in PLANAR and np.array_equal(picture, wanted):
            return True
        why = "makes another picture" if form in PLANAR else "does not decode such a video"
    _warn(f"decoder {device} {why}, so the processor decodes it: a video of {codec} (said once)")
    return False


@cache
def _warn(text: str) -> None:
    logging.getLogger(__name__).warning(text)


@contextmanager
def _bounded() -> Iterator[None]:
    """Let the process take `OPENING_BYTES` more for as long as this lasts, where Linux counts."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = int(statm.read_text().split()[0]) * resource.getpagesize() + OPENING_BYTES
    if soft != resource.RLIM_INFINITY:
        limit = min(limit, soft)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _film(container: InputContainer, path: Path) -> VideoStream:
    """Choose the stream that a player would show, if there is but one, and check its picture."""
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    films = [s for s in container.streams.video if not s.disposition & pictures]
    if not films:
        raise RecordingError(f"{path}: no video stream in it. Name the face video instead.")
    chosen = [s for s in films if s.disposition & Disposition.default] if films[1:] else films
    if len(chosen) != 1:
        raise _refusal(
            path,
            "several films in one file, and not one of them alone is marked as the default",
            f"{len(films)} films: {examples([*map(_said_of, films)])}",
            "Put the face video into a file of its own, or exclude the video with a reason.",
        )
    (stream,) = chosen
    if stream.codec_context is None or stream.codec_context.name not in DECODERS:
        known = f"Those that are: {', '.join(DECODERS)}."
        raise _refusal(path, "a codec that is not read", _said_of(stream), f"{known} {REENCODE}")
    if not stream.width or not stream.height:
        raise _refusal(path, UNLIKELY, "a picture of unknown size: damaged, or too large", SIZES)
    aspect = float(stream.sample_aspect_ratio or 1)
    sides = (_width(stream), stream.height)
    if not (
        1 / LARGEST_ASPECT <= aspect <= LARGEST_ASPECT
        and max(stream.width, sides[0]) * stream.height <= MOST_PIXELS
        and min(*sides, stream.width) >= SHORTEST_PX
        and max(*sides, stream.width) <= LONGEST_PX
    ):
        size = f"a picture of {stream.width}x{stream.height} pixels"
        raise _refusal(path, UNLIKELY, f"{size}, each {aspect:g} times as wide as high", SIZES)
    return stream


def _said_of(stream: VideoStream) -> str:
    context = stream.codec_context
    if context is None:
        return f"stream {stream.index} (no known codec)"
    return f"stream {stream.index} ({context.width}x{context.height}, {context.name})"


def _width(stream: VideoStream) -> int:
    """Width in pixels of the picture once its pixels are square; the height stays."""
    return round(stream.width * (stream.sample_aspect_ratio or 1))


def _upright(image: NDArray[Any], frame: VideoFrame, path: Path) -> NDArray[Any]:
    """Turn and mirror ``image`` as the frame's display matrix says.

    The matrix is QuickTime's (ISO/IEC 14496-12, 6.2.2): of [a b u; c d v; x y w] a pixel
    (p, q) is shown at (a p + c q, b p + d q), but for a shift.
    """
    # Not frame.side_data: frame and container would hold each other until Python next looks for
    # such circles, and a hundred frames with them.
    matrix = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if matrix is None:
        return image
    a, b, u, c, d, v = np.frombuffer(cast("Any", matrix), "<i4")[:6].tolist()
    small = 0.01 * max(map(abs, (a, b, c, d)))
    if min(abs(a), abs(d)) > small >= max(abs(b), abs(c)) and not (u or v):
        return image[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1]
    if min(abs(b), abs(c)) > small >= max(abs(a), abs(d)) and not (u or v):
        return image.transpose(1, 0, 2)[:: 1 if b > 0 else -1, :: 1 if c > 0 else -1]
    shown = [round(value / 65536, 3) for value in (a, b, c, d)]
    what = "a display matrix that neither turns by quarters nor mirrors"
    raise _refusal(path, what, str(shown), REENCODE)


def _sdr(image: NDArray[np.uint16], transfer: ColorTrc, *, wide: bool) -> Image:
    """Convert an RGB image of HLG or PQ to the colours of an ordinary video."""
    light = _linear(transfer)[image]
    if wide:
        light = light @ BT2020_TO_BT709.T
    return _encoded()[(np.clip(light, 0, 1) * 65535 + 0.5).astype(np.uint16)]


@cache
def _linear(transfer: ColorTrc) -> NDArray[np.float32]:
    """Linear light of each 16-bit value, with the reference white at 1 (ITU-R BT.2100-2)."""
    value = np.arange(65536) / 65535
    if transfer == ColorTrc.ARIB_STD_B67:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12)
    else:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = value ** (1 / m2)
        light = (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
    return (light / REFERENCE_WHITE[transfer]).astype(np.float32)


@cache
def _encoded() -> Image:
    """The 8-bit value of each of 65536 steps of linear light."""
    light = np.arange(65536) / 65535
    return (255 * light ** (1 / SDR_GAMMA)).round().astype(np.uint8)


def _refusal(
    path: Path,
    what: str,
    detail: str,
    remedy: str,
    kind: type[Refusal] = RecordingError,  # type: ignore[assignment]  # a TypeVar's default
) -> Refusal:
    error = kind(f"{path}: {what} ({detail}). {remedy}")
    error.problem = Problem(what, f"{path} ({detail})", remedy)
    return error


def _damaged(path: Path, place: str, detail: str) -> RecordingError:
    return _refusal(path, "damaged", f"{place}: {detail}", DAMAGED)


def _without_frames(path: Path) -> RecordingError:
    return RecordingError(f"{path}: not one frame can be decoded. {DAMAGED}")


def _said(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error)
