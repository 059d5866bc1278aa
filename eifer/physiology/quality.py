"""May an ECG be trusted? A verdict, its reason, and the numbers behind both.

The idea is that of Orphanidou et al. (2015), doi:10.1109/JBHI.2014.2338351: cut
the recording into windows of 10 s; a window is good where its beats come at
plausible times and look like each other. The share of good windows decides.
Beats that a detector finds in noise fail both tests, whatever the noise's size.

A good recording may still hold bad moments (a lead that is off for seconds). Its beats
are split there (`stretches`), so that no interval reaches across.

A sampling rate that is not the true one shows in two ways. The recording then lasts longer
or shorter than the film, by the factor between the rates. And beats come at another rate
and are wider or narrower than hearts make them; factors near 1 do not show in that way.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from eifer.physiology.peaks import (
    LEAST_CORRECTABLE,
    around,
    artefact_share,
    correct,
    departing,
    usual,
)
from eifer.ranges import LARGE, NotNegative, Positive, Share

LEAST_BEATS = 3
"""Two intervals: what it takes to speak of plausible times at all."""


@dataclass(frozen=True)
class QualitySpec:
    """What an ECG must be like; every threshold a choice of the study.

    The bounds of sampling rate, heart rate and QRS width (at half of its height) are
    plausibility, not health: outside them the likeliest explanation is a wrong sidecar or a
    wrong detection. ``lowest_film_share`` is how much of the film the ECG must cover,
    ``highest_after_share`` how much longer it may go on, as a share of the film.
    """

    lowest_sampling_hz: Positive
    highest_sampling_hz: Positive
    least_duration_s: NotNegative
    lowest_film_share: Share
    highest_after_share: NotNegative
    flat_run_s: Positive
    highest_flat_share: Share
    highest_clipped_share: Share
    window_s: Positive
    lowest_hr_bpm: Positive
    highest_hr_bpm: Positive
    lowest_qrs_ms: NotNegative
    highest_qrs_ms: Positive
    longest_interval_s: Positive
    highest_interval_ratio: Annotated[float, Ge(1), Le(LARGE)]
    lowest_correlation: Annotated[float, Ge(-1), Le(1)]
    lowest_good_share: Share
    highest_departure: Share
    highest_artefact_share: Share

    def __post_init__(self) -> None:
        """Refuse bounds that nothing lies between."""
        for what in ("sampling_hz", "hr_bpm", "qrs_ms"):
            low, high = getattr(self, f"lowest_{what}"), getattr(self, f"highest_{what}")
            if low > high:
                raise ValueError(f"lowest_{what} {low} is above highest_{what} {high}")


@dataclass(frozen=True)
class Film:
    """The film's length, and how much ECG was recorded before and after it, in seconds."""

    seconds: float
    before_s: float = 0.0
    after_s: float = 0.0


@dataclass(frozen=True)
class Stretch:
    """Successive beats of an ECG (sample numbers) without bad signal among them.

    ``beats`` as detected, ``corrected`` as `correct` leaves them, ``seconds`` of signal.
    """

    beats: NDArray[np.int64]
    corrected: NDArray[np.int64]
    seconds: float


@dataclass(frozen=True)
class EcgQuality:
    """The verdict on one ECG; the fields are columns of ``eifer.tables.physiology.ECG_QUALITY``."""

    duration_s: float
    film_s: float
    before_s: float
    after_s: float
    usable_s: float
    n_stretches: int
    sampling_hz: float
    n_beats: int
    mean_hr_bpm: float
    qrs_width_ms: float
    good_share: float
    template_correlation: float
    artefact_share: float
    flat_share: float
    clipped_share: float
    reason: str | None

    @property
    def verdict(self) -> str:
        """``good`` or ``rejected``."""
        return "good" if self.reason is None else "rejected"

    @property
    def why(self) -> str:
        """The reason with its numbers, and what may be wrong where that is not obvious."""
        film = f"of a film of {self.film_s:.1f} s at {self.sampling_hz:g} Hz"
        rate = "is SamplingFrequency right?"
        detail = {
            "implausible_sampling_rate": f"{self.sampling_hz:g} Hz",
            "film_not_covered": f"{self.duration_s:.1f} s {film}; are SamplingFrequency, "
            "StartTime and duration_s right?",
            "outlasts_film": f"{self.after_s:.1f} s after the end {film}; are SamplingFrequency "
            "and duration_s right?",
            "implausible_heart_rate": f"{self.mean_hr_bpm:.0f} bpm; {rate}",
            "implausible_qrs": f"{self.qrs_width_ms:.0f} ms wide at half height; {rate}",
            "artefacts": f"{self.artefact_share:.1%} of beats",
            "noise": f"{self.good_share:.0%} of windows are good",
        }.get(self.reason or "")
        return ": ".join(filter(None, (self.reason, detail)))


