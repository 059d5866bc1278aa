from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.physiology.hrv import ecg_quality
from eifer.physiology.peaks import r_peaks
from eifer.physiology.quality import (
    EcgQuality,
    QualitySpec,
    assess,
    clipped_share,
    flat_share,
    in_film,
)
from eifer.tables.physiology import ECG_REASONS
from tests.eifer.physiology.conftest import DEMO

SPEC = DEMO.quality
find = partial(r_peaks, method="neurokit", powerline_hz=50)


def judged(ecg: NDArray[np.float64], hz: float, spec: QualitySpec = SPEC) -> EcgQuality:
    return ecg_quality(ecg, hz, replace(DEMO, quality=spec))


def assessed(
    ecg: NDArray[np.float64], hz: float, peaks: NDArray[np.int64], spec: QualitySpec = SPEC
) -> EcgQuality:
    _, film = in_film(ecg, hz, 0.0, None)
    return assess(ecg, hz, peaks, spec, film)[0]


@pytest.mark.parametrize(
    ("name", "hz", "reason"),
    [
        ("e0103", 250, None),
        ("e0110", 250, None),
        ("118e24", 360, None),
        ("118e00", 360, "noise"),
    ],
)
def test_real_recordings(shared: Path, name: str, hz: float, reason: str | None) -> None:
    quality = judged(np.loadtxt(shared / "real_ecg" / f"{name}.csv"), hz)
    assert quality.reason == reason
    assert quality.verdict == ("rejected" if reason else "good")
    assert quality.duration_s == 120
    assert quality.good_share == (1.0 if reason is None else pytest.approx(0.33, abs=0.1))


def test_simulated_is_good(simulated: NDArray[np.float64]) -> None:
    quality = judged(simulated, 250)
    assert quality.reason is None
    assert quality.mean_hr_bpm == pytest.approx(70, abs=1)
    assert quality.template_correlation > 0.9
    assert quality.artefact_share < 0.05


def test_an_offset_and_another_unit_change_nothing(simulated: NDArray[np.float64]) -> None:
    one, other = judged(simulated, 250), judged(1000 * simulated - 7000, 250)
    assert other.reason is None
    assert other.template_correlation == pytest.approx(one.template_correlation, abs=0.01)
    assert other.n_beats == one.n_beats


def white(n: int = 15_000) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=n)


def test_each_fault_has_its_reason(simulated: NDArray[np.float64]) -> None:
    hole = simulated.copy()
    hole[700] = np.nan
    infinite = simulated.copy()
    infinite[0] = np.inf
    lost = simulated.copy()
    lost[-10 * 250 :] = lost[-10 * 250]  # the electrode falls off for the last 10 s
    mains = np.sin(2 * np.pi * 50 * np.arange(15_000) / 250) + 0.1 * white()
    cases: list[tuple[str, NDArray[np.float64], float]] = [
        ("implausible_sampling_rate", simulated, 1.0),
        ("implausible_sampling_rate", simulated, 0.0),
        ("implausible_sampling_rate", simulated, float("nan")),
        ("not_finite", hole, 250),
        ("not_finite", infinite, 250),
        ("too_short", simulated[: 9 * 250], 250),
        ("too_short", simulated[:0], 250),
        ("flat", np.full(15_000, 0.3), 250),
        ("flat", lost, 250),
        # At a rail for 5 % of the time, each time shorter than a flat stretch.
        ("clipped", np.minimum(simulated, np.quantile(simulated, 0.95)), 250),
        ("no_beats", np.sin(2 * np.pi * np.arange(15_000) / 2500), 250),
        ("implausible_heart_rate", simulated, 125),
        ("noise", simulated + 0.6 * white(len(simulated)), 250),
    ]
    got = [(judged(ecg, hz).reason) for _, ecg, hz in cases]
    assert got == [reason for reason, *_ in cases]
    assert set(got) <= set(ECG_REASONS)
    for noise in (white(), np.cumsum(white()), mains):
        assert judged(noise, 250).verdict == "rejected"


def test_too_many_artefacts(simulated: NDArray[np.float64]) -> None:
    peaks = find(simulated, 250)
    late = np.arange(len(peaks)) % 15 == 7
    shifted = peaks + np.where(late, 45, 0)  # 180 ms: a window's intervals stay in bounds
    quality = assessed(simulated, 250, shifted, replace(SPEC, highest_artefact_share=0.05))
    assert quality.artefact_share >= late.mean()
    assert quality.reason == "artefacts"


def test_a_gap_across_a_windows_edge_is_seen(simulated: NDArray[np.float64]) -> None:
    peaks = find(simulated, 250)
    gap = peaks[(peaks < 8.2 * 250) | (peaks > 11.8 * 250)]
    strict = replace(SPEC, lowest_good_share=1.0)
    assert assessed(simulated, 250, peaks, strict).reason is None
    assert assessed(simulated, 250, gap, strict).good_share < 1.0


def test_regular_beats_in_noise_do_not_resemble_each_other(
    simulated: NDArray[np.float64],
) -> None:
    quality = assessed(white(len(simulated)), 250, find(simulated, 250))
    assert quality.reason == "noise"
    assert 40 < quality.mean_hr_bpm < 180
    assert quality.template_correlation < 0.66


def test_beats_at_implausible_times_make_a_window_bad(simulated: NDArray[np.float64]) -> None:
    peaks = find(simulated, 250)
    extra = np.sort(np.r_[peaks, peaks[20] + 60])  # splits an interval 60 : 154
    assert assessed(simulated, 250, extra).good_share == pytest.approx(5 / 6)


def test_part_noise_is_judged_by_its_share(simulated: NDArray[np.float64]) -> None:
    part = simulated.copy()
    part[: 10 * 250] += 4 * white(10 * 250)
    assert judged(part, 250, replace(SPEC, lowest_good_share=0.5)).reason is None
    assert judged(part, 250, replace(SPEC, lowest_good_share=0.9)).reason == "noise"


def test_shares() -> None:
    stuck = np.r_[np.arange(80.0), np.full(20, 5.0)]
    assert flat_share(stuck, 100, 0.2) == 0.2
    assert flat_share(stuck, 100, 0.21) == 0.0
    assert clipped_share(np.asarray([0.0, 1, 2, 2, 1, 0, 1, 1])) == 0.5
