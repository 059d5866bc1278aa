from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.errors import RecordingError
from eifer.faces import crops, decoding, extraction
from eifer.faces.crops import CropSpec
from eifer.faces.extraction import ExtractSpec, extract_video

Image = NDArray[np.uint8]

SPEC = CropSpec(size_px=64, eye_distance=0.34, eye_height=0.36)


def eyes(rows: pd.DataFrame, index: int) -> NDArray[np.float64]:
    return rows.loc[index, crops.EYE_COLUMNS].to_numpy(float).reshape(2, 2)


def spots(right: tuple[float, float], left: tuple[float, float], radius: int) -> Image:
    """A red spot for the person's right eye and a green one for the left."""
    picture = np.full((480, 640, 3), 90, np.uint8)
    for place, colour in ((right, (255, 0, 0)), (left, (0, 255, 0))):
        cv2.circle(picture, (round(place[0]), round(place[1])), radius, colour, -1)
    return picture


def middle(crop: Image, channel: int) -> NDArray[np.float64]:
    """Where the spot of this colour has its middle: x, y in px."""
    weight = crop[..., channel].astype(float) - crop.min(axis=2)
    weight[weight < 40] = 0
    y, x = np.mgrid[: crop.shape[0], : crop.shape[1]]
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize(
    ("right", "left", "radius"),
    [
        ((300, 200), (322, 200), 2),
        ((200, 150), (350, 150), 14),
        ((250, 300), (380, 225), 14),
        ((240, 180), (300, 240), 8),
        ((20, 30), (170, 40), 14),
    ],
    ids=["same scale", "shrunk", "tilted left", "tilted right", "at the edge"],
)
def test_eyes_come_to_their_places(
    right: tuple[float, float], left: tuple[float, float], radius: int
) -> None:
    crop = crops.aligned(spots(right, left, radius), np.array([right, left], float), SPEC)
    assert crop.shape == (64, 64, 3)
    assert crop.dtype == np.uint8
    assert crop.flags.c_contiguous
    half = 0.34 * 64 / 2
    np.testing.assert_allclose(middle(crop, 0), [31.5 - half, 0.36 * 64 - 0.5], atol=0.6)
    np.testing.assert_allclose(middle(crop, 1), [31.5 + half, 0.36 * 64 - 0.5], atol=0.6)


def test_a_large_face_is_averaged_not_sampled() -> None:
    picture = np.indices((600, 800)).sum(axis=0) % 2 * 255
    fine = np.repeat(picture[..., None], 3, axis=2).astype(np.uint8)
    crop = crops.aligned(fine, np.array([[300.0, 250.0], [500.0, 250.0]]), SPEC)
    assert crop.std() < 15, "a fine chequerboard shrunk nine times is grey"


@pytest.fixture(scope="module")
def extracted(clips: Path, spec: ExtractSpec) -> tuple[Path, pd.DataFrame]:
    path = clips / "pyfeat_single_face.mp4"
    rows, *_ = extract_video(path, video_id="v", participant_id="p", spec=spec)
    return path, rows


def test_crops_of_a_video_are_those_of_its_frames(extracted: tuple[Path, pd.DataFrame]) -> None:
    path, rows = extracted
    chosen = rows[rows["frame"].isin([40, 3, 17])]
    got = dict(crops.crops(path, chosen.iloc[::-1], SPEC))
    assert list(got) == [3, 17, 40]
    for index, _, rgb in decoding.frames(path, wanted=got):
        assert np.array_equal(got[index], crops.aligned(rgb, eyes(rows, index), SPEC))
    assert list(crops.crops(path, chosen[:0], SPEC)) == []


def test_a_still_is_cut_like_the_frame_it_is(
    extracted: tuple[Path, pd.DataFrame], spec: ExtractSpec
) -> None:
    path, rows = extracted
    for index, _, rgb in decoding.frames(path, wanted=[5, 50]):
        still = crops.align_image(rgb, spec=SPEC, faces=spec)
        assert still is not None
        difference = still.astype(int) - crops.aligned(rgb, eyes(rows, index), SPEC)
        # The row's pixels are rounded to hundredths.
        assert np.abs(difference).max() <= 3


def test_tilted_head_same_crop(extracted: tuple[Path, pd.DataFrame], spec: ExtractSpec) -> None:
    path, _ = extracted
    (_, _, rgb), *_ = decoding.frames(path, wanted=[50])
    matrix = cv2.getRotationMatrix2D((320, 180), 15, 1.0)
    tilted = np.asarray(cv2.warpAffine(rgb, matrix, (640, 360)), np.uint8)
    upright = crops.align_image(rgb, spec=SPEC, faces=spec)
    again = crops.align_image(tilted, spec=SPEC, faces=spec)
    assert upright is not None
    assert again is not None
    face = (slice(10, 54), slice(14, 50))
    correlation = np.corrcoef(upright[face].ravel(), again[face].ravel())[0, 1]
    assert correlation > 0.95


def test_still_without_a_face_gives_none(spec: ExtractSpec) -> None:
    assert crops.align_image(np.full((128, 128, 3), 128, np.uint8), spec=SPEC, faces=spec) is None


def test_rows_that_are_not_of_this_video(extracted: tuple[Path, pd.DataFrame]) -> None:
    path, rows = extracted
    with pytest.raises(RecordingError, match=r"frame 500 .* run extract again"):
        list(crops.crops(path, rows[:1].assign(frame=500), SPEC))
    with pytest.raises(ValueError, match="with a face"):
        list(crops.crops(path, rows[:1].assign(left_eye_x_px=np.nan), SPEC))
    with pytest.raises(ValueError, match="another frame"):
        list(crops.crops(path, pd.concat([rows[:1], rows[:1]]), SPEC))


def test_the_face_at_the_box_is_cut_not_the_larger(clips: Path, spec: ExtractSpec) -> None:
    """Boxes as another detector might give them: tighter, wider, moved by a tenth."""
    path = clips / "pyfeat_single_face.mp4"
    _, _, rgb = next(iter(decoding.frames(path)))
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    both = rgb.copy()
    both[90 : 90 + height // 2, :100] = small[:, 110:210]
    alone = np.full_like(rgb, 200)
    alone[90 : 90 + height // 2, :100] = small[:, 110:210]
    found = extraction.find(alone, spec)
    assert found is not None
    x, y, w, h = found[0].box
    expected = crops.align_image(alone, spec=SPEC, faces=spec)
    assert expected is not None
    for box in (
        (x, y, w, h),
        (x - 0.25 * w, y - 0.25 * h, 1.5 * w, 1.5 * h),
        (x + 0.2 * w, y + 0.2 * h, 0.6 * w, 0.6 * h),
        (x + 0.1 * w, y + 0.1 * h, w, h),
    ):
        cut = crops.align_image(both, box, spec=SPEC, faces=spec)
        assert cut is not None
        assert np.abs(cut.astype(float) - expected).mean() < 8
    largest = crops.align_image(both, spec=SPEC, faces=spec)
    assert largest is not None
    assert np.abs(largest.astype(float) - expected).mean() > 8
    # Beside both faces, or around all of the picture: none is meant.
    for box in ((500.0, 20.0, 60.0, 60.0), (0.0, 0.0, float(width), float(height))):
        assert crops.align_image(both, box, spec=SPEC, faces=spec) is None
