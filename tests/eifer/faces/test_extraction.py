from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.errors import AssetError, CutShortError, RecordingError
from eifer.faces import assets, decoding, extraction
from eifer.faces.extraction import ExtractSpec, extract_video, fingerprint, has_face
from eifer.tables.faces import BLENDSHAPES, COUNTS, FRAMES, MEASURES
from tests.eifer.faces.test_decoding import stopped

Image = NDArray[np.uint8]
Film = Callable[..., Path]
Extracted = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def extract(path: Path, spec: ExtractSpec) -> Extracted:
    return extract_video(path, video_id="sub-01_run-1", participant_id="sub-01", spec=spec)


def holds(frames: pd.DataFrame, counts: pd.DataFrame, shapes: pd.DataFrame) -> None:
    for rule in FRAMES.rules:
        assert rule.broken(frames, {}).empty, rule.name
    for rule in COUNTS.rules:
        assert rule.broken(counts, {"frames": frames}).empty, rule.name
    for rule in BLENDSHAPES.rules:
        assert rule.broken(shapes, {"frames": frames}).empty, rule.name


@pytest.fixture(scope="module")
def smiling(clips: Path, spec: ExtractSpec) -> Extracted:
    return extract(clips / "pyfeat_single_face.mp4", spec)


def test_a_face_throughout(smiling: Extracted) -> None:
    frames, counts, shapes = smiling
    holds(frames, counts, shapes)
    row = counts.iloc[0]
    assert (row["frames_decoded"], row["width_px"], row["height_px"]) == (72, 640, 360)
    assert row["duration_s"] == pytest.approx(2.4, abs=0.04)
    # He blinks once, in frames 26 and 27; nothing else is wrong with any frame.
    assert frames["frame"][frames["reason"] == "eyes_closed"].tolist() == [26, 27]
    assert row["frames_accepted"] == 70
    assert (frames["n_faces"] == 1).all()
    assert frames["box_x_px"].between(150, 350).all()


def test_every_rejected_frame_is_listed_with_its_reason(smiling: Extracted) -> None:
    listed = extraction.attrition(smiling[1])
    assert listed[["video_id", "what", "reason", "n"]].to_numpy().tolist() == [
        ["sub-01_run-1", "frames", "eyes closed", 2]
    ]


def test_the_same_bytes_twice(smiling: Extracted, clips: Path, spec: ExtractSpec) -> None:
    again = extract(clips / "pyfeat_single_face.mp4", pickle.loads(pickle.dumps(spec)))
    for first, second in zip(smiling, again, strict=True):
        pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert pickle.loads(pickle.dumps(extract_video)) is extract_video


def test_no_face_at_all_gives_rows(clips: Path, spec: ExtractSpec) -> None:
    frames, counts, shapes = extract(clips / "pyfeat_no_face.mp4", spec)
    holds(frames, counts, shapes)
    assert counts.loc[0, "frames_decoded"] == counts.loc[0, "rejected_no_face"] == len(frames) == 95
    assert frames[list(MEASURES)].isna().all(axis=None)
    assert not has_face(clips / "pyfeat_no_face.mp4", samples=10, spec=spec)


def test_face_that_leaves(clips: Path, spec: ExtractSpec) -> None:
    path = clips / "pyfeat_face_noface.mov"
    frames, counts, shapes = extract(path, spec)
    holds(frames, counts, shapes)
    there = frames["n_faces"] > 0
    assert there[:70].all()
    assert not there[75:].any()
    assert (frames.loc[~there, "reason"] == "no_face").all()
    assert has_face(path, samples=5, spec=spec)


@pytest.mark.parametrize("width", [322, 500])
def test_small_face_whose_frames_pad_their_lines(
    clips: Path, film: Film, spec: ExtractSpec, width: int
) -> None:
    # Standing at some distance: the landmark models alone do not find this face.
    pictures = [
        rgb[:, :width]
        for _, _, rgb in decoding.frames(clips / "intel_asl_book.mkv", wanted=range(40, 46))
    ]
    frames, counts, shapes = extract(film(pictures), spec)
    holds(frames, counts, shapes)
    assert (frames["n_faces"] == 1).all()
    assert (frames["presence_score"] > 0.9).all()


