"""One drawn face in every form that a camera, a phone or a laboratory writes: found where it was.

`test_decoding` looks at pictures and times; here the models look too, since what they make of a
picture decides whether a form is understood.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.cohort.simulation import face
from eifer.errors import CutShortError
from eifer.faces import decoding
from eifer.faces.extraction import ExtractSpec, attrition, extract_video, find, has_face
from eifer.seeding import generator
from tests.eifer.faces.test_decoding import (
    NUMBERS,
    ORIENTATIONS,
    cover_first,
    hdr_film,
    together,
    turned,
)

Image = NDArray[np.uint8]
Film = Callable[..., Path]
N, WIDTH, HEIGHT, UNIT = 8, 320, 240, 60.0
EVERY = 3
"""Frames between those that the models look at."""
NEAR_PX = 4.0
"""How far a point may move by another coding; the face moves by 7 px a frame, and is 150 wide."""


def drawn(seed: int) -> list[Image]:
    """A face that moves and turns before a wall, RGB."""
    rng = generator(seed, "forms")
    who = face.identity(generator(seed, "who"), female=bool(seed % 2), age_years=30)
    sitter = face.Portrait(who, face.light(generator(seed, "light")), UNIT)
    room = face.background(rng, WIDTH, HEIGHT)
    act = face.action(who, 0.2, 0.4, lids=1.0, gaze_x=0.0, gaze_y=0.0)
    pictures = []
    for k in range(N):
        pose = face.Pose(x_px=125.0 + 7 * k, y_px=110.0 + k, unit_px=UNIT, roll_deg=2.0 * k - 6)
        picture = face.place(room, sitter.layer(act), sitter, pose)
        noisy = np.clip(picture + rng.normal(0, 1, picture.shape), 0, 255).astype(np.uint8)
        pictures.append(np.ascontiguousarray(noisy[..., ::-1]))
    return pictures


@pytest.fixture(scope="module")
def pictures() -> list[Image]:
    return drawn(1)


def places(rgb: Image, spec: ExtractSpec) -> NDArray[np.float64]:
    """The corners of the box and the five points of the mesh in px, ``[7, 2]``."""
    pair = find(rgb, spec)
    assert pair is not None, "no face"
    x, y, w, h = pair[0].box
    return np.vstack([[(x, y), (x + w, y + h)], pair[1].five().astype(float)])


@pytest.fixture(scope="module")
def plain(pictures: list[Image], spec: ExtractSpec) -> dict[int, NDArray[np.float64]]:
    """Where the face is in the pictures themselves, by frame."""
    return {index: places(pictures[index], spec) for index in range(0, N, EVERY)}


def same(
    path: Path,
    plain: dict[int, NDArray[np.float64]],
    spec: ExtractSpec,
) -> None:
    frames = {index: rgb for index, _, rgb in decoding.frames(path)}
    for index, wanted in plain.items():
        shown = places(frames[index], spec)
        np.testing.assert_allclose(shown, wanted, atol=NEAR_PX, err_msg=f"frame {index}")


def sharp(codec: str) -> Callable[[Any], None]:
    def prepare(stream: Any) -> None:
        stream.bit_rate = 6_000_000
        stream.options |= {"deadline": "realtime", "cpu-used": "8"} if "vp9" in codec else {}

    return prepare


CODECS = {
    "libx264": ("mp4", "mov", "mkv", "avi"),
    "libx265": ("mp4", "mov", "mkv"),
    "libvpx-vp9": ("mp4", "mkv", "webm"),
    "mjpeg": ("mp4", "mov", "mkv", "avi"),
}


@pytest.mark.parametrize(
    ("codec", "kind"), [(codec, kind) for codec, kinds in CODECS.items() for kind in kinds]
)
def test_codecs_and_containers(
    codec: str, kind: str, film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    name = f"film.{kind}"
    same(film(pictures, name, codec=codec, pix_fmt=pix_fmt, prepare=sharp(codec)), plain, spec)


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [
        ("libx264", "gray"),
        ("libx264", "yuv420p10le"),
        ("libx265", "yuv420p10le"),
        ("libx264", "yuv444p"),
        ("libx264", "yuv422p"),
        ("ffv1", "gray"),
    ],
)
def test_gray_10_bit_and_full_colour(
    codec: str, pix_fmt: str, film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    same(film(pictures, "film.mkv", codec=codec, pix_fmt=pix_fmt), plain, spec)


@pytest.mark.parametrize("fps", [5, 24, 60])
def test_rates(fps: int, film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec) -> None:
    path = film(pictures, fps=fps)
    same(path, plain, spec)
    times = [time_s for _, time_s, _ in decoding.frames(path)]
    np.testing.assert_allclose(times, np.arange(N) / fps, atol=1e-4)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "mov", "webm"])
def test_a_variable_rate_is_told_by_time_stamps(
    kind: str, film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    stamps = [0, 16, 33, 240, 250, 1000, 1040, 1900]
    codec = "libvpx-vp9" if kind == "webm" else "libx264"
    how = {"codec": codec, "prepare": sharp(codec), "stamps": stamps, "tick": Fraction(1, 1000)}
    path = film(pictures, f"film.{kind}", **how)
    same(path, plain, spec)
    times = [time_s for _, time_s, _ in decoding.frames(path)]
    np.testing.assert_allclose(times, np.array(stamps) / 1000, atol=1.1e-3)
    # A rate that is looked at goes by them too, and not by the number of frames.
    looked = [index for index, _, rgb in decoding.at_rate(path, 1) if rgb is not None]
    assert looked == [0, 5]


@pytest.mark.parametrize(("wide", "high"), [(1, 0), (3, 1), (2, 2), (7, 5)])
def test_odd_sides(
    wide: int, high: int, film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    """Less at the right and at the bottom moves nothing."""
    less = [np.ascontiguousarray(p[: HEIGHT - high, : WIDTH - wide]) for p in pictures]
    path = film(less, "film.mkv", pix_fmt="yuv444p")
    assert next(decoding.frames(path))[2].shape == (HEIGHT - high, WIDTH - wide, 3)
    same(path, plain, spec)


@pytest.mark.parametrize("transfer", NUMBERS)
def test_hdr(
    transfer: str, film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    path = hdr_film(film, pictures, transfer)
    same(path, plain, spec)
    _, _, rgb = next(decoding.frames(path))
    assert np.abs(rgb.astype(float) - pictures[0]).mean() < 4


@pytest.mark.parametrize(("matrix", "shown"), ORIENTATIONS, ids=[str(m) for m, _ in ORIENTATIONS])
def test_a_display_matrix_is_followed(
    matrix: tuple[int, ...],
    shown: Callable[[Image], Image],
    film: Film,
    pictures: list[Image],
    plain: Any,
    spec: ExtractSpec,
) -> None:
    """The pictures are stored as a camera held so stores them: what is shown is upright."""
    (back,) = (
        inverse
        for _, inverse in ORIENTATIONS
        if np.array_equal(shown(inverse(pictures[0])), pictures[0])
    )
    stored = [np.ascontiguousarray(back(picture)) for picture in pictures]
    same(turned(film(stored), *matrix), plain, spec)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("aspect", [Fraction(16, 11), Fraction(4, 5)])
def test_pixels_that_are_not_square(
    kind: str,
    aspect: Fraction,
    film: Film,
    pictures: list[Image],
    plain: Any,
    spec: ExtractSpec,
) -> None:
    width = int(WIDTH / aspect)
    frames = [
        av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(width=width, height=HEIGHT)
        for picture in pictures
    ]

    def prepare(stream: Any) -> None:
        stream.sample_aspect_ratio = aspect

    path = film(frames, f"film.{kind}", prepare=prepare)
    assert next(decoding.frames(path))[2].shape == (HEIGHT, WIDTH, 3)
    same(path, plain, spec)


@pytest.mark.parametrize("first", [False, True])
def test_the_webcam_beside_a_film_with_a_face(
    first: bool, film: Film, tmp_path: Path, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    own = film(pictures, "own.mp4")
    order = [own, film([p[:, ::-1] for p in drawn(2)], "actor.mp4")]
    path = together(tmp_path / "both.mkv", *order[:: 1 if first else -1], default=int(not first))
    same(path, plain, spec)


def test_a_cover_picture_of_another_face(
    film: Film, tmp_path: Path, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    cover = film(drawn(2)[:1], "cover.mov", codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "film.mp4"
    together(path, cover, film(pictures, "own.mp4"), default=1, cover=True)
    cover_first(path)
    same(path, plain, spec)


def test_a_frozen_picture_leaves_what_came_before(
    film: Film, pictures: list[Image], plain: Any, spec: ExtractSpec
) -> None:
    path = film([*pictures, *[pictures[-1]] * 20])
    assert len(list(decoding.frames(path))) == N + 20
    same(path, plain, spec)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("film.mkv", "libx264", None),
        ("film.webm", "libvpx-vp9", None),
        ("film.avi", "mjpeg", None),
        ("film.mp4", "libx264", {"movflags": "faststart"}),
    ],
)
def test_of_a_file_that_is_cut_what_can_be_decoded_comes_out(
    name: str,
    codec: str,
    options: dict[str, str] | None,
    film: Film,
    pictures: list[Image],
    plain: Any,
    spec: ExtractSpec,
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    how = {"codec": codec, "pix_fmt": pix_fmt, "prepare": sharp(codec), "options": options}
    path = film([*pictures, *pictures[::-1]] * 3, name, fps=10, **how)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    told: list[CutShortError] = []
    came = list(decoding.frames(path, cut=told.append))
    assert len(told) == 1 and N <= len(came) < 6 * N - 5  # half a second may be missing
    for index, wanted in plain.items():
        np.testing.assert_allclose(places(came[index][2], spec), wanted, atol=NEAR_PX)
    # The study's rows are those of the frames that came, and it says what did not.
    frames, counts, _ = extract_video(path, video_id="v", participant_id="p", spec=spec)
    assert frames["time_s"].tolist() == [round(time_s, 6) for _, time_s, _ in came]
    assert has_face(path, samples=0, spec=spec)
    row = counts.iloc[0]
    assert (row["frames_decoded"], row["declared_s"]) == (len(came), told[0].declared_s)
    assert row["duration_s"] == pytest.approx(len(came) / 10) and row["declared_s"] == 4.8
    listed = attrition(counts).set_index("reason")
    reason = f"cut short: {row['duration_s']:.2f} s there, 4.80 s declared"
    assert listed.loc[reason, "n"] == 6 * N - len(came)
    assert listed["n"].sum() == 6 * N - row["frames_accepted"]