def in_film(
    ecg_mv: NDArray[np.float64], sampling_hz: float, start_s: float, film_s: float | None
) -> tuple[NDArray[np.float64], Film]:
    """Cut an ECG to the time of its film, which begins at 0.

    Parameters
    ----------
    ecg_mv
        One lead as recorded, ``float64[n]``.
    sampling_hz
        Samples a second.
    start_s
        Time of the first sample; negative where the recording began before the film.
    film_s
        Length of the film; None: as long as the recording goes.

    Returns
    -------
    float64[m], Film
        What lies between 0 and ``film_s``, and how much lies outside.
    """
    if not (np.isfinite(sampling_hz) and sampling_hz > 0):
        return ecg_mv, Film(0.0 if film_s is None else film_s)
    end_s = start_s + len(ecg_mv) / sampling_hz
    film_s = max(0.0, end_s) if film_s is None else film_s
    # Clipped first: times far outside are no sample numbers.
    places = np.clip(np.array([-start_s, film_s - start_s]) * sampling_hz, 0, len(ecg_mv))
    first, last = np.round(places).astype(np.int64)
    film = Film(
        float(film_s), float(first / sampling_hz), float((len(ecg_mv) - last) / sampling_hz)
    )
    return ecg_mv[first:last], film


def unreadable(
    ecg_mv: NDArray[np.float64], sampling_hz: float, spec: QualitySpec, film: Film
) -> str | None:
    """Why the samples need not be searched for beats; None where they may be.

    ``ecg_mv`` is what lies within ``film``.

    Returns
    -------
    str or None
        The first that holds of ``implausible_sampling_rate``, ``not_finite``,
        ``film_not_covered``, ``outlasts_film``, ``too_short``, ``flat`` and ``clipped``.
    """
    if not spec.lowest_sampling_hz <= sampling_hz <= spec.highest_sampling_hz:
        return "implausible_sampling_rate"
    if not np.isfinite(ecg_mv).all():
        return "not_finite"
    # To the nearest sample: the last one of a whole recording need not be there.
    if len(ecg_mv) + 1 < spec.lowest_film_share * film.seconds * sampling_hz:
        return "film_not_covered"
    if film.after_s > spec.highest_after_share * film.seconds:
        return "outlasts_film"
    if len(ecg_mv) < spec.least_duration_s * sampling_hz:
        return "too_short"
    if flat_share(ecg_mv, sampling_hz, spec.flat_run_s) > spec.highest_flat_share:
        return "flat"
    if clipped_share(ecg_mv) > spec.highest_clipped_share:
        return "clipped"
    return None


