"""The demo's plan of a cohort, with tiny recordings of few people."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eifer.cohort.simulation.people import CohortSpec
from stages.params import load_params

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="session")
def plan() -> CohortSpec:
    """Two waves of one participant, 1 s of video, 10 s of ECG."""
    demo = load_params(ROOT / "presets/demo.yaml").simulate.planted
    return replace(
        demo,
        participants_per_wave=(1, 1),
        video=replace(demo.video, seconds=1, width_px=160, height_px=120),
        ecg=replace(demo.ecg, seconds=10),
        reference=None,
    )
