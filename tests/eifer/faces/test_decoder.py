"""Videos decoded by a device: asked for by name, believed where it agrees, never in silence.

No device is needed. What one would give is made here of the processor's own frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.codec.hwaccel import HWAccel, hwdevices_available
from numpy.typing import NDArray

from eifer.errors import CutShortError, ParamsError, RecordingError
from eifer.faces import decoding
from tests.eifer.faces.test_decoding import noise

Film = Callable[..., Path]
KINDS = hwdevices_available()


@pytest.fixture
def path(film: Film) -> Path:
    return film(noise(12, 66))


@pytest.fixture(autouse=True)
def ask(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    decoding._warn.cache_clear()
    monkeypatch.delenv(decoding.DECODER_VARIABLE, raising=False)
    return lambda kind: monkeypatch.setenv(decoding.DECODER_VARIABLE, kind)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[HWAccel | None]:
    """What `av.open` was given."""
    given: list[HWAccel | None] = []
    whole = av.open

    def opened(file: Any, **how: Any) -> Any:
        given.append(how.get("hwaccel"))
        return whole(file, **how)

    monkeypatch.setattr(av, "open", opened)
    return given


def read(path: Path) -> list[NDArray[np.uint8]]:
    return [rgb for _, _, rgb in decoding.frames(path)]


def device(
    monkeypatch: pytest.MonkeyPatch, form: str, made: Callable[[Any], Any] = lambda frame: frame
) -> None:
    """A device that opens, and gives the processor's frames, ``made`` otherwise, in its form."""
    whole, frames = av.open, decoding._Video.frames

    def opened(file: Any, hwaccel: HWAccel | None, **how: Any) -> Any:
        container = whole(file, **how)
        if hwaccel is not None:
            ours.append(container)
        return container

    def given(self: Any, place: str = "") -> Iterator[Any]:
        for frame in frames(self, place):
            yield made(frame).reformat(format=form) if self.container in ours else frame

    ours: list[Any] = []
    monkeypatch.setattr(av, "open", opened)
    monkeypatch.setattr(decoding._Video, "frames", given)


def test_nobody_asks_for_a_device_by_default(path: Path, asked: list[HWAccel | None]) -> None:
    assert len(read(path)) == 12
    assert asked == [None]


@pytest.mark.parametrize("kind", KINDS)
def test_the_setting_reaches_ffmpeg_and_changes_no_byte(
    path: Path, kind: str, ask: Callable[[str], None], asked: list[HWAccel | None]
) -> None:
    """Whether this machine has such a device or not."""
    own = read(path)
    ask(kind)
    np.testing.assert_array_equal(read(path), own)
    (given,) = {accel for accel in asked if accel is not None} or {None}
    assert isinstance(given, HWAccel) and given.allow_software_fallback
    assert decoding.check(path) == pytest.approx(0.6)


@pytest.mark.parametrize("kind", ["gpu", "CUDA", "cuda:0", "none", "no such"])
def test_a_kind_that_ffmpeg_has_not_is_refused(
    path: Path, kind: str, ask: Callable[[str], None]
) -> None:
    """PyAV would take any of them for the first kind that there is."""
    ask(kind)
    with pytest.raises(ParamsError) as error:
        decoding.check(path)
    assert repr(kind) in str(error.value) and "EIFER_DECODER" in str(error.value)
    assert str(error.value).endswith(", ".join(["cpu", *KINDS]))


def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that does not open."""
    whole = av.open

    def opened(file: Any, hwaccel: HWAccel | None, **how: Any) -> Any:
        if hwaccel is not None:
            raise av.error.PermissionError(1, "Operation not permitted")
        return whole(file, **how)

    monkeypatch.setattr(av, "open", opened)


def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that makes another picture."""

    def changed(frame: Any) -> Any:
        picture = frame.to_ndarray(format="yuv420p")
        picture[5, 5] ^= 64
        made = av.VideoFrame.from_ndarray(picture, format="yuv420p")
        made.pts, made.time_base = frame.pts, frame.time_base
        return made

    device(monkeypatch, "nv12", changed)


