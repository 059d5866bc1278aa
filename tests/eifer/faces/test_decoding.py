from __future__ import annotations

import gc
import pickle
import resource
import struct
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from eifer.errors import CutShortError, RecordingError
from eifer.faces import decoding

Image = NDArray[np.uint8]
Film = Callable[..., Path]


CORNER = (250, 220, 190)


def greys(n: int, width: int = 64, height: int = 48) -> Iterator[Image]:
    """Frame k is of grey 40 + 3k, but for the upper left corner, which is `CORNER`."""
    for k in range(n):
        picture = np.full((height, width, 3), 40 + 3 * k, np.uint8)
        picture[: height // 4, : width // 4] = CORNER
        yield picture


def noise(n: int, width: int = 64, height: int = 48) -> Iterator[Image]:
    """So that most of a file's bytes are pictures."""
    rng = np.random.default_rng(0)
    for _ in range(n):
        yield rng.integers(0, 255, (height, width, 3), dtype=np.uint8)


def told(rgb: Image) -> int:
    """The index that the picture itself tells."""
    return round((float(rgb[-8:, -8:].mean()) - 40) / 3)


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


def test_every_frame_in_order_with_its_time(film: Film) -> None:
    allowed = resource.getrlimit(resource.RLIMIT_AS)
    path = film(greys(30), fps=20)
    got = list(decoding.frames(path))
    assert [i for i, _, _ in got] == list(range(30))
    assert [told(rgb) for _, _, rgb in got] == list(range(30))
    np.testing.assert_allclose([t for _, t, _ in got], np.arange(30) / 20, atol=1e-6)
    assert all(rgb.shape == (48, 64, 3) for _, _, rgb in got)
    decoding.check(path)
    assert resource.getrlimit(resource.RLIMIT_AS) == allowed


def test_wanted_frames_are_those_of_a_full_pass(film: Film) -> None:
    path = film(greys(30))
    full = {i: rgb for i, _, rgb in decoding.frames(path)}
    some = list(decoding.frames(path, wanted=[17, 3, 3, 29]))
    assert [i for i, _, _ in some] == [3, 17, 29]
    assert all(np.array_equal(rgb, full[i]) for i, _, rgb in some)
    assert list(decoding.frames(path, wanted=[])) == []
    with pytest.raises(RecordingError, match=r"film\.mp4.*frame 30 .* 30 frames"):
        list(decoding.frames(path, wanted=[30]))


def test_a_frame_is_given_back_at_once(film: Film) -> None:
    """Frames that wait for Python's search for circles took 110 MB of 640 x 480 pixels."""
    path = film(greys(60))
    gc.collect()
    gc.disable()
    try:
        assert len([told(rgb) for _, _, rgb in decoding.frames(path)]) == 60
        left = sum(type(thing) is av.VideoFrame for thing in gc.get_objects())
    finally:
        gc.enable()
    assert left <= 2


@pytest.mark.parametrize(
    ("width", "height"), [(50, 48), (64, 48), (98, 48), (322, 48), (61, 47), (63, 48), (64, 43)]
)
def test_frames_are_whole_and_contiguous_whatever_the_sides(
    film: Film, width: int, height: int
) -> None:
    pix_fmt = "yuv444p" if width % 2 or height % 2 else "yuv420p"
    path = film(greys(2, width, height), "film.mkv", pix_fmt=pix_fmt)
    for index, _, rgb in decoding.frames(path):
        assert rgb.flags.c_contiguous
        assert rgb.shape == (height, width, 3)
        assert rgb.dtype == np.uint8
        assert told(rgb) == index


ONE = 65536
UPRIGHT = [ONE, 0, 0, 0, ONE, 0, 0, 0, 0x40000000]


def turned(path: Path, a: float, b: float, c: float, d: float, u: float = 0) -> Path:
    """The same mp4 with another display matrix in its track header, as phones write it."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    assert data[start : start + 36] == struct.pack(">9i", *UPRIGHT)
    numbers = [round(ONE * n) for n in (a, b, u, c, d)]
    struct.pack_into(">5i", data, start, *numbers)
    path.write_bytes(data)
    return path


# A player shows (x, y) at (a x + c y, b x + d y): ISO/IEC 14496-12, 6.2.2.
ORIENTATIONS = [
    ((1, 0, 0, 1), lambda image: image),
    ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    ((1, 0, 0, -1), lambda image: image[::-1]),
    ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),  # A quarter turn clockwise.
    ((0, -1, 1, 0), np.rot90),
    ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    ((0, -1, -1, 0), lambda image: np.rot90(image, 2).transpose(1, 0, 2)),
]


@pytest.mark.parametrize(("matrix", "shown"), ORIENTATIONS, ids=[str(m) for m, _ in ORIENTATIONS])
def test_frames_are_turned_and_mirrored_as_a_player_shows_them(
    film: Film, matrix: tuple[int, ...], shown: Callable[[Image], Image]
) -> None:
    path = film(greys(5))
    stored = [rgb for _, _, rgb in decoding.frames(path)]
    got = [rgb for _, _, rgb in decoding.frames(turned(path, *matrix))]
    for before, after in zip(stored, got, strict=True):
        np.testing.assert_array_equal(after, shown(before))
        assert after.flags.c_contiguous
    # Where the bright corner comes to lie, told without numpy's words for it.
    a, b, c, d = matrix
    height, width = got[0].shape[:2]
    rows = slice(0, 8) if b + d > 0 else slice(height - 8, height)
    columns = slice(0, 8) if a + c > 0 else slice(width - 8, width)
    assert got[0][rows, columns].mean() > 200
    decoding.check(path)


def test_a_matrix_written_with_round_off_or_enlarged_is_understood(film: Film) -> None:
    path = film(greys(2))
    (_, _, stored), *_ = decoding.frames(path)
    (_, _, got), *_ = decoding.frames(turned(path, 0.0001, 2, -2, 0.0001))
    np.testing.assert_array_equal(got, np.rot90(stored, -1))


@pytest.mark.parametrize(
    "matrix",
    [
        (0, 0, 0, 0),  # Of which FFmpeg says the rotation is not a number.
        (0.7071, 0.7071, -0.7071, 0.7071),
        (1, 0.2, 0, 1),
        (1, 0, 0, 0),
        (1, 0, 0, 1, 0.5),
    ],
)
def test_a_matrix_that_is_no_quarter_turn_or_mirror_is_refused(
    film: Film, matrix: tuple[float, ...]
) -> None:
    path = turned(film(greys(2)), *matrix)
    assert "display matrix" in refuses(path)


def test_pixels_are_shown_square(film: Film) -> None:
    def of(aspect: Fraction) -> Callable[[Any], None]:
        return lambda stream: setattr(stream, "sample_aspect_ratio", aspect)

    for name in ("film.mp4", "film.mkv", "film.avi"):
        for aspect, width in ((Fraction(16, 11), 93), (Fraction(8, 9), 57), (Fraction(1), 64)):
            path = film(greys(3), name=name, prepare=of(aspect))
            for index, _, rgb in decoding.frames(path):
                assert rgb.shape == (48, width, 3), (name, aspect)
                assert told(rgb) == index
                # The corner is a quarter of the width, as before.
                assert abs((rgb[4, :, 0] > 150).sum() - width / 4) <= 1
    # Turned by a quarter, what was made wider is higher.
    path = turned(film(greys(3), prepare=of(Fraction(16, 11))), 0, 1, -1, 0)
    assert next(decoding.frames(path))[2].shape == (93, 48, 3)
    for odd in (Fraction(5), Fraction(1, 30)):
        assert "as wide as high" in refuses(film(greys(2), prepare=of(odd)))


COLOURS = np.array(
    [(255, 255, 255), (128, 128, 128), (30, 30, 30), (224, 172, 145), (90, 50, 35), (40, 160, 60)]
)
"""White, greys, two skins and a green."""


NUMBERS = {"hlg": 18, "pq": 16}
"""Of a transfer in ITU-T H.273."""


def in_hdr(rgb: NDArray[Any], transfer: str) -> av.VideoFrame:
    """A picture laid out in HDR by the formulas of ITU-R BT.2100, forwards."""
    light = (rgb / 255) ** 2.2
    # BT.709 to BT.2020: ITU-R BT.2087.
    wide = (
        light
        @ np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]).T
    )
    if transfer == "hlg":
        scene = wide * 0.265
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        log = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
        signal = np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)
    else:
        power = (wide * 203 / 10000) ** 0.1593017578125
        signal = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    made = av.VideoFrame.from_ndarray(np.round(signal * 65535).astype(np.uint16), format="rgb48le")
    made = made.reformat(format="yuv444p10le", dst_colorspace="bt2020")
    made.color_trc, made.color_primaries = NUMBERS[transfer], 9
    return made


def hdr_film(film: Film, pictures: Iterable[NDArray[Any]], transfer: str) -> Path:
    def tags(stream: Any) -> None:
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = NUMBERS[transfer], 9, 9

    frames = [in_hdr(picture, transfer) for picture in pictures]
    return film(frames, "film.mkv", codec="libx265", pix_fmt="yuv444p10le", prepare=tags)


@pytest.mark.parametrize("transfer", NUMBERS)
def test_hdr_comes_out_in_ordinary_colours(film: Film, transfer: str) -> None:
    picture = np.repeat(COLOURS, 32, axis=0)[None].repeat(48, 0)
    path = hdr_film(film, [picture, picture], transfer)
    (_, _, rgb), *_ = decoding.frames(path)
    np.testing.assert_allclose(rgb[24, 16::32], COLOURS, atol=8)
    # Light above the white of paper is cut off, not wrapped around.
    assert rgb[24, :32].min() > 245


def test_times_are_the_stamps_of_frames(film: Film) -> None:
    stamps = [0, 40, 80, 200, 210, 400, 1400, 1433]
    for name in ("film.mp4", "film.mkv", "film.mov", "film.webm"):
        codec = "libvpx-vp9" if name == "film.webm" else "libx264"
        path = film(greys(8), name, codec=codec, stamps=stamps, tick=Fraction(1, 1000))
        times = [time_s for _, time_s, _ in decoding.frames(path)]
        np.testing.assert_allclose(times, np.array(stamps) / 1000, atol=1e-6)
        # A rate that is looked at goes by them too, and not by the number of frames.
        assert [index for index, _, rgb in decoding.at_rate(path, 1) if rgb is not None] == [0, 6]
        decoding.check(path)


CODED = [
    *[(f"film.{kind}", "libx264", "yuv420p") for kind in ("mp4", "mov", "mkv", "avi")],
    *[(f"film.{kind}", "libx265", "yuv420p") for kind in ("mp4", "mov", "mkv")],
    *[(f"film.{kind}", "libvpx-vp9", "yuv420p") for kind in ("webm", "mkv", "mp4")],
    *[(f"film.{kind}", "mjpeg", "yuvj420p") for kind in ("avi", "mov", "mkv", "mp4")],
    *[("film.mkv", "libx264", form) for form in ("gray", "yuv420p10le", "yuv444p", "yuv422p")],
    ("film.mkv", "libx265", "yuv420p10le"),
    ("film.mkv", "ffv1", "gray"),
    ("film.webm", "libvpx", "yuv420p"),
    ("film.mp4", "libsvtav1", "yuv420p"),
    ("film.avi", "mpeg4", "yuv420p"),
    ("film.mkv", "ffv1", "yuv420p"),
    ("film.mov", "prores_ks", "yuv422p10le"),
]


@pytest.mark.parametrize(("name", "codec", "pix_fmt"), CODED)
def test_containers_and_codecs_of_face_videos(
    film: Film, name: str, codec: str, pix_fmt: str
) -> None:
    """With frames stored out of order, where the codec does so."""

    def sharp(stream: Any) -> None:
        if codec != "libsvtav1":
            stream.bit_rate = 4_000_000
        stream.options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        if pix_fmt == "gray":
            stream.codec_context.color_range = 2  # of all 256 values

    try:
        path = film(greys(30), name, codec=codec, pix_fmt=pix_fmt, prepare=sharp)
    except av.codec.codec.UnknownCodecError:
        pytest.skip(f"PyAV was built without the encoder {codec}")
    got = list(decoding.frames(path))
    np.testing.assert_allclose([told(rgb) for _, _, rgb in got], np.arange(30), atol=1)
    for _, _, rgb in got:
        corner = rgb[2:8, 2:10].mean(axis=(0, 1))
        if pix_fmt == "gray":
            np.testing.assert_allclose(corner, np.mean(CORNER), atol=12)
        else:
            np.testing.assert_allclose(corner, CORNER, atol=12)
    np.testing.assert_allclose([time_s for _, time_s, _ in got], np.arange(30) / 20, atol=1e-3)
    decoding.check(path)
    assert len(list(decoding.samples(path, 3))) >= 1


def together(path: Path, *films: Path, default: int | None, cover: bool = False) -> Path:
    """One file of the film streams of several; the first may be a cover picture."""
    with av.open(str(path), "w") as made:
        opened = [av.open(str(film)) for film in films]
        streams = [made.add_stream_from_template(c.streams.video[0], opaque=True) for c in opened]
        for k, stream in enumerate(streams):
            stream.disposition = Disposition.default if k == default else Disposition(0)
        if cover:
            streams[0].disposition = Disposition.attached_pic
        for container, stream in zip(opened, streams, strict=True):
            for packet in container.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    made.mux(packet)
            container.close()
    return path


def test_of_several_films_the_default_is_read_or_none(film: Film, tmp_path: Path) -> None:
    actor = film(greys(30, 96, 64), "actor.mp4")
    face = film(greys(30), "face.mp4")
    own = [rgb for _, _, rgb in decoding.frames(face)]
    for order, default in (((actor, face), 1), ((face, actor), 0)):
        path = together(tmp_path / "both.mkv", *order, default=default)
        got = [rgb for _, _, rgb in decoding.frames(path)]
        np.testing.assert_array_equal(got, own)
        decoding.check(path)
        assert next(decoding.samples(path, 3))[1].shape == (48, 64, 3)
    path = together(tmp_path / "none.mkv", actor, face, default=None)
    said = refuses(path)
    assert "2 films" in said and "stream 0 (96x64, h264), stream 1 (64x48, h264)" in said


def cover_first(path: Path) -> None:
    """Put an mp4's metadata before its tracks: the cover in it becomes stream 0."""
    data = bytearray(path.read_bytes())
    end, track, tags = len(data), data.index(b"trak") - 4, data.index(b"udta") - 4
    assert data.index(b"mdat") < track < tags < end == tags + int.from_bytes(data[tags : tags + 4])
    path.write_bytes(data[:track] + data[tags:] + data[track:tags])


@pytest.mark.parametrize("first", [False, True])
def test_a_cover_picture_is_not_the_film(film: Film, tmp_path: Path, first: bool) -> None:
    cover = film(greys(1, 96, 64), "cover.mov", codec="mjpeg", pix_fmt="yuvj420p")
    face = film(greys(30), "face.mp4")
    path = together(tmp_path / "covered.mp4", cover, face, default=1, cover=True)
    if first:
        cover_first(path)
    with av.open(str(path)) as container:
        kinds = [stream.disposition & Disposition.attached_pic for stream in container.streams]
    assert any(kinds) and bool(kinds[0]) is first
    got = list(decoding.frames(path))
    assert [told(rgb) for _, _, rgb in got] == list(range(30))
    assert len(list(decoding.samples(path, 3))) == 3
    decoding.check(path)


@pytest.mark.parametrize(
    ("fps", "per_second", "looked_at"),
    [
        (20, 5, [0, 4, 8, 12, 16]),
        (24, 1, [0]),
        (24, 2, [0, 12]),
        (10, 30, list(range(20))),
        (30, 10, [0, 3, 6, 9, 12, 15, 18]),
    ],
)
def test_the_first_frame_of_each_step_is_converted(
    film: Film, fps: int, per_second: float, looked_at: list[int]
) -> None:
    path = film(greys(20), fps=fps)
    seen = list(decoding.at_rate(path, per_second))
    assert [index for index, _, _ in seen] == list(range(20))
    assert [index for index, _, rgb in seen if rgb is not None] == looked_at
    pictures = {index: rgb for index, _, rgb in decoding.frames(path)}
    for index, time_s, rgb in seen:
        assert time_s == pytest.approx(index / fps, abs=1e-3)
        assert rgb is None or np.array_equal(rgb, pictures[index])


def test_samples_spread_over_a_video_with_one_keyframe(film: Film) -> None:
    path = film(greys(60), fps=20)
    with av.open(str(path)) as container:
        assert sum(p.is_keyframe for p in container.demux(video=0) if p.size) == 1
    seen = [told(rgb) for _, rgb in decoding.samples(path, 6)]
    assert seen == sorted(set(seen))
    np.testing.assert_allclose(seen, [0, 10, 20, 30, 40, 50], atol=1)


def reordered(stream: Any) -> None:
    """Three frames of four are stored after one that is shown later."""
    stream.options = {"crf": "10", "x264-params": "threads=1:bframes=3:b-adapt=0"}


def in_fragments(stream: Any) -> None:
    stream.gop_size = 10


def usual(stream: Any) -> None:
    stream.bit_rate = 2_000_000


FRONT = {"movflags": "faststart"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov"}
STOPPED = {
    "mp4": ("a.mp4", "libx264", FRONT, usual),
    "mp4, out of order": ("a.mp4", "libx264", FRONT, reordered),
    "mp4, HEVC": ("a.mp4", "libx265", FRONT, usual),
    "mp4, VP9": ("a.mp4", "libvpx-vp9", FRONT, usual),
    "mp4 in fragments": ("a.mp4", "libx264", FRAGMENTS, in_fragments),
    "mov": ("a.mov", "mjpeg", FRONT, usual),
    "mkv": ("a.mkv", "libx264", None, usual),
    "mkv, out of order": ("a.mkv", "libx264", None, reordered),
    "webm": ("a.webm", "libvpx-vp9", None, usual),
    "avi": ("a.avi", "mjpeg", None, usual),
    "avi, out of order": ("a.avi", "libx264", None, reordered),
    "avi, MPEG-4": ("a.avi", "mpeg4", None, usual),
}


def stopped(film: Film, kind: str, share: float) -> tuple[Path, dict[float, Image]]:
    """A copy of 3 s that stopped at a ``share`` of the bytes, and the frames of the whole."""
    name, codec, options, prepare = STOPPED[kind]
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    how = {"codec": codec, "pix_fmt": pix_fmt, "options": options, "prepare": prepare}
    path = film(noise(60), name, **how)
    decoding.check(path)
    whole = {round(time_s, 6): rgb for _, time_s, rgb in decoding.frames(path)}
    assert len(whole) == 60
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path, whole


# Of an mkv file FFmpeg passes over a last frame that is not whole: there, as little as encoders
# round (`decoding.MISSING_S`) may be missing without a word.
@pytest.mark.parametrize(
    ("kind", "share"),
    [
        *[(kind, share) for kind in STOPPED for share in (0.45, 0.6)],
        *[(kind, 0.97) for kind in STOPPED if kind[:3] not in ("mkv", "web")],
    ],
)
def test_of_a_copy_that_stopped_what_is_there_is_kept_and_told(
    film: Film, kind: str, share: float
) -> None:
    path, whole = stopped(film, kind, share)
    told: list[CutShortError] = []
    came = list(decoding.frames(path, cut=told.append))
    (cut,) = told
    assert [index for index, _, _ in came] == list(range(len(came)))
    times = [round(time_s, 6) for _, time_s, _ in came]
    # Of frames that are stored in the order of need, some of the last need what is missing.
    assert share * 60 - 8 < len(came) <= 59 and times[-1] < share * 3 + 0.2
    assert times[:-5] == list(whole)[: len(times) - 5]
    for time_s, (_, _, rgb) in zip(times, came, strict=True):
        np.testing.assert_array_equal(rgb, whole[time_s])
    assert cut.there_s == pytest.approx(times[-1] + times[-1] / (len(came) - 1), abs=1e-3)
    assert "fragments" in kind or cut.declared_s == pytest.approx(3, abs=0.01)
    # Who asks for no word of it gets an error.
    said = refuses(path)
    assert f"cut short ({cut.declared_s:.2f} s declared, {cut.there_s:.2f} s or {len(came)}" in said
    with pytest.raises(CutShortError) as error:
        decoding.check(path)
    again = pickle.loads(pickle.dumps(error.value))
    assert (str(again), again.there_s, again.declared_s) == (said, cut.there_s, cut.declared_s)
    wanted = [index for index, _, _ in came][::5]
    assert [index for index, _, _ in decoding.frames(path, wanted)] == wanted


@pytest.mark.parametrize("kind", STOPPED)
def test_a_copy_that_stopped_at_once_is_no_video(film: Film, kind: str) -> None:
    """Of a single frame, or none, nobody knows how long it lasts."""
    for bytes_left in (100, 1500):
        path, _ = stopped(film, kind, 1)
        path.write_bytes(path.read_bytes()[:bytes_left])
        with pytest.raises(RecordingError) as error:
            list(decoding.frames(path, cut=lambda _: pytest.fail("kept")))
        assert not isinstance(error.value, CutShortError)


def test_what_is_damaged_and_goes_on_is_not_cut_short(film: Film) -> None:
    path = film(noise(60), options=FRONT)
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half : half + 400] = bytes(400)
    path.write_bytes(data)
    with pytest.raises(RecordingError, match="damaged") as error:
        list(decoding.frames(path, cut=lambda _: pytest.fail("kept")))
    assert not isinstance(error.value, CutShortError)


def test_real_clips_decode_to_their_end(clips: Path) -> None:
    # This one declares 98 frames and has 95: it begins in the middle of a group of pictures.
    path = clips / "pyfeat_no_face.mp4"
    assert len(list(decoding.frames(path))) == 95
    decoding.check(clips / "intel_asl_yes.mkv")  # It declares no number of frames.


def test_inputs_that_went_wrong(shared: Path) -> None:
    folder = shared / "failing_inputs"

    def seen(name: str) -> NDArray[np.uint8]:
        return np.array([rgb for _, _, rgb in decoding.frames(folder / name)])

    plain = seen("plain.mp4")
    np.testing.assert_array_equal(seen("hflip.mp4"), plain[:, :, ::-1])
    # The same pictures, encoded again beside another film.
    assert np.abs(seen("two_streams_film_first.mp4").astype(int) - plain).mean() < 3
    assert seen("sar_16_11.mp4").shape[1:3] == (300, 401)
    hdr = seen("hdr_hlg.mp4").reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(hdr, plain.reshape(-1, 3).mean(axis=0), atol=3)
    assert "frame 31" in refuses(folder / "dup_stamp.mp4")
    assert seen("hostile/mirrored_selfie.mp4").shape == (100, 300, 400, 3)
