from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eifer.tables.faces import BLENDSHAPES, COUNTS, FRAMES, MEASURES, SHAPES, count


@pytest.fixture
def frames() -> pd.DataFrame:
    """Two videos of four frames: accepted, no face, occluded, accepted with two faces."""
    rows = pd.DataFrame(
        {
            "video_id": ["sub-01_run-1"] * 4 + ["sub-01_run-2"] * 4,
            "participant_id": "sub-01",
            "frame": [0, 1, 2, 3] * 2,
            "time_s": [0.0, 0.1, 0.2, 0.3] * 2,
            "status": ["accepted", "rejected", "rejected", "accepted"] * 2,
            "reason": [None, "no_face", "occluded", None] * 2,
            "n_faces": [1, 0, 1, 2] * 2,
            "switched": [False, False, False, True] * 2,
        }
    )
    values = pd.DataFrame(np.full((8, len(MEASURES)), 0.5), columns=list(MEASURES))
    values.loc[[1, 5]] = np.nan
    return FRAMES.conform(pd.concat([rows, values], axis=1))


@pytest.fixture
def counts(frames: pd.DataFrame) -> pd.DataFrame:
    rest = {"participant_id": "sub-01", "width_px": 64, "height_px": 48, "fps": 10.0}
    return COUNTS.conform(
        count(frames).reset_index().assign(**rest, duration_s=0.4, declared_s=None)
    )


def broken(frames: pd.DataFrame) -> dict[str, list[tuple[str, int]]]:
    found = {rule.name: rule.broken(frames, {}) for rule in FRAMES.rules}
    keys = ["video_id", "frame"]
    return {
        name: list(rows[keys].itertuples(index=False, name=None))
        for name, rows in found.items()
        if len(rows)
    }


def test_good_tables_break_nothing(frames: pd.DataFrame, counts: pd.DataFrame) -> None:
    assert broken(frames) == {}
    for rule in COUNTS.rules:
        assert rule.broken(counts, {"frames": frames}).empty
    row = counts.set_index("video_id").loc["sub-01_run-2"]
    assert row["frames_decoded"] == 4
    assert row["frames_accepted"] == 2
    assert row["frames_switched"] == 1
    assert row["rejected_no_face"] == row["rejected_occluded"] == row["frames_several_faces"] == 1
    assert row["rejected_eyes_closed"] == row["rejected_low_confidence"] == 0


@pytest.mark.parametrize(
    ("row", "column", "value", "rule"),
    [
        (0, "reason", "occluded", "rejected_with_reason"),
        (2, "reason", None, "rejected_with_reason"),
        (0, "box_w_px", np.nan, "faces_are_measured"),
        (1, "face_score", 0.9, "faces_are_measured"),
        (1, "reason", "occluded", "faces_are_measured"),
        (3, "time_s", 0.2, "time_goes_on"),
    ],
)
def test_each_fault_is_found_where_it_is(
    frames: pd.DataFrame, row: int, column: str, value: object, rule: str
) -> None:
    frames.loc[row, column] = value
    assert broken(frames) == {rule: [("sub-01_run-1", row)]}


def test_a_gap_in_the_frames(frames: pd.DataFrame) -> None:
    gone = frames.drop(index=5)
    assert broken(gone)["no_gaps"] == [("sub-01_run-2", 2), ("sub-01_run-2", 3)]


def test_counts_that_do_not_add_up(frames: pd.DataFrame, counts: pd.DataFrame) -> None:
    add_up, match = COUNTS.rules
    counts.loc[0, "frames_accepted"] = 3
    assert add_up.broken(counts, {})["video_id"].tolist() == ["sub-01_run-1"]
    assert set(match.broken(counts, {"frames": frames})["video_id"]) == {"sub-01_run-1"}


def test_counts_of_other_videos(frames: pd.DataFrame, counts: pd.DataFrame) -> None:
    match = COUNTS.rules[1]
    fewer = {"frames": frames[frames["video_id"] == "sub-01_run-1"]}
    assert match.broken(counts, fewer)["video_id"].tolist() == ["sub-01_run-2"]
    assert match.broken(counts[:1], {"frames": frames})["video_id"].tolist() == ["sub-01_run-2"]


def test_blendshapes_are_those_of_each_face(frames: pd.DataFrame) -> None:
    faces = frames.loc[frames["n_faces"] > 0, ["video_id", "frame"]]
    shapes = BLENDSHAPES.conform(faces.assign(**dict.fromkeys(SHAPES, 0.25)))
    each, shares = BLENDSHAPES.rules
    assert each.broken(shapes, {"frames": frames}).empty and shares.broken(shapes, {}).empty
    assert each.broken(shapes[1:], {"frames": frames})["frame"].tolist() == [0]
    without = shapes.assign(frame=shapes["frame"].replace(3, 1))
    assert sorted(each.broken(without, {"frames": frames})["frame"]) == [1, 1, 3, 3]
    for value in (1.01, -0.01, np.nan):
        wrong = shapes.copy()
        wrong.loc[2, "jawOpen"] = value
        assert shares.broken(wrong, {}).index.tolist() == [2]