@pytest.mark.skipif(not KINDS, reason="FFmpeg has no kind of device here")
@pytest.mark.parametrize(
    ("codec", "machine", "why"),
    [
        ("ffv1", lambda monkeypatch: None, "does not decode such a video"),
        ("h264", closed, "cannot be used (Operation not permitted)"),
        ("h264", wrong, "makes another picture"),
    ],
)
def test_a_device_that_is_not_believed_is_told_once_with_the_reason(
    film: Film,
    codec: str,
    machine: Callable[[pytest.MonkeyPatch], None],
    why: str,
    ask: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path = film(noise(12), "film.mkv", codec="libx264" if codec == "h264" else codec)
    own = read(path)
    machine(monkeypatch)
    ask(KINDS[0])
    for _ in range(2):
        np.testing.assert_array_equal(read(path), own)
    (line,) = caplog.messages
    said = f"decoder {KINDS[0]} {why}, so the processor decodes it"
    assert line == f"{said}: a video of {codec} (said once)"


@pytest.mark.skipif(not KINDS, reason="FFmpeg has no kind of device here")
def test_a_device_that_agrees_decodes_the_whole_video_to_the_same_bytes(
    path: Path,
    ask: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    own = list(decoding.frames(path))
    seen = []
    device(monkeypatch, "nv12", lambda frame: seen.append(frame) or frame)
    ask(KINDS[0])
    for mine, theirs in zip(own, decoding.frames(path), strict=True):
        assert mine[:2] == theirs[:2]
        np.testing.assert_array_equal(mine[2], theirs[2])
    assert len(seen) == 1 + 12 and not caplog.messages


@pytest.mark.parametrize("colour_range", [1, 2])
@pytest.mark.parametrize("matrix", [1, 5, 9])
@pytest.mark.parametrize("form", decoding.PLANAR)
def test_what_a_device_gives_becomes_the_processor_s_colours(
    form: str, matrix: int, colour_range: int, path: Path
) -> None:
    """Of the same numbers, laid out as a device does: pairs of colours, in the upper bits."""
    planar = decoding.PLANAR[form]
    depth = int(planar[-4:-2]) if planar.endswith("le") else 8
    kind = np.dtype(np.uint16 if depth > 8 else np.uint8)
    own, theirs = (av.VideoFrame(66, 50, name) for name in (planar, form))
    rng = np.random.default_rng(0)
    values = [
        rng.integers(0, 2**depth, (plane.height, plane.width), dtype=kind) for plane in own.planes
    ]
    paired = np.stack(values[1:], -1).reshape(len(values[1]), -1)
    shift = 8 * kind.itemsize - depth
    for frame, arrays in ((own, values), (theirs, [v << shift for v in (values[0], paired)])):
        frame.color_range, frame.colorspace = colour_range, matrix
        frame.pts, frame.time_base = 0, 1
        for plane, array in zip(frame.planes, arrays, strict=True):
            lines = np.zeros((plane.height, plane.line_size // kind.itemsize), kind)
            lines[:, : array.shape[1]] = array
            plane.update(lines.tobytes())
    with decoding._opened(path) as video:
        for width in (66, 91):
            video.width = width
            np.testing.assert_array_equal(video.rgb(own), video.rgb(theirs))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_refused_or_cut_short_is_so_with_a_device_asked_for(
    path: Path, film: Film, kind: str, ask: Callable[[str], None]
) -> None:
    cut = film(noise(60), "cut.mkv")
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    ask(kind)
    with pytest.raises(CutShortError):
        decoding.check(cut)
    path.write_text("participant_id\tage\n" * 100)
    with pytest.raises(RecordingError, match="not a video"):
        decoding.check(path)
