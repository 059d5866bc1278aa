"""ECGs whose truth is planted: what comes out is that truth, or the recording is rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.cohort.simulation import recordings
from eifer.physiology.hrv import EcgSpec, analyse_ecg, ecg_quality
from eifer.physiology.peaks import r_peaks
from eifer.physiology.quality import Film, in_film
from tests.eifer.physiology.conftest import DEMO

Floats = NDArray[np.float64]
HZ = 250


def heart(seconds: float, bpm: float, seed: int, vagal_ms: float = 22) -> Floats:
    """Times of beats in s, before 0 to after ``seconds``."""
    rng = np.random.default_rng(seed)
    return recordings.beats(
        seconds, rate_bpm=bpm, vagal_ms=vagal_ms, slow_ms=30, breaths_hz=0.25, rng=rng
    )


def drawn(times_s: Floats, seconds: float, seed: int = 0, hz: int = HZ) -> Floats:
    """The simulation's ECG of a heart that beats at ``times_s``."""
    rng = np.random.default_rng(seed)
    return recordings.ecg(times_s, seconds=seconds, hz=hz, noise_mv=0.02, breaths_hz=0.25, rng=rng)


def waves(
    times_s: Floats, seconds: float, *, r_mv: float, t_mv: float, t_width_s: float, t_after_s: float
) -> Floats:
    """An ECG of Gaussian P, Q, R, S and T waves; T follows R as QT does (Bazett)."""
    time = np.arange(round(seconds * HZ)) / HZ
    signal = np.random.default_rng(0).normal(0, 0.02, len(time))
    intervals = np.diff(times_s, append=times_s[-1] + 0.7)
    for beat, interval in zip(times_s, intervals, strict=True):
        for after, size, width in (
            (-0.17, 0.1, 0.022),
            (-0.028, -0.15 * r_mv, 0.010),
            (0.0, r_mv, 0.011),
            (0.03, -0.22 * r_mv, 0.011),
            (t_after_s * np.sqrt(interval), t_mv, t_width_s),
        ):
            signal += size * np.exp(-0.5 * ((time - beat - after) / width) ** 2)
    return signal


def nn_ms(times_s: Floats, start_s: float, end_s: float) -> Floats:
    """The planted intervals between two times."""
    return np.diff(times_s[(times_s >= start_s) & (times_s < end_s)]) * 1000


def rmssd(nn: Floats) -> float:
    return float(np.sqrt(np.mean(np.diff(nn) ** 2)))


Disturb = Callable[[Floats, np.random.Generator], Floats]
DISTURBED: dict[str, Disturb] = {
    "flat": lambda part, rng: np.full(len(part), part[0]),
    "flat_noise": lambda part, rng: rng.normal(0, 0.005, len(part)),
    "noise": lambda part, rng: rng.normal(0, 0.5, len(part)),
    "saturation": lambda part, rng: np.full(len(part), 3.0),
    "wander": lambda part, rng: part + np.cumsum(rng.normal(0, 0.1, len(part))),
}


def disturbed(ecg: Floats, kind: str, gaps_s: Sequence[tuple[float, float]]) -> Floats:
    """``ecg`` with bad signal of a kind from one second to another."""
    rng = np.random.default_rng(5)
    bad = ecg.copy()
    for start, end in gaps_s:
        part = slice(round(start * HZ), round(end * HZ))
        bad[part] = DISTURBED[kind](ecg[part], rng)
    return bad


@pytest.fixture(scope="session")
def six_minutes() -> tuple[Floats, Floats]:
    """Beats of a heart, and its ECG over 360 s."""
    times = heart(360, 72, 0)
    return times, drawn(times, 360)


# As strict as the presets for recorded hearts.
SPEC = replace(DEMO, quality=replace(DEMO.quality, highest_artefact_share=0.12))
SOME = replace(
    SPEC, variables=("mean_hr_bpm", "sdnn_ms", "rmssd_ms", "pnn50_pct", "hf_ms2", "sampen")
)
TIME = replace(SPEC, variables=("mean_hr_bpm", "sdnn_ms", "rmssd_ms"))

Rows = dict[str, dict[str, object]]


