"""Files that are no face videos, or harmful ones: each is refused in words, or gives its frames."""

from __future__ import annotations

import base64
import errno
import math
import os
import pickle
import resource
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Never

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.errors import RecordingError
from eifer.faces import decoding

Image = NDArray[np.uint8]
Film = Callable[..., Path]


def pictures(n: int, width: int = 64, height: int = 48) -> Iterator[Image]:
    """Noise, so that a file has more bytes of pictures than of headers."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield rng.integers(0, 255, (height, width, 3), dtype=np.uint8)


def flat(n: int, width: int, height: int) -> Iterator[Image]:
    for _ in range(n):
        yield np.zeros((height, width, 3), np.uint8)


def refuses(path: Path) -> str:
    """Every way of opening says the same: that the video cannot be used, and what to do."""
    said = []
    for ask in (decoding.check, lambda path: list(decoding.frames(path))):
        with pytest.raises(RecordingError) as error:
            ask(path)
        said.append(str(error.value))
    assert said[0] == said[1]
    assert said[0].startswith(f"{path}: ") and "exclude" in said[0]
    assert len(said[0]) < len(str(path)) + 400
    if (problem := error.value.problem) is not None:
        assert said[0] == f"{path}: {problem.what} {problem.where[len(str(path)) + 1 :]}. " + (
            problem.remedy
        )
        assert pickle.loads(pickle.dumps(error.value)).problem == problem
    return said[0]


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
    other = film(pictures(30), "other.mp4")
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
    other = film(pictures(30), "other.mp4")
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
    path = film(pictures(5))
    for name in ("http:", "2024:pilot", "concat:x", "data:,", "a?b#c%20d e", "ümlaut"):
        (tmp_path / name).mkdir()
        there = Path(name) / "film.mp4"
        there.write_bytes(path.read_bytes())
        decoding.check(there)
        assert len(list(decoding.frames(there))) == 5
    with pytest.raises(RecordingError, match="no such video"):
        decoding.check(Path("http://127.0.0.1:9/film.mp4"))


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    os.mkfifo(path)
    assert "no such video file" in refuses(path)
    path.unlink()
    path.mkdir()
    assert "no such video file" in refuses(path)
    assert "no such video file" in refuses(Path("/dev/zero"))


# Codecs and pictures.


def test_codecs_that_are_unknown_or_no_camera_s(film: Film) -> None:
    path = film(pictures(5))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"avc1", b"zzzz"))
    assert "a codec that is not read (stream 0 (no known codec))" in refuses(path)
    for codec, pix_fmt in (("png", "rgb24"), ("qtrle", "rgb24")):
        path = film(pictures(5), "film.mov", codec=codec, pix_fmt=pix_fmt)
        assert f"a codec that is not read (stream 0 (64x48, {codec}))" in refuses(path)


@pytest.mark.parametrize(
    ("width", "height"), [(16, 8400), (8400, 16), (4352, 2560), (64, 2), (2, 64)]
)
def test_pictures_of_an_unlikely_size_are_refused_before_decoding(
    film: Film, monkeypatch: pytest.MonkeyPatch, width: int, height: int
) -> None:
    path = film(flat(2, width, height), "film.mov", codec="mjpeg", pix_fmt="yuvj420p")
    monkeypatch.setattr(decoding._Video, "frames", lambda *_: pytest.fail("decoded"))
    said = refuses(path)
    # FFmpeg itself looks no further into one of too many.
    size = f"{width}x{height}" if width * height <= decoding.MOST_PIXELS else "unknown size"
    assert f"a picture of {size}" in said


def test_a_picture_that_is_larger_than_the_file_says_is_not_decoded(film: Film) -> None:
    path = film(flat(2, 4352, 2560), "film.mp4")
    data = bytearray(path.read_bytes())
    place = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    assert struct.unpack_from(">HH", data, place) == (4352, 2560)
    struct.pack_into(">HH", data, place, 64, 48)
    path.write_bytes(data)
    refuses(path)


def test_a_picture_that_changes_its_size_is_named(film: Film) -> None:
    small, large = (film(pictures(10, w, 48), f"{w}.mp4") for w in (64, 96))
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


def delta(path: Path, entry: int, ticks: int) -> Path:
    """Set the time between frames in one of the runs of an mp4's table of times."""
    data = bytearray(path.read_bytes())
    table = data.index(b"stts") + 8
    assert entry < struct.unpack_from(">I", data, table)[0]
    struct.pack_into(">I", data, table + 4 + 8 * entry + 4, ticks)
    path.write_bytes(data)
    return path


