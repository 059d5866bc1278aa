"""What estimate and select say where there is nothing to estimate, or nothing to tell apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.errors import DesignError
from eifer.tables.affect import ESTIMATES
from stages import catalogue
from stages import estimate as module
from stages import select as selecting
from stages._runtime.stage import Outcome

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
    (tmp_path / "weights").write_bytes(b"")

    def run(values: list[tuple[float, float]], n: int | None = None) -> Outcome:
        tables = {
            catalogue.VIDEOS: pd.DataFrame(VIDEO),
            catalogue.FRAMES: frames(len(values)) if n is None else frames(n, "rejected"),
        }
        study = SimpleNamespace(crop=SimpleNamespace(size_px=64), cohort="")
        affect = SimpleNamespace(network=lambda size_px: None)
        fake: Any = SimpleNamespace(
            read=tables.__getitem__,
            item={"wave": "spring"},
            params=SimpleNamespace(
                study=study,
                affect=affect,
                arithmetic=None,
                estimate=SimpleNamespace(estimator="network", expression=None),
            ),
            path=lambda given: tmp_path / "weights",
            each=lambda work, tasks, label: [estimated(values)],
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
    }
    wanted = SimpleNamespace(top=3, conditions=conditions, frames_per_video=2)
    study = SimpleNamespace(crop=None, cohort="")
    fake: Any = SimpleNamespace(
        read=tables.__getitem__,
        item={"wave": "spring"},
        params=SimpleNamespace(study=study, select=wanted),
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
    assert made[catalogue.AVAILABILITY].empty
    assert catalogue.AVAILABILITY.table.may_be_empty