def analysed(
    ecg: Floats, spec: EcgSpec = SOME, hz: float = HZ, **when: float
) -> tuple[Rows, dict[str, object]]:
    rows, quality = analyse_ecg(ecg, hz, video_id="v", participant_id="p", spec=spec, **when)
    return {str(row["variable"]): row for row in rows}, quality


def value(rows: Rows, name: str) -> float:
    return float(str(rows[name]["value"]))


# Bad moments --------------------------------------------------------------------------------

GAPS = {
    "the_middle": [(180.0, 184.0)],
    "the_start": [(0.0, 5.0)],
    "four": [(20.0, 24.0), (100.0, 103.0), (200.0, 206.0), (300.0, 301.0)],
}


@pytest.mark.parametrize("kind", DISTURBED)
@pytest.mark.parametrize("where", GAPS)
def test_a_lead_that_is_off_changes_variability_by_little_or_is_refused(
    six_minutes: tuple[Floats, Floats], kind: str, where: str
) -> None:
    times, ecg = six_minutes
    rows, quality = analysed(disturbed(ecg, kind, GAPS[where]), TIME)
    if quality["reason"] is not None:
        assert (kind, quality["reason"]) == ("saturation", "clipped")
        return
    truth = nn_ms(times, 0, 360)
    assert value(rows, "sdnn_ms") == pytest.approx(truth.std(ddof=1), rel=0.03)
    assert value(rows, "rmssd_ms") == pytest.approx(rmssd(truth), rel=0.04)
    lost_s = sum(end - start for start, end in GAPS[where])
    assert float(str(quality["usable_s"])) >= 360 - lost_s - 4 * len(GAPS[where])


def test_every_variable_says_what_it_rests_on(six_minutes: tuple[Floats, Floats]) -> None:
    times, ecg = six_minutes
    rows, quality = analysed(disturbed(ecg, "flat_noise", [(180.0, 184.0)]))
    assert quality["n_stretches"] == 2
    usable = float(str(quality["usable_s"]))
    assert 354 < usable < 357
    for name in ("sdnn_ms", "rmssd_ms", "pnn50_pct"):
        assert rows[name]["used_s"] == usable
        assert rows[name]["used_share"] == usable / 360
        # Two stretches of so many beats, without what lies between them.
        lost = len(nn_ms(times, 0, 360)) - int(str(rows[name]["n_intervals"]))
        assert 5 <= lost <= 9
    for name in ("hf_ms2", "sampen"):
        assert 178 < float(str(rows[name]["used_s"])) < 182
        assert float(str(rows[name]["used_share"])) == pytest.approx(0.5, abs=0.01)


def test_spectra_and_entropies_reach_across_no_gap(six_minutes: tuple[Floats, Floats]) -> None:
    _, ecg = six_minutes
    gap = disturbed(ecg, "flat_noise", [(120.0, 124.0)])
    alone, _ = analysed(ecg[124 * HZ :])
    with_gap, _ = analysed(gap)
    for name in ("hf_ms2", "sampen"):
        assert value(with_gap, name) == pytest.approx(value(alone, name), rel=0.05)
    many, quality = analysed(disturbed(ecg, "flat", [(s, s + 3.0) for s in (85, 170, 255)]))
    assert quality["reason"] is None
    assert many["sampen"]["reason"] == "longest usable stretch shorter than 120 s"
    assert many["sampen"]["used_s"] is None
    assert many["hf_ms2"]["reason"] is None


def test_what_is_left_of_a_short_recording_is_held_to_the_minimum() -> None:
    spec = replace(SPEC, variables=("rmssd_ms", "pnn50_pct", "sampen"))
    ecg = drawn(heart(61, 70, 3), 61)
    rows, _ = analysed(disturbed(ecg, "flat", [(30.0, 33.0)]), spec)
    assert rows["rmssd_ms"]["reason"] is None
    assert rows["pnn50_pct"]["reason"] == "usable signal shorter than 60 s"
    assert rows["sampen"]["reason"] == "recording shorter than 120 s"


# Ectopic beats ------------------------------------------------------------------------------


