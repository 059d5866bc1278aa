"""A small plan of a cohort: tiny recordings, strong effects."""

from __future__ import annotations

import pytest

from eifer.cohort.simulation.people import (
    AutonomicSpec,
    CohortSpec,
    DomainResponse,
    EcgSpec,
    EiSpec,
    EventSpec,
    ExpressionSpec,
    FeltSpec,
    RatingSpec,
    VideoSpec,
)
from eifer.vocabulary import Dimension, Domain


@pytest.fixture(scope="session")
def plan() -> CohortSpec:
    """Two waves of one participant, 1 s of video, 10 s of ECG."""
    return CohortSpec(
        participants_per_wave=(1, 1),
        effect=1.0,
        ei=EiSpec(mean=830, sd=110, index_sd=15),
        felt=FeltSpec(strength=0.62, person_sd=0.1, video_sd=0.12),
        ratings=RatingSpec(
            gain=3.2,
            noise=0.3,
            noise_shift=-0.35,
            neutral=0.08,
            neutral_shift=-0.6,
            reversed={Dimension.AROUSAL: 0.2, Dimension.VALENCE: 0.0},
            reversed_shift=-3.5,
        ),
        expression=ExpressionSpec(
            coupling=0.85,
            coupling_shift=0.2,
            wander_sd=0.2,
            memory_s=1.0,
            excursions_per_minute=8,
            excursion_s=1.2,
            excursion_depth=1.7,
        ),
        autonomic=AutonomicSpec(
            rate_bpm=72,
            rate_sd_bpm=6,
            vagal_ms=30,
            vagal_log_sd=0.25,
            slow_ms=30,
            slow_log_sd=0.2,
            video_rate_sd_bpm=1.5,
            video_vagal_log_sd=0.1,
            response={
                Domain.HAHV: DomainResponse(3.0, -0.10, 1.5, -0.15),
                Domain.HALV: DomainResponse(5.0, -0.20, 3.0, -0.40),
                Domain.LAHV: DomainResponse(-2.0, 0.15, -2.0, 0.35),
                Domain.LALV: DomainResponse(-1.0, 0.05, -1.0, 0.20),
            },
        ),
        video=VideoSpec(seconds=1, fps=15, width_px=160, height_px=120, crf=24, noise_levels=3),
        ecg=EcgSpec(seconds=10, hz=250, noise_mv=0.02),
        events=EventSpec(no_face=0.04, eyes_closed=0.05, occluded=0.05, two_faces=0.04, mean_s=0.4),
        reference=None,
    )
