"""What estimate and select say where there is nothing to estimate, or nothing to tell apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.affect.spec import BlendshapeSpec, Coordinates, Term
from eifer.errors import DesignError
from eifer.tables.affect import ESTIMATES
from eifer.tables.faces import SHAPES
from stages import catalogue
from stages import estimate as module
from stages import select as selecting
from stages._runtime.stage import Outcome
from tests.stages.test_params import COMPARED, accepted

SUM = BlendshapeSpec((Term("jawOpen", 0.5, -0.5),), Coordinates(0.0, 0.0))
VIDEO = {"video_id": ["sub-01_run-1"], "participant_id": "sub-01", "video_path": ["a.mp4"]}


def frames(n: int, status: str = "accepted") -> pd.DataFrame:
    ids = {"video_id": VIDEO["video_id"] * n, "participant_id": "sub-01"}
    return pd.DataFrame({**ids, "frame": range(n), "status": status})


def estimated(values: list[tuple[float, float]]) -> pd.DataFrame:
    arousal, valence = np.array(values, np.float32).T
    return ESTIMATES.conform(
        frames(len(values)).drop(columns="status").assign(arousal=arousal, valence=valence)
    )


@pytest.fixture
def run(tmp_path: Any) -> Callable[..., Outcome]:
    """Run the stage estimate on accepted frames whose estimates are given."""
    (tmp_path / "card.json").write_text('{"validation": {}}')

    def run(values: list[tuple[float, float]], n: int | None = None, *also: str) -> Outcome:
        looked = frames(len(values)) if n is None else frames(n, "rejected")
        tables = {
            catalogue.VIDEOS: pd.DataFrame(VIDEO),
            catalogue.FRAMES: looked,
            catalogue.BLENDSHAPES: looked[["video_id", "frame"]].assign(
                **dict.fromkeys(SHAPES, 0.5)
            ),
        }
        fake: Any = SimpleNamespace(
            read=tables.__getitem__,
            item={"wave": "spring"},
            params=accepted(COMPARED if also else {}),
            path=lambda given: tmp_path / Path(given.path).name,
            each=lambda work, tasks, label, place: [
                dict.fromkeys(("network", *also), estimated(values)) if values else {}
            ],
        )
        return module.estimate.function(fake)

    return run


def test_a_wave_without_an_accepted_frame_is_named(run: Callable[..., Outcome]) -> None:
    with pytest.raises(DesignError, match="wave spring: not one of its 2 frames was accepted"):
        run([], n=2)


def test_one_accepted_frame_is_estimated(run: Callable[..., Outcome]) -> None:
    outcome = run([(0.5, -0.25)])
    numbers = json.loads(json.dumps(outcome.report.numbers, allow_nan=False))
    assert numbers["arousal_mean"] == 0.5
    assert numbers["arousal_std"] == numbers["valence_std"] == 0


def test_the_report_says_who_estimates_and_who_is_only_compared(
    run: Callable[..., Outcome],
) -> None:
    outcome = run([(0.5, -0.25), (0.1, 0.3)], None, "blendshapes")
    said, numbers = " ".join(outcome.report.methods.split()), outcome.report.numbers
    assert "accepted frame by the affect network; what it is worth was not measured." in said
    assert numbers["frames"] == 2
    assert "For comparison, they were read by a weighted sum of MediaPipe's blendshapes" in said
    assert said.count("what it is worth was not measured") == 2
    assert (numbers["estimator"], numbers["also"]) == ("network", ["blendshapes"])
    agreed = outcome.made[catalogue.AGREEMENT]
    assert agreed[["wave", "other", "video_id"]].to_numpy().tolist() == [
        ["spring", "blendshapes", "all"],
        ["spring", "blendshapes", "sub-01_run-1"],
    ]
    others = catalogue.OTHER_ESTIMATES.table.conform(outcome.made[catalogue.OTHER_ESTIMATES])
    assert others[["estimator", "frame"]].to_numpy().tolist() == [
        ["blendshapes", 0],
        ["blendshapes", 1],
    ]
    alone = run([(0.5, -0.25)]).made
    assert alone[catalogue.AGREEMENT].empty
    assert alone[catalogue.OTHER_ESTIMATES].empty


def test_blendshapes_alone_need_no_video() -> None:
    rows = frames(3).assign(**dict.fromkeys(SHAPES, 0.5))
    video = {"video_path": "nowhere.mp4", "video_sha256": "none"}
    made = module._video(SimpleNamespace(cohort=""), {"blendshapes": SUM}, (video, rows))
    found = ESTIMATES.conform(made["blendshapes"])
    assert found["frame"].tolist() == [0, 1, 2]
    assert (found["arousal"] == 0.25).all() and (found["valence"] == -0.25).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([(0.5, 0.1), (0.5, 0.2), (0.5, 0.3)], "all 3 accepted frames the same arousal, so"),
        ([(1.0, -1.0)] * 2, "all 2 accepted frames the same arousal and valence, so"),
    ],
)
def test_a_constant_network_is_named(
    run: Callable[..., Outcome], values: list[tuple[float, float]], said: str
) -> None:
    with pytest.raises(DesignError, match=f"wave spring: .*{said}"):
        run(values)


def selected(
    values: list[tuple[float, float]], label: int, conditions: tuple[str, ...]
) -> Mapping[Any, Any]:
    labels = {
        f"{d}_label{s}": v
        for d in ("arousal", "valence")
        for s, v in (("", label), ("_source", "rating"))
    }
    tables = {
        catalogue.VIDEOS: pd.DataFrame(VIDEO).assign(**labels),
        catalogue.FRAMES: frames(len(values)),
        catalogue.ESTIMATES: estimated(values),
        catalogue.OTHER_ESTIMATES: estimated([(2 * label - 1.0, 2 * label - 1.0)]).assign(
            estimator="blendshapes"
        ),
    }
    wanted = {"select.top": 3, "select.conditions": conditions, "select.frames_per_video": 2}
    fake: Any = SimpleNamespace(
        read=tables.__getitem__,
        item={"wave": "spring"},
        params=accepted(wanted),
        each=lambda work, tasks, label: iter(()),
    )
    return selecting.select.function(fake).made


@pytest.mark.parametrize("values", [[(0.5, 0.5)], [(0.5, 0.1), (0.6, 0.2)], [(0.0, 0.0)]])
def test_estimates_that_all_contradict_their_labels_are_named(
    values: list[tuple[float, float]],
) -> None:
    with pytest.raises(DesignError, match=f"not one of its {len(values)} estimated frames"):
        selected(values, 0, ("baseline",))


def test_without_a_sampled_condition_no_availability_is_needed() -> None:
    made = selected([(0.5, 0.5), (0.6, -0.1)], 1, ("baseline",))
    assert len(made[catalogue.SELECTION]) == 2
    assert made[catalogue.OTHER_SELECTION]["estimator"].tolist() == ["blendshapes"]
    assert made[catalogue.AVAILABILITY].empty
    assert catalogue.AVAILABILITY.table.may_be_empty