def with_ectopics(times: Floats, share: float, seed: int) -> tuple[Floats, Floats]:
    """Premature beats of normal shape, half with a pause after; and the intervals of the others."""
    rng = np.random.default_rng(seed)
    times = times.copy()
    chosen = rng.choice(np.arange(8, len(times) - 8, 2), round(share * len(times)), replace=False)
    for k in np.sort(chosen):
        early = (times[k] - times[k - 1]) * rng.uniform(0.22, 0.38)
        if k % 4:
            times[k] -= early
        else:
            times[k:] -= early
    normal = np.ones(len(times), dtype=bool)
    normal[chosen] = False
    nn = np.where(normal[1:] & normal[:-1], np.diff(times) * 1000, np.nan)
    return times, nn


@pytest.mark.parametrize("share", [0.0, 0.03, 0.1, 0.2])
def test_ectopic_beats_are_left_out_or_the_recording_is(share: float) -> None:
    times, nn = with_ectopics(heart(300, 70, 4), share, 1)
    rows, quality = analysed(drawn(times, 300), TIME)
    if share >= 0.1:
        assert quality["reason"] == "artefacts"
        return
    inside = nn[(times[1:] >= 1) & (times[1:] < 300)]
    truth = np.sqrt(np.nanmean(np.diff(inside) ** 2))
    assert value(rows, "rmssd_ms") == pytest.approx(truth, rel=0.06)
    assert value(rows, "sdnn_ms") == pytest.approx(np.nanstd(inside), rel=0.04)


# Film's time --------------------------------------------------------------------------------


def rest_and_film() -> tuple[Floats, Floats]:
    rest, film = heart(60, 60, 1), heart(120, 90, 2, 8)
    times = np.r_[rest[rest < 59.6], 60 + film[film > 0.05]]
    return times, drawn(times, 180)


@pytest.mark.parametrize("after", [0, 10, 20])
def test_variability_is_of_the_films_time(after: int) -> None:
    times, ecg = rest_and_film()
    film_s = 120.0 - after
    rows, quality = analysed(ecg, TIME, start_s=-60.0, film_s=film_s)
    truth = nn_ms(times, 60, 60 + film_s)
    assert quality["reason"] is None
    assert value(rows, "mean_hr_bpm") == pytest.approx(60_000 / truth.mean(), rel=0.002)
    assert value(rows, "sdnn_ms") == pytest.approx(truth.std(ddof=1), rel=0.03)
    assert (quality["film_s"], quality["duration_s"]) == (film_s, film_s)
    assert (quality["before_s"], quality["after_s"]) == (60.0, after)
    assert rows["sdnn_ms"]["used_share"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("start_s", "film_s", "kept", "before", "after"),
    [
        (0.0, 10.0, 10.0, 0.0, 0.0),
        (-4.0, 10.0, 6.0, 4.0, 0.0),
        (3.0, 10.0, 7.0, 0.0, 3.0),
        (-2.5, 5.0, 5.0, 2.5, 2.5),
        (50.0, 10.0, 0.0, 0.0, 10.0),
        (-50.0, 10.0, 0.0, 10.0, 0.0),
        (-1e300, 10.0, 0.0, 10.0, 0.0),
        (1e300, 1e300, 0.0, 0.0, 10.0),
        (0.0, None, 10.0, 0.0, 0.0),
        (-4.0, None, 6.0, 4.0, 0.0),
        (-50.0, None, 0.0, 10.0, 0.0),
    ],
)
def test_a_recording_is_cut_to_its_film(
    start_s: float, film_s: float | None, kept: float, before: float, after: float
) -> None:
    part, film = in_film(np.arange(2500.0), 250, start_s, film_s)
    assert len(part) / 250 == kept
    assert (film.before_s, film.after_s) == (before, after)
    assert film_s is None or film == Film(film_s, before, after)


