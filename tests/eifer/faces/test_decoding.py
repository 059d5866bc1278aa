from __future__ import annotations

import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.errors import RecordingError
from eifer.faces import decoding

Image = NDArray[np.uint8]
Film = Callable[..., Path]


def greys(n: int, width: int = 64, height: int = 48) -> Iterator[Image]:
    """Frame k is of grey 40 + 3k, but for a white upper left corner."""
    for k in range(n):
        picture = np.full((height, width, 3), 40 + 3 * k, np.uint8)
        picture[: height // 4, : width // 4] = 255
        yield picture


def told(rgb: Image) -> int:
    """The index that the picture itself tells."""
    return round((float(rgb[-8:, -8:].mean()) - 40) / 3)


def test_every_frame_in_order_with_its_time(film: Film) -> None:
    path = film(greys(30), fps=20)
    got = list(decoding.frames(path))
    assert [i for i, _, _ in got] == list(range(30))
    assert [told(rgb) for _, _, rgb in got] == list(range(30))
    np.testing.assert_allclose([t for _, t, _ in got], np.arange(30) / 20, atol=1e-6)
    info = decoding.probe(path)
    assert (info.width, info.height, info.fps, info.n_frames_declared) == (64, 48, 20, 30)
    assert info.duration_s == pytest.approx(1.5)
    assert decoding.check(path) == info


def test_wanted_frames_are_those_of_a_full_pass(film: Film) -> None:
    path = film(greys(30))
    full = {i: rgb for i, _, rgb in decoding.frames(path)}
    some = list(decoding.frames(path, wanted=[17, 3, 3, 29]))
    assert [i for i, _, _ in some] == [3, 17, 29]
    assert all(np.array_equal(rgb, full[i]) for i, _, rgb in some)
    assert list(decoding.frames(path, wanted=[])) == []
    with pytest.raises(RecordingError, match=r"film\.mp4.*frame 30 .* 30 frames"):
        list(decoding.frames(path, wanted=[30]))


@pytest.mark.parametrize("width", [50, 64, 98, 322])
def test_frames_are_contiguous_whatever_the_width(film: Film, width: int) -> None:
    for _, _, rgb in decoding.frames(film(greys(2, width=width))):
        assert rgb.flags.c_contiguous
        assert rgb.shape == (48, width, 3)
        assert rgb.dtype == np.uint8


def turned(path: Path, matrix: list[int]) -> Path:
    """The same mp4 with another display matrix in its track header, as phones write it."""
    data = bytearray(path.read_bytes())
    start = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    old = b"".join(v.to_bytes(4, "big") for v in (65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000))
    assert data[start : start + 36] == old
    data[start : start + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in matrix)
    path.write_bytes(data)
    return path


def test_rotation_metadata_is_applied(film: Film) -> None:
    # A quarter turn clockwise in a player: the white corner goes from upper left to upper right.
    path = turned(film(greys(5)), [0, 65536, 0, -65536, 0, 0, 48 * 65536, 0, 0x40000000])
    info = decoding.probe(path)
    assert (info.width, info.height) == (48, 64)
    for index, _, rgb in decoding.frames(path):
        assert rgb.shape == (64, 48, 3)
        assert rgb.flags.c_contiguous
        assert rgb[:8, -8:].mean() > 200
        assert rgb[:8, :8].mean() < 80
        assert told(rgb) == index


def test_samples_spread_over_a_video_with_one_keyframe(film: Film) -> None:
    path = film(greys(60), fps=20)
    with av.open(str(path)) as container:
        assert sum(p.is_keyframe for p in container.demux(video=0) if p.size) == 1
    seen = [told(rgb) for _, rgb in decoding.samples(path, 6)]
    assert seen == sorted(set(seen))
    np.testing.assert_allclose(seen, [0, 10, 20, 30, 40, 50], atol=1)


def refuses(path: Path) -> str:
    with pytest.raises(RecordingError) as error:
        list(decoding.frames(path))
    assert str(path) in str(error.value)
    assert "exclude" in str(error.value)
    return str(error.value)


def test_absent_empty_and_text_files(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    assert "no such" in refuses(path)
    path.write_bytes(b"")
    assert "0 bytes" in refuses(path)
    path.write_text("participant_id\tage\n" * 100)
    assert "not a video" in refuses(path)
    for ask in (decoding.probe, decoding.check):
        with pytest.raises(RecordingError, match=r"video\.mp4"):
            ask(path)


def test_sound_without_picture(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    with pytest.raises(RecordingError, match=r"sound\.wav: no video stream"):
        list(decoding.frames(path))


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.mkv", None), ("a.mp4", {"movflags": "faststart"}), ("b.mp4", None)],
)
def test_a_copy_that_stopped_half_way(
    film: Film, name: str, options: dict[str, str] | None
) -> None:
    rng = np.random.default_rng(0)
    noise = (rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(60))
    path = film(noise, name=name, options=options)
    assert decoding.check(path).duration_s == pytest.approx(3.0, abs=0.06)
    assert len(list(decoding.frames(path))) == 60
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    refuses(path)
    with pytest.raises(RecordingError, match=name):
        decoding.check(path)


def test_real_clips_decode_to_their_end(clips: Path) -> None:
    # This one declares 98 frames and has 95: it begins in the middle of a group of pictures.
    path = clips / "pyfeat_no_face.mp4"
    assert len(list(decoding.frames(path))) == 95
    assert decoding.check(path).n_frames_declared == 98
    truncated = clips / "intel_asl_yes.mkv"
    assert decoding.check(truncated).n_frames_declared == 0