def assess(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    peaks: NDArray[np.int64],
    spec: QualitySpec,
    film: Film,
) -> tuple[EcgQuality, list[Stretch]]:
    """Judge one ECG, and split its beats where the signal is bad.

    Parameters
    ----------
    ecg_mv
        One lead as recorded within the film, ``float64[n]``.
    sampling_hz
        Samples a second.
    peaks
        Its R-peaks as detected, before any correction, ``int64[k]``; not looked
        at where `unreadable` gives a reason.
    spec
        The thresholds.
    film
        What `in_film` says of the recording.

    Returns
    -------
    EcgQuality
        Scores that could not be computed are NaN.
    list of Stretch
        In order; see `stretches`.
    """
    nan = float("nan")
    rate_known = np.isfinite(sampling_hz) and sampling_hz > 0
    finite = len(ecg_mv) > 0 and np.isfinite(ecg_mv).all()
    duration_s = len(ecg_mv) / sampling_hz if rate_known else 0.0
    reason = unreadable(ecg_mv, sampling_hz, spec, film)
    if reason is not None:
        peaks = np.empty(0, dtype=np.int64)
    heart_rate = width = good = correlation = touched = nan
    runs: list[Stretch] = []
    if len(peaks) >= LEAST_BEATS:
        runs = stretches(ecg_mv, sampling_hz, peaks, spec)
        good, correlation = _windows(ecg_mv, sampling_hz, peaks, spec)
        beats = [run.beats for run in runs] or [peaks]
        intervals = [np.diff(run) / sampling_hz for run in beats]
        heart_rate = 60 / float(np.concatenate(intervals).mean())
        width = qrs_width_ms(ecg_mv, sampling_hz, peaks)
        within = [peaks[(peaks >= run[0]) & (peaks <= run[-1])] for run in beats]
        touched = max(
            artefact_share(
                np.concatenate(within), np.concatenate([run.corrected for run in runs] or within)
            ),
            float(np.concatenate([departing(x, spec.highest_departure) for x in intervals]).mean()),
        )
        if not spec.lowest_hr_bpm <= heart_rate <= spec.highest_hr_bpm:
            reason = "implausible_heart_rate"
        elif good < spec.lowest_good_share or not runs:
            reason = "noise"
        elif not spec.lowest_qrs_ms <= width <= spec.highest_qrs_ms:
            reason = "implausible_qrs"
        elif touched > spec.highest_artefact_share:
            reason = "artefacts"
    elif reason is None:
        reason = "no_beats"
    quality = EcgQuality(
        duration_s=duration_s,
        film_s=film.seconds,
        before_s=film.before_s,
        after_s=film.after_s,
        usable_s=sum(run.seconds for run in runs),
        n_stretches=len(runs),
        sampling_hz=float(sampling_hz),
        n_beats=len(peaks),
        mean_hr_bpm=heart_rate,
        qrs_width_ms=width,
        good_share=good,
        template_correlation=correlation,
        artefact_share=touched,
        flat_share=flat_share(ecg_mv, sampling_hz, spec.flat_run_s)
        if finite and rate_known
        else nan,
        clipped_share=clipped_share(ecg_mv) if finite else nan,
        reason=reason,
    )
    return quality, runs


def flat_share(ecg_mv: NDArray[np.float64], sampling_hz: float, flat_run_s: float) -> float:
    """Share of samples in stretches of one repeated value that last ``flat_run_s`` or longer."""
    starts = np.flatnonzero(np.r_[True, np.diff(ecg_mv) != 0])
    lengths = np.diff(np.r_[starts, len(ecg_mv)])
    return float(lengths[lengths >= flat_run_s * sampling_hz].sum() / len(ecg_mv))


def clipped_share(ecg_mv: NDArray[np.float64]) -> float:
    """Share of samples at the recording's highest or lowest value: its rails where it clips."""
    return float(np.mean((ecg_mv == ecg_mv.max()) | (ecg_mv == ecg_mv.min())))


def stretches(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    peaks: NDArray[np.int64],
    spec: QualitySpec,
) -> list[Stretch]:
    """Split a recording's beats where the signal between them is bad.

    A beat is left out whose `resemblance` to the recording's median beat is below
    ``spec.lowest_correlation``. Two beats
    belong to one stretch where no more than one beat can be missing between them: their
    interval is no longer than ``spec.longest_interval_s``, nor than
    ``spec.highest_interval_ratio`` times the median of the intervals around it. Stretches
    too short for the correction to judge (`LEAST_CORRECTABLE`) are left out beside longer ones.
    """
    beats = peaks[~(resemblance(ecg_mv, peaks) < spec.lowest_correlation)]
    if len(beats) < LEAST_BEATS:
        return []
    intervals_s = np.diff(beats) / sampling_hz
    longest_s = np.minimum(
        spec.longest_interval_s, spec.highest_interval_ratio * usual(intervals_s)
    )
    runs = np.split(beats, np.flatnonzero(intervals_s > longest_s) + 1)
    # Before the first beat and after the last one as much may be missing as between two.
    start_s, end_s = 0.0, len(ecg_mv) / sampling_hz
    edges = [[run[0] / sampling_hz, run[-1] / sampling_hz] for run in runs]
    if edges[0][0] <= longest_s[0]:
        edges[0][0] = start_s
    if end_s - edges[-1][1] <= longest_s[-1]:
        edges[-1][1] = end_s
    least = max(LEAST_BEATS, min(LEAST_CORRECTABLE, max(map(len, runs))))
    return [
        Stretch(run, correct(run, sampling_hz), end - start)
        for run, (start, end) in zip(runs, edges, strict=True)
        if len(run) >= least
    ]