@pytest.mark.parametrize(
    ("start_s", "film_s", "reason"),
    [
        (0.0, 60.0, None),
        (0.0, 66.0, None),
        (0.0, 67.0, "film_not_covered"),
        (0.0, 360.0, "film_not_covered"),
        (5.0, 60.0, None),
        (7.0, 60.0, "film_not_covered"),
        (-30.0, 60.0, "film_not_covered"),
        (-61.0, 60.0, "film_not_covered"),
        (1.7e9, 60.0, "film_not_covered"),
        (0.0, 50.0, None),
        (0.0, 49.0, "outlasts_film"),
        (0.0, 15.0, "outlasts_film"),
        (-45.0, 15.0, None),
    ],
)
def test_an_ecg_that_is_not_of_its_film_is_named(
    start_s: float, film_s: float, reason: str | None
) -> None:
    quality = ecg_quality(drawn(heart(60, 72, 7), 60), HZ, SPEC, start_s, film_s)
    assert quality.reason == reason
    if reason:
        assert quality.why.startswith(f"{reason}: ")
        assert f"film of {film_s:.1f} s at 250 Hz; are SamplingFrequency" in quality.why


# Rates that cannot be true ------------------------------------------------------------------


@pytest.mark.parametrize("bpm", [60, 100])
@pytest.mark.parametrize("factor", [0.25, 4])
def test_a_rate_false_by_four_shows_in_the_beats_alone(bpm: int, factor: float) -> None:
    ecg = drawn(heart(60, bpm, 9), 60, hz=500)
    assert ecg_quality(ecg, 500 * factor, SPEC).reason is not None


# Shapes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bpm", [60, 85, 90, 95])
@pytest.mark.parametrize(("r_mv", "t_mv"), [(0.5, 0.8), (1.0, 1.0), (0.5, 0.5)])
@pytest.mark.parametrize(("width", "after"), [(0.045, 0.34), (0.06, 0.3)])
def test_tall_t_waves_are_no_beats(
    bpm: int, r_mv: float, t_mv: float, width: float, after: float
) -> None:
    times = heart(60, bpm, 0)
    ecg = waves(times, 60, r_mv=r_mv, t_mv=t_mv, t_width_s=width, t_after_s=after)
    found = r_peaks(ecg, HZ, method="neurokit", powerline_hz=50) / HZ
    inside = times[(times > 0.5) & (times < 59.5)]
    found = found[(found > 0.4) & (found < 59.6)]
    assert np.abs(found[:, None] - times).min(axis=1).max() < 0.03
    assert np.abs(inside[:, None] - found).min(axis=1).max() < 0.03


@pytest.mark.parametrize("bpm", [75, 95, 110])
def test_t_waves_taken_for_beats_are_refused_or_change_nothing(bpm: int) -> None:
    times = heart(120, bpm, 0)
    for r_mv, t_mv, width in ((0.3, 0.6, 0.045), (0.3, 0.6, 0.03), (0.2, 0.8, 0.05)):
        ecg = waves(times, 120, r_mv=r_mv, t_mv=t_mv, t_width_s=width, t_after_s=0.3)
        rows, quality = analysed(ecg, TIME)
        if quality["reason"] is None:
            truth = rmssd(nn_ms(times, 0, 120))
            assert value(rows, "rmssd_ms") == pytest.approx(truth, rel=0.05)


@pytest.mark.parametrize("bpm", [60, 85, 110])
def test_a_lead_upside_down_gives_the_same_beats(bpm: int) -> None:
    times = heart(60, bpm, 2)
    for ecg in (
        drawn(times, 60),
        waves(times, 60, r_mv=1.0, t_mv=0.3, t_width_s=0.05, t_after_s=0.28),
    ):
        one, other = analysed(ecg, TIME), analysed(-ecg, TIME)
        assert one[1]["reason"] is None
        assert {k: v["value"] for k, v in one[0].items()} == pytest.approx(
            {k: v["value"] for k, v in other[0].items()}, rel=0.01
        )


@pytest.mark.parametrize(("name", "hz"), [("e0103", 250), ("e0110", 250), ("118e24", 360)])
def test_real_leads_upside_down(shared: Path, name: str, hz: int) -> None:
    ecg = np.loadtxt(shared / "real_ecg" / f"{name}.csv")
    one, other = analysed(ecg, TIME, hz), analysed(-ecg, TIME, hz)
    assert one[1]["reason"] == other[1]["reason"]
    if name == "118e24":  # 17 % premature beats; R and S of one size
        assert one[1]["reason"] == "artefacts"
        return
    for variable in ("sdnn_ms", "rmssd_ms"):
        assert value(one[0], variable) == pytest.approx(value(other[0], variable), rel=0.05)