def test_times_that_stand_still(film: Film) -> None:
    tick = Fraction(1, 1000)
    path = film(pictures(6), stamps=[0, 40, 80, 130, 170, 210], tick=tick)
    said = refuses(delta(path, 1, 0))
    assert "frame 3 comes at 0.080000 s, the one before at 0.080000 s" in said
    # All of them at once.
    assert "frame 1 comes at 0.000000 s" in refuses(delta(film(pictures(6)), 0, 0))


def test_times_that_are_not_a_camera_s(film: Film) -> None:
    tick = Fraction(1, 1000)
    hour = film(pictures(4), stamps=[0, 40, 3_600_000, 3_600_040], tick=tick)
    assert "frame 2 comes at 3600.000000 s, the one before at 0.040000 s" in refuses(hour)
    slow = film(pictures(4), stamps=[0, 2000, 4000, 6000], tick=tick)
    assert "0.5 frames a second: 4 in 6 s" in refuses(slow)
    fast = film(pictures(4), stamps=[0, 1, 2, 3], tick=Fraction(1, 90_000))
    assert "90000 frames a second" in refuses(fast)
    faster = film(pictures(4), stamps=[0, 1, 2, 3], tick=Fraction(1, 4_000_000))
    assert "each must be later" in refuses(faster)
    alone = film(pictures(1), stamps=[0], tick=Fraction(1, 20))
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
    path = film(pictures(20), name, codec=codec, pix_fmt=pix_fmt)
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
    path = film(pictures(40))
    data = path.read_bytes()
    for share in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99):
        path.write_bytes(data[: int(len(data) * share)])
        refuses(path)


def test_hostile_files_are_named(shared: Path) -> None:
    said = {
        "concat_playlist.mp4": "another kind of file",
        "hls_rel.m3u8": "another kind of file",
        "svg_as.mp4": "another kind of file",
        "raw_h264.mp4": "another kind of file",
        "png_16200x16200.mp4": "another kind of file",
        "png_100x1000000.mp4": "another kind of file",
        "unknown_codec.mp4": "no known codec",
        "first_frame_damaged.mp4": "damaged",
        "frame_duration_huge.mp4": "a single frame can be decoded (100 are declared)",
    }
    folder = shared / "failing_inputs/hostile"
    for name, words in said.items():
        assert words in refuses(folder / name), name
    # The others of these kinds that lie there are read as they are shown.
    for path in folder.glob("*.m*"):
        if path.name not in said:
            decoding.check(path)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("claimed", [30_000_000, 100_000_000])
def test_a_head_that_claims_millions_of_frames_takes_no_memory(film: Film, claimed: int) -> None:
    path = film(pictures(20))
    data = bytearray(path.read_bytes())
    # Every frame of one byte; all of them in one run of times, and in one stretch of the file.
    struct.pack_into(">II", data, data.index(b"stsz") + 8, 1, claimed)
    struct.pack_into(">I", data, data.index(b"stts") + 12, claimed)
    struct.pack_into(">I", data, data.index(b"stsc") + 16, claimed)
    path.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    allowed = resource.getrlimit(resource.RLIMIT_AS)
    refuses(path)
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib * 1024 < decoding.OPENING_BYTES
    assert resource.getrlimit(resource.RLIMIT_AS) == allowed


@pytest.mark.parametrize("seconds", ["nan", "inf"])
def test_a_duration_that_is_no_time_is_none(film: Film, tmp_path: Path, seconds: str) -> None:
    """A container's text may say anything."""
    path = tmp_path / "film.mkv"
    with (
        av.open(str(film(pictures(5)))) as source,
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
    path = film(pictures(2))

    def refuse(path: Path, mode: str = "r") -> Never:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RecordingError, match=r"cannot be read \(Permission denied\)"):
        decoding.declared_s(path)
