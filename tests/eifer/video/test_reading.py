"""One video: every face, its person, what was looked at, stopped and gone on with, damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import eifer
from eifer.affect.expression import EXPRESSIONS, ExpressionEstimator
from eifer.affect.network import WeightsSpec
from eifer.errors import ParamsError, RecordingError
from eifer.training.backbones import backbone_card
from eifer.video import reading
from eifer.video.reading import Reader, ReadingSpec, opened
from stages.params import load_params

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def read(reader: Reader, meeting) -> pd.DataFrame:
    return reader(meeting.path).faces


def test_each_person_keeps_one_number(read: pd.DataFrame, meeting) -> None:
    assert meeting.kept(read) >= 0.95
    assert read["person"].max() == 3


def test_probabilities_and_estimates_have_their_ranges(read: pd.DataFrame) -> None:
    chances = read[[f"{name}_probability" for name in EXPRESSIONS]].dropna()
    assert len(chances) > 200 and np.allclose(chances.sum(axis=1), 1, atol=1e-3)
    best = chances.to_numpy().argmax(axis=1)
    assert read.loc[chances.index, "expression"].tolist() == [EXPRESSIONS[k] for k in best]
    assert (read.loc[chances.index, "uncertain"] == (chances.max(axis=1) < reading.CERTAIN)).all()


class StopsError(Exception):
    pass


def stopped(reader: Reader, path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop a reading in its second half; of each 20 frames a part is kept."""

    def stop(time_s: float, rgb: object, faces: object) -> None:
        if time_s > 5:
            raise StopsError

    monkeypatch.setattr(reading, "PART_FRAMES", 20)
    with pytest.raises(StopsError):
        reader(path, kept, stop)


def test_a_stopped_reading_goes_on_to_the_same_table(
    reader: Reader, meeting, read: pd.DataFrame, tmp_path: Path, monkeypatch
) -> None:
    stopped(reader, meeting.path, tmp_path, monkeypatch)
    looked = []
    found = reader._found
    monkeypatch.setattr(reader, "_found", lambda rgb: looked.append(1) or found(rgb))
    again = reader(meeting.path, tmp_path).faces
    pd.testing.assert_frame_equal(again, read)
    # Two parts of 20 frames were kept.
    assert len(looked) == 50


def test_a_part_that_was_not_written_whole_is_read_again(
    reader: Reader, meeting, read: pd.DataFrame, tmp_path: Path, monkeypatch
) -> None:
    stopped(reader, meeting.path, tmp_path, monkeypatch)
    first, second = sorted(tmp_path.glob("*.npz"))
    first.write_bytes(b"")
    second.write_bytes(second.read_bytes()[:1000])
    pd.testing.assert_frame_equal(reader(meeting.path, tmp_path).faces, read)


def test_a_damaged_end_is_told_and_the_rest_kept(
    reader: Reader, shared: Path, tmp_path: Path
) -> None:
    whole = shared / "real_clips/intel_asl_book.mkv"
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    cut = reader(path)
    assert "cut short" in cut.cut_short and str(path) not in cut.cut_short
    assert cut.duration_s == pytest.approx(cut.faces["time_s"].iloc[-1], abs=0.15)
    full = reader(whole).faces
    # Where the file ends a frame may be missing, and then the next one is looked at.
    kept = cut.faces.iloc[:-1]
    assert 0.5 * len(full) < len(kept) < len(full)
    pd.testing.assert_frame_equal(kept, full.iloc[: len(kept)], check_exact=True)
    with pytest.raises(RecordingError, match="cut short"):
        eifer.estimate(path)


def test_no_face_is_a_row_without_a_person(reader: Reader, shared: Path) -> None:
    faces = reader(shared / "real_clips/pyfeat_no_face.mp4").faces
    assert len(faces) == faces["frame"].nunique() and faces["person"].isna().all()
    assert faces["expression"].isna().all() and not faces["uncertain"].any()


def test_estimate_gives_the_table(reader: Reader, meeting, read: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(eifer.estimate(meeting.path), read)


def test_the_face_leaves_no_description_of_itself(
    reader: Reader, meeting, tmp_path: Path, monkeypatch
) -> None:
    stopped(reader, meeting.path, tmp_path, monkeypatch)
    columns = {a.shape[1] for part in tmp_path.rglob("*.npz") for a in np.load(part).values()}
    # Points, box, scores, estimates: SFace's 128 numbers would tell the person again.
    assert columns and max(columns) < 60


def test_what_is_ready_is_what_the_preset_says() -> None:
    preset = load_params(ROOT / "presets/real.yaml").estimate
    assert reading.ready("expression") == preset.expression
    assert reading.ready("blendshapes") == preset.blendshapes
    with pytest.raises(ParamsError, match="did you mean 'expression'"):
        reading.ready("expresion")


def test_blendshapes_read_the_same_faces_without_a_class(
    reader: Reader, meeting, read: pd.DataFrame
) -> None:
    other = eifer.estimate(meeting.path, estimator="blendshapes")
    same = [name for name in other if name not in ("arousal", "valence")]
    pd.testing.assert_frame_equal(other[same], read[same])
    assert "expression" not in other
    assert other["arousal"].between(-1, 1)[other["person"].notna()].all()


@pytest.mark.parametrize(("per_second", "every"), [(0.01, 90), (1.0, 10), (2.0, 5), (10.0, 1)])
def test_of_fewer_frames_the_duration_is_that_of_all(
    models: None, meeting, per_second: float, every: int
) -> None:
    slow = opened(spec=ReadingSpec(per_second=per_second))(meeting.path)
    assert slow.faces["frame"].unique().tolist() == list(range(0, 90, every))
    assert slow.duration_s == pytest.approx(9.0)


def test_other_weights_are_another_reading(tmp_path: Path, monkeypatch) -> None:
    weights = tmp_path / "weights.safetensors"
    spec = WeightsSpec(
        weights, backbone_card("test_efficientnet").at(64), "cpu", "float32", 8, None
    )
    monkeypatch.setattr(reading.estimators, "opened", lambda choice: ExpressionEstimator)
    names = []
    for content in (b"one", b"other"):
        weights.write_bytes(content)
        names.append(opened(spec).fingerprint("0" * 64))
    assert names[0] != names[1]