def test_what_comes_before_the_face_is_found(clips: Path, film: Film, spec: ExtractSpec) -> None:
    """A card before the mouth, a hand's breadth of skin before the eyes, a second person."""
    path = clips / "pyfeat_single_face.mp4"
    stream = list(decoding.frames(path, wanted=[*range(0, 24), *range(30, 54)]))
    card, hand, second = range(8, 12), range(20, 24), range(32, 40)
    pictures = []
    for k, (_, _, rgb) in enumerate(stream):
        picture = rgb.copy()
        height, width = picture.shape[:2]
        if k in card:
            picture[215:285, 290:380] = (30, 90, 160)
        if k in hand:
            skin = np.median(rgb[190:205, 290:310].reshape(-1, 3), axis=0)
            picture[135:190, 270:400] = skin
        if k in second:
            half = cv2.resize(rgb, (width // 2, height // 2))
            picture[90 : 90 + height // 2, :100] = half[:, 110:210]
        pictures.append(picture)
    frames, counts, shapes = extract(film(pictures), spec)
    holds(frames, counts, shapes)
    reason = frames["reason"]
    for span in (card, hand):
        assert reason[list(span)].isin(["occluded", "low_confidence"]).all()
        assert (reason[list(span)] == "occluded").any()
    others = [k for k in range(len(pictures)) if k not in {*card, *hand}]
    assert reason[others].isna().all()
    assert (frames["n_faces"] > 1).sum() == counts.loc[0, "frames_several_faces"] == len(second)
    assert frames.loc[list(second), "box_x_px"].min() > 150, "the participant's face is kept"
    assert not frames["switched"].any() and counts.loc[0, "frames_switched"] == 0


def test_somebody_else_who_is_larger_is_not_measured(
    clips: Path, film: Film, spec: ExtractSpec
) -> None:
    """A larger person walks in from the left, and is alone in the picture for a while."""
    path = clips / "pyfeat_single_face.mp4"
    pictures = []
    beside, alone = range(8, 16), range(16, 20)
    for k, (_, _, rgb) in enumerate(decoding.frames(path, wanted=range(28))):
        height, width = rgb.shape[:2]
        half = cv2.resize(rgb, (width // 2, height // 2))
        picture = np.full_like(rgb, rgb[0, 0])
        if k not in alone:
            picture[-(height // 2) :, -(width // 2) :] = half
        if k in beside or k in alone:
            picture[:, : width // 2] = rgb[:, width // 4 : width // 4 + width // 2]
        pictures.append(picture)
    frames, counts, shapes = extract(film(pictures), spec)
    holds(frames, counts, shapes)
    own = frames["box_x_px"] > frames["box_x_px"].max() - 60
    assert own[[*range(16), *range(20, 28)]].all(), "the participant, whoever is larger"
    assert not own[list(alone)].any()
    assert frames.index[frames["switched"]].tolist() == [16, 20]
    assert counts.loc[0, "frames_switched"] == 2


def test_a_laugh_covers_nothing(failing: Path, film: Film, spec: ExtractSpec) -> None:
    """The clip thinned: 200 neutral frames, 61 of the same person laughing."""
    wanted = [*range(0, 1400, 7), *range(1400, 1582, 3)]
    pictures = [rgb for _, _, rgb in decoding.frames(failing / "laugh_a.mp4", wanted=wanted)]
    frames, *_ = extract(film(pictures), spec)
    laughs = frames["frame"] >= 200
    assert laughs.sum() == 61
    occluded = frames["reason"] == "occluded"
    assert occluded[~laughs].mean() < 0.05
    assert occluded[laughs].mean() < 0.05


def test_a_hand_on_a_part_of_the_face_is_a_cover(
    smiling: Extracted, clips: Path, film: Film, spec: ExtractSpec
) -> None:
    """In the colour of the face's own skin, a third of its width, before one part after another."""
    rows = smiling[0]
    stream = list(decoding.frames(clips / "pyfeat_single_face.mp4", wanted=range(72)))
    parts = {
        "cheek": (range(6, 8), lambda r: (r["right_eye_x_px"] - 4, r["nose_y_px"] + 6)),
        "corner": (range(16, 18), lambda r: (r["mouth_right_x_px"] - 8, r["mouth_right_y_px"])),
        "eye": (range(36, 38), lambda r: (r["left_eye_x_px"], r["left_eye_y_px"])),
        "mouth": (range(50, 52), lambda r: (r["nose_x_px"], r["mouth_left_y_px"])),
    }
    pictures = [rgb.copy() for _, _, rgb in stream]
    for frames, place in parts.values():
        for k in frames:
            row = rows.loc[k]
            x, y = (round(v) for v in place(row))
            radius = round(0.26 * row["box_w_px"])
            skin = np.median(pictures[k][190:205, 290:310].reshape(-1, 3), axis=0)
            hand = [float(v) for v in 0.9 * skin]
            cv2.ellipse(pictures[k], (x, y), (radius, radius), 0, 0, 360, hand, -1, cv2.LINE_AA)
            for line in range(-radius, radius, max(4, radius // 2)):
                dark = [0.7 * v for v in hand]
                cv2.line(pictures[k], (x + line, y - radius // 2), (x + line, y + radius), dark, 2)
    found, counts, shapes = extract(film(pictures), spec)
    holds(found, counts, shapes)
    for name, (frames, _) in parts.items():
        assert (found["reason"][list(frames)] == "occluded").all(), name
    others = [k for k in range(72) if not any(k in frames for frames, _ in parts.values())]
    assert (found["reason"][others] != "occluded").all()


def test_a_recording_that_stood_still(failing: Path, spec: ExtractSpec) -> None:
    """Two seconds live, then one picture for six: the live frames stay, the copies are noticed."""
    frames, counts, shapes = extract(failing / "frozen.mp4", spec)
    holds(frames, counts, shapes)
    reason, live = frames["reason"], frames["frame"] < 50
    assert (reason != "occluded").all()
    assert (frames["status"][live] == "accepted").mean() > 0.9
    assert (reason[~live] == "repeated").mean() > 0.98
    assert counts.loc[0, "rejected_repeated"] >= 148
    assert "repeated" in extraction.attrition(counts)["reason"].tolist()


def test_every_frame_twice_counts_once(clips: Path, film: Film, spec: ExtractSpec) -> None:
    """A camera of 15 frames a second, written at 30."""
    path = clips / "pyfeat_single_face.mp4"
    once = [rgb for _, _, rgb in decoding.frames(path, wanted=range(0, 24))]
    frames, *_ = extract(film([rgb for rgb in once for _ in range(2)], fps=30), spec)
    second = frames["frame"] % 2 == 1
    assert (frames["reason"][second] == "repeated").mean() > 0.9
    assert (frames["reason"][~second] != "repeated").all()


@pytest.mark.parametrize("sd", [1.0, 2.0])
def test_a_still_person_before_a_noisy_camera_is_not_repeated(
    clips: Path, film: Film, spec: ExtractSpec, sd: float
) -> None:
    _, _, rgb = next(iter(decoding.frames(clips / "pyfeat_single_face.mp4")))
    rng = np.random.default_rng(1)
    noisy = [
        np.clip(np.rint(rgb + rng.normal(0, sd, rgb.shape)), 0, 255).astype(np.uint8)
        for _ in range(8)
    ]
    frames, *_ = extract(film(noisy), spec)
    assert (frames["reason"] != "repeated").all()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_no_graphics_library_is_needed(smiling: Extracted) -> None:
    loaded = Path("/proc/self/maps").read_text().split()
    names = {Path(name).name for name in loaded if "/" in name}
    assert any(name.startswith("libavcodec") for name in names)
    assert not [n for n in names if n.startswith(("libGL", "libEGL", "libGLES", "libX11"))]


def test_a_face_between_the_samples_is_found_and_the_search_stops_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from eifer.faces.detection import Face

    def finder(rgb: Image) -> list[Face]:
        return [Face((0, 0, 9, 9), np.zeros((5, 2), np.float32), 0.9)] if rgb.any() else []

    wall, person = np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)
    film = [wall, wall, person, wall]
    seen: list[int] = []

    def every(path: Path, cut: Any) -> Iterator[tuple[int, float, Image]]:
        for k, rgb in enumerate(film):
            seen.append(k)
            yield k, k / 10, rgb

    monkeypatch.setattr(extraction, "_models", lambda *_: (finder, None))
    monkeypatch.setattr(decoding, "samples", lambda path, n: iter([(0.0, wall)]))
    monkeypatch.setattr(decoding, "frames", every)
    quality: Any = SimpleNamespace(min_face_score=0.7)
    spec = ExtractSpec(256, 0.3, quality)
    assert has_face(Path("film.mp4"), samples=1, spec=spec)
    assert seen == [0, 1, 2]
    film[2] = wall
    assert not has_face(Path("film.mp4"), samples=1, spec=spec)


def test_bad_videos_are_named(tmp_path: Path, spec: ExtractSpec) -> None:
    path = tmp_path / "sub-01_video.mp4"
    for content in (b"", b"not a video\n" * 50):
        path.write_bytes(content)
        with pytest.raises(RecordingError, match=r"sub-01_video\.mp4"):
            extract(path, spec)
        with pytest.raises(RecordingError, match=r"sub-01_video\.mp4"):
            has_face(path, samples=3, spec=spec)


def test_rate_and_duration_are_those_of_the_time_stamps(film: Film, spec: ExtractSpec) -> None:
    # Browsers write such files: of uneven times, and of no or a nonsensical rate.
    pictures = np.zeros((5, 48, 64, 3), np.uint8)
    stamps, tick = [0, 40, 80, 160, 200], Fraction(1, 1000)
    path = film(pictures, "film.webm", codec="libvpx", stamps=stamps, tick=tick, fps=1000)
    frames, counts, shapes = extract(path, spec)
    holds(frames, counts, shapes)
    assert frames["time_s"].tolist() == [0, 0.04, 0.08, 0.16, 0.2]
    assert counts.loc[0, ["fps", "duration_s"]].tolist() == [20, 0.25]


def test_of_a_video_that_is_cut_the_rows_are_those_of_what_is_there(
    film: Film, spec: ExtractSpec
) -> None:
    path, whole = stopped(film, "mkv", 0.5)
    frames, counts, shapes = extract(path, spec)
    holds(frames, counts, shapes)
    told: list[CutShortError] = []
    came = [round(time_s, 6) for _, time_s, _ in decoding.frames(path, cut=told.append)]
    assert frames["time_s"].tolist() == came
    assert not has_face(path, samples=0, spec=spec)
    row = counts.iloc[0]
    assert (row["frames_decoded"], row["declared_s"]) == (len(came), told[0].declared_s)
    listed = extraction.attrition(counts).set_index("reason")
    reason = f"cut short: {row['duration_s']:.2f} s there, 3.00 s declared"
    assert listed.loc[reason, "n"] == len(whole) - len(came)
    assert listed["n"].sum() == len(whole) - row["frames_accepted"]


def test_the_fingerprint_follows_all_that_rows_are_made_of(
    monkeypatch: pytest.MonkeyPatch, thresholds: ExtractSpec
) -> None:
    spec = thresholds
    marks = [
        fingerprint("a" * 64, "sub-01_run-1", "sub-01", spec=spec),
        fingerprint("b" * 64, "sub-01_run-1", "sub-01", spec=spec),
        fingerprint("a" * 64, "sub-02_run-1", "sub-02", spec=spec),
        fingerprint("a" * 64, "sub-01_run-1", "sub-01", spec=replace(spec, detector_width_px=99)),
    ]
    monkeypatch.setattr(extraction, "sha256_code", lambda *_: "other code")
    marks.append(fingerprint("a" * 64, "sub-01_run-1", "sub-01", spec=spec))
    monkeypatch.setattr(extraction, "version", lambda _: "other package")
    marks.append(fingerprint("a" * 64, "sub-01_run-1", "sub-01", spec=spec))
    assert len(set(marks)) == len(marks)


def test_without_models_it_says_what_to_run(
    film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: ExtractSpec
) -> None:
    path = film(np.zeros((2, 48, 64, 3), np.uint8))
    extraction._models.cache_clear()
    monkeypatch.setenv(assets.FOLDER_VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(AssetError, match="make setup"):
        extract(path, spec)
