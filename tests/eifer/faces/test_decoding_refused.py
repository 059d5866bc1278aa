"""Files that are no face videos, or harmful ones: each is refused in words, or gives its frames."""

from __future__ import annotations

import base64
import errno
import math
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, Never

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.errors import RecordingError
from eifer.faces import decoding
from tests.eifer.faces.test_decoding import noise, refuses

Image = NDArray[np.uint8]
Film = Callable[..., Path]


# What else a file of that name may be.

PLAYLISTS: dict[str, Callable[[Path], str]] = {
    "concat": lambda film: f"ffconcat version 1.0\nfile '{film}'\n",
    "concat of a name beside it": lambda film: f"ffconcat version 1.0\nfile {film.name}\n",
    "HLS": lambda film: f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film}\n#EXT-X-ENDLIST\n",
    "HLS of data": lambda film: (
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\ndata:video/mp4;base64,"
        + base64.b64encode(film.read_bytes()).decode()
        + "\n#EXT-X-ENDLIST\n"
    ),
    "DASH": lambda film: (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S"><Period><AdaptationSet mimeType="video/mp4">'
        f'<Representation id="1" bandwidth="1"><BaseURL>{film}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ),
    "SDP": lambda film: (
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        "m=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ),
    "SVG": lambda film: (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><image href="{film}"/></svg>'
    ),
    "a list of images": lambda film: f"{film}\n{film}\n",
}


@pytest.mark.parametrize("name", ["video.mp4", "video.m3u8", "video.mkv", "video_%03d.mp4"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_a_file_that_names_others_is_not_followed(film: Film, kind: str, name: str) -> None:
    other = film(noise(30), "other.mp4")
    path = other.with_name(name)
    path.write_text(PLAYLISTS[kind](other))
    assert "holds its own frames" in refuses(path)


def replaced(data: bytes, boxes: list[bytes], content: bytes) -> bytes:
    """An mp4 with other ``content`` in the place of the innermost of the nested ``boxes``."""
    made, start, end, parents = bytearray(data), 0, len(data), []
    for box in boxes:
        start = made.index(box, start, end) - 4
        parents.append(start)
        end = start + struct.unpack_from(">I", made, start)[0]
    for parent in parents[:-1]:
        size = struct.unpack_from(">I", made, parent)[0]
        struct.pack_into(">I", made, parent, size - (end - start) + len(content))
    made[start:end] = content
    return bytes(made)


def aliased(place: bytes) -> bytes:
    """An alias as QuickTime writes it: the file of a track's frames, by its absolute path."""
    start = bytes(10) + b"\x01" + b"v".ljust(27, b"\0") + bytes(12)
    start += b"\x04" + b"film".ljust(63, b"\0") + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    path = struct.pack(">HH", 2, len(place)) + place + bytes(len(place) % 2)
    content = b"alis" + bytes(4) + start + path + struct.pack(">hH", -1, 0)
    return struct.pack(">I", 4 + len(content)) + content


def test_frames_kept_in_another_file_are_not_read(film: Film) -> None:
    """An mp4 with external data: its track names the file that its frames are in."""
    other = film(noise(30), "other.mp4")
    inside = [b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref", b"url "]
    path = other.with_name("video.mp4")
    url = f"file://{other}".encode() + b"\0"
    for content in (
        aliased(str(other).encode()),
        struct.pack(">I4sI", 12 + len(url), b"url ", 0) + url,
    ):
        data = bytearray(replaced(other.read_bytes(), inside, content))
        start = data.index(b"mdat") + 4
        size = struct.unpack_from(">I", data, start - 8)[0] - 8
        data[start : start + size] = bytes(size)
        path.write_bytes(data)
        refuses(path)


def test_a_path_is_a_path_and_never_a_url(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = film(noise(5))
    for name in ("http:", "2024:pilot", "concat:x", "data:,", "a?b#c%20d e", "ümlaut"):
        (tmp_path / name).mkdir()
        there = Path(name) / "film.mp4"
        there.write_bytes(path.read_bytes())
        decoding.check(there)
        assert len(list(decoding.frames(there))) == 5
    with pytest.raises(RecordingError, match="no such video"):
        decoding.check(Path("http://127.0.0.1:9/film.mp4"))


# Codecs and pictures.


@pytest.mark.parametrize(
    ("width", "height"), [(16, 8400), (8400, 16), (4352, 2560), (64, 2), (2, 64)]
)
def test_pictures_of_an_unlikely_size_are_refused_before_decoding(
    film: Film, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    path = film(
        np.zeros((2, height, width, 3), np.uint8), "film.mov", codec="mjpeg", pix_fmt="yuvj420p"
    )
    monkeypatch.setattr(decoding._Video, "frames", lambda *_: pytest.fail("decoded"))
    said = refuses(path)
    # FFmpeg itself looks no further into one of too many.
    size = f"{width}x{height}" if width * height <= decoding.MOST_PIXELS else "unknown size"
    assert f"a picture of {size}" in said


def test_a_picture_that_is_larger_than_the_file_says_is_not_decoded(film: Film) -> None:
    path = film(np.zeros((2, 2560, 4352, 3), np.uint8), "film.mp4")
    data = bytearray(path.read_bytes())
    place = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    assert struct.unpack_from(">HH", data, place) == (4352, 2560)
    struct.pack_into(">HH", data, place, 64, 48)
    path.write_bytes(data)
    refuses(path)


def test_a_picture_that_changes_its_size_is_named(film: Film) -> None:
    small, large = (film(noise(10, w, 48), f"{w}.mp4") for w in (64, 96))
    # Annex B streams can follow each other; an mp4 holds one set of parameters, so mkv by hand.
    import av

    path = small.with_name("film.mkv")
    with av.open(str(path), "w") as made:
        stream: Any = None
        for k, part in enumerate((small, large)):
            with av.open(str(part)) as source:
                if stream is None:
                    stream = made.add_stream_from_template(source.streams.video[0], opaque=True)
                annex_b = av.bitstream.BitStreamFilterContext(
                    "h264_mp4toannexb", source.streams.video[0]
                )
                for packet in source.demux(video=0):
                    for out in annex_b.filter(packet) if packet.size else []:
                        shift = k * 10 * 512
                        out.pts, out.dts = out.pts + shift, out.dts + shift
                        out.stream = stream
                        made.mux(out)
    with pytest.raises(RecordingError, match=r"changes from 64x48 to 96x48 at 0\.50 s"):
        decoding.check(path)


# Times.


def test_times_that_are_not_a_camera_s(film: Film) -> None:
    tick = Fraction(1, 1000)
    hour = film(noise(4), stamps=[0, 40, 3_600_000, 3_600_040], tick=tick)
    assert "frame 2 comes at 3600.000000 s, the one before at 0.040000 s" in refuses(hour)
    slow = film(noise(4), stamps=[0, 2000, 4000, 6000], tick=tick)
    assert "0.5 frames a second: 4 in 6 s" in refuses(slow)
    fast = film(noise(4), stamps=[0, 1, 2, 3], tick=Fraction(1, 90_000))
    assert "90000 frames a second" in refuses(fast)
    faster = film(noise(4), stamps=[0, 1, 2, 3], tick=Fraction(1, 4_000_000))
    assert "each must be later" in refuses(faster)
    alone = film(noise(1), stamps=[0], tick=Fraction(1, 20))
    assert "a single frame" in refuses(alone)


# Damage.


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [
        ("film.mp4", "libx264", "yuv420p"),
        ("film.mkv", "libx264", "yuv420p"),
        ("film.avi", "mjpeg", "yuvj420p"),
        ("film.webm", "libvpx-vp9", "yuv420p"),
        ("film.mp4", "libx265", "yuv420p"),
    ],
)
def test_flipped_bytes_end_in_words_or_in_frames(
    film: Film, name: str, codec: str, pix_fmt: str
) -> None:
    path = film(noise(20), name, codec=codec, pix_fmt=pix_fmt)
    data = path.read_bytes()
    refused = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        damaged = bytearray(data)
        # Half of them in the headers, where nearly every byte means something.
        span = len(data) if seed % 2 else 1000
        for place in rng.integers(0, span, rng.integers(1, 12)):
            damaged[place] ^= int(rng.integers(1, 256))
        path.write_bytes(damaged)
        try:
            got = list(decoding.frames(path))
        except RecordingError as error:
            refused += 1
            assert str(path) in str(error)
            continue
        times = [time_s for _, time_s, _ in got]
        assert len(got) <= 20 and (np.diff(times) > 0).all()
        assert all(rgb.shape == got[0][2].shape for _, _, rgb in got)
    assert refused > 0


def test_a_video_cut_anywhere_is_refused_or_all_but_whole(film: Film) -> None:
    path = film(noise(40))
    data = path.read_bytes()
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99):
        path.write_bytes(data[: int(len(data) * share)])
        refuses(path)


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_a_duration_that_is_no_time_is_none(film: Film, tmp_path: Path, seconds: str) -> None:
    """A container's text may say anything."""
    path = tmp_path / "film.mkv"
    with (
        av.open(str(film(noise(5)))) as source,
        av.open(str(path), "w", format="matroska") as container,
    ):
        (stream,) = source.streams.video
        copied = container.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                container.mux(packet)
    content = path.read_bytes()
    at = content.index(b"DURATION") + len(b"DURATION")
    at = content.index(b":", at) - 2
    changed = content[:at] + f"00:00:{seconds}".encode().ljust(18, b"\0") + content[at + 18 :]
    path.write_bytes(changed)
    assert math.isfinite(decoding.declared_s(path))


def test_a_video_that_may_not_be_read_is_named(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(noise(2))

    def refuse(path: Path, mode: str = "r") -> Never:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RecordingError, match=r"cannot be read \(Permission denied\)"):
        decoding.declared_s(path)