def resemblance(ecg_mv: NDArray[np.float64], peaks: NDArray[np.int64]) -> NDArray[np.float64]:
    """Correlate each beat with the median beat of ``peaks``, each cut one median interval wide.

    A straight line is taken out of each beat first, so that a wandering baseline does not
    count. NaN for beats that the recording does not hold whole.
    """
    likeness = np.full(len(peaks), np.nan)
    half = int(np.median(np.diff(peaks)) // 2)
    whole = (peaks >= half) & (peaks + half < len(ecg_mv))
    if not whole.any():
        return likeness
    beats = around(ecg_mv, peaks[whole], half)
    beats = beats - beats.mean(axis=1, keepdims=True)
    line = np.linspace(-1, 1, 2 * half + 1)
    beats -= (beats @ line / (line @ line))[:, None] * line
    template = np.median(beats, axis=0)
    norms = np.linalg.norm(beats, axis=1) * np.linalg.norm(template)
    likeness[whole] = np.divide(beats @ template, norms, out=np.zeros_like(norms), where=norms > 0)
    return likeness


def qrs_width_ms(
    ecg_mv: NDArray[np.float64], sampling_hz: float, peaks: NDArray[np.int64]
) -> float:
    """Width of the median beat's peak at half of its height, in ms; NaN where it has none.

    The height is that above (or below) the beat's median, which is its baseline.
    """
    reach = round(0.3 * sampling_hz)
    beat = np.median(around(ecg_mv, peaks, reach), axis=0)
    beat = np.abs(beat - np.median(beat))
    top = reach - reach // 6 + int(np.argmax(beat[reach - reach // 6 : reach + reach // 6 + 1]))
    low = np.flatnonzero(beat < beat[top] / 2)
    before, after = low[low < top], low[low > top]
    if not (before.size and after.size):
        return float("nan")

    def crossing(low: int, high: int) -> float:
        return low + (beat[top] / 2 - beat[low]) / (beat[high] - beat[low]) * (high - low)

    left, right = crossing(before[-1], before[-1] + 1), crossing(after[0], after[0] - 1)
    return float(right - left) / sampling_hz * 1000


def _windows(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    peaks: NDArray[np.int64],
    spec: QualitySpec,
) -> tuple[float, float]:
    """Share of good windows, and their mean correlation (NaN where no window has two beats)."""
    count = max(1, int(len(ecg_mv) / sampling_hz // spec.window_s))
    edges = np.linspace(0, len(ecg_mv), count + 1)
    scores = []
    good = 0
    for start, end in pairwise(edges):
        first, last = np.searchsorted(peaks, (start, end))
        if last - first < LEAST_BEATS:
            continue
        likeness = resemblance(ecg_mv, peaks[first:last])
        known = likeness[np.isfinite(likeness)]
        if known.size < LEAST_BEATS - 1:
            continue
        # With the last beat before the window, so that a gap across its edge is seen.
        intervals_s = np.diff(peaks[max(first - 1, 0) : last]) / sampling_hz
        scores.append(known.mean())
        good += (
            spec.lowest_hr_bpm <= 60 / intervals_s.mean() <= spec.highest_hr_bpm
            and intervals_s.max() <= spec.longest_interval_s
            and intervals_s.max() <= spec.highest_interval_ratio * intervals_s.min()
            and scores[-1] >= spec.lowest_correlation
        )
    return float(good / count), float(np.mean(scores)) if scores else float("nan")
