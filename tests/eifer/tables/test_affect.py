"""The rules of the estimates and corpus tables find what breaks them."""

import pandas as pd
import pytest

from eifer.tables.affect import CORPUS, ESTIMATES
from eifer.tables.schema import Rule, Table

FRAMES = pd.DataFrame(
    {
        "video_id": ["sub-01_run-1"] * 4 + ["sub-02_run-1"],
        "participant_id": ["sub-01"] * 4 + ["sub-02"],
        "frame": [0, 1, 2, 3, 0],
        "status": ["accepted", "rejected", "accepted", "accepted", "accepted"],
    }
)


def rule(table: Table, name: str) -> Rule:
    return next(rule for rule in table.rules if rule.name == name)


@pytest.fixture
def estimates() -> pd.DataFrame:
    rows = FRAMES[FRAMES["status"] == "accepted"].drop(columns="status")
    return ESTIMATES.conform(rows.assign(arousal=[0.1, -0.2, 0.3, 1], valence=[0, 0.5, -1, 0.2]))


def test_the_accepted_frames_and_no_others_have_estimates(estimates: pd.DataFrame) -> None:
    check = rule(ESTIMATES, "one_estimate_per_accepted_frame")
    assert check.needs == ("frames",)
    assert check.broken(estimates, {"frames": FRAMES}).empty
    lacking = check.broken(estimates.drop(index=1), {"frames": FRAMES})
    assert lacking[["video_id", "frame"]].values.tolist() == [["sub-01_run-1", 2]]
    rejected = pd.concat([estimates, estimates.iloc[:1].assign(frame=1)])
    found = check.broken(rejected, {"frames": FRAMES})
    assert found[["video_id", "frame"]].values.tolist() == [["sub-01_run-1", 1]]


def test_a_dead_network_is_noticed(estimates: pd.DataFrame) -> None:
    check = rule(ESTIMATES, "estimates_vary")
    assert check.broken(estimates, {}).empty
    assert len(check.broken(estimates.assign(valence=0.0), {})) == 4
    assert check.broken(estimates.iloc[:1], {}).empty


def test_images_are_png_or_jpeg() -> None:
    table = CORPUS.conform(
        pd.DataFrame(
            {
                "image_id": ["a", "b", "c"],
                "identity": "p",
                "image": [b"\x89PNG\r\n\x1a\n...", b"\xff\xd8\xff\xe0...", b"GIF89a"],
                "arousal": 0.0,
                "valence": 0.0,
                "source": "drawn",
            }
        )
    )
    found = rule(CORPUS, "image_is_png_or_jpeg").broken(table, {})
    assert found["image_id"].tolist() == ["c"]
