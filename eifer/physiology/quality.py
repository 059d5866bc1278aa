"""May an ECG be trusted? A verdict, its reason, and the numbers behind both.

The idea is that of Orphanidou et al. (2015), doi:10.1109/JBHI.2014.2338351: cut
the recording into windows of 10 s; a window is good where its beats come at
plausible times and look like each other. The share of good windows decides.
Beats that a detector finds in noise fail both tests, whatever the noise's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from eifer.physiology.peaks import artefact_share, correct
from eifer.ranges import LARGE, NotNegative, Positive, Share

LEAST_BEATS = 3
"""Two intervals: what it takes to speak of plausible times at all."""


@dataclass(frozen=True)
class QualitySpec:
    """What an ECG must be like; every threshold a choice of the study.

    The sampling rate's and heart rate's bounds are plausibility, not health:
    outside them the likeliest explanation is a wrong sidecar or a wrong detection.
    """

    lowest_sampling_hz: Positive
    highest_sampling_hz: Positive
    least_duration_s: NotNegative
    flat_run_s: Positive
    highest_flat_share: Share
    highest_clipped_share: Share
    window_s: Positive
    lowest_hr_bpm: Positive
    highest_hr_bpm: Positive
    longest_interval_s: Positive
    highest_interval_ratio: Annotated[float, Ge(1), Le(LARGE)]
    lowest_correlation: Annotated[float, Ge(-1), Le(1)]
    lowest_good_share: Share
    highest_artefact_share: Share

    def __post_init__(self) -> None:
        """Refuse bounds that nothing lies between."""
        for what in ("sampling_hz", "hr_bpm"):
            low, high = getattr(self, f"lowest_{what}"), getattr(self, f"highest_{what}")
            if low > high:
                raise ValueError(f"lowest_{what} {low} is above highest_{what} {high}")


@dataclass(frozen=True)
class EcgQuality:
    """The verdict on one ECG; the fields are columns of ``eifer.tables.physiology.ECG_QUALITY``."""

    duration_s: float
    sampling_hz: float
    n_beats: int
    mean_hr_bpm: float
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


def unreadable(ecg_mv: NDArray[np.float64], sampling_hz: float, spec: QualitySpec) -> str | None:
    """Why the samples need not be searched for beats; None where they may be.

    Returns
    -------
    str or None
        The first that holds of ``implausible_sampling_rate``, ``not_finite``,
        ``too_short``, ``flat`` and ``clipped``.
    """
    if not spec.lowest_sampling_hz <= sampling_hz <= spec.highest_sampling_hz:
        return "implausible_sampling_rate"
    if not np.isfinite(ecg_mv).all():
        return "not_finite"
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
) -> EcgQuality:
    """Judge one ECG.

    Parameters
    ----------
    ecg_mv
        One lead as recorded, ``float64[n]``.
    sampling_hz
        Samples a second.
    peaks
        Its R-peaks as detected, before any correction, ``int64[k]``; not looked
        at where `unreadable` gives a reason.
    spec
        The thresholds.

    Returns
    -------
    EcgQuality
        Scores that could not be computed are NaN.
    """
    nan = float("nan")
    rate_known = np.isfinite(sampling_hz) and sampling_hz > 0
    finite = len(ecg_mv) > 0 and np.isfinite(ecg_mv).all()
    reason = unreadable(ecg_mv, sampling_hz, spec)
    if reason is not None:
        peaks = np.empty(0, dtype=np.int64)
    heart_rate = good = correlation = touched = nan
    if len(peaks) >= LEAST_BEATS:
        heart_rate = 60.0 * sampling_hz * (len(peaks) - 1) / float(peaks[-1] - peaks[0])
        good, correlation = _windows(ecg_mv, sampling_hz, peaks, spec)
        touched = artefact_share(peaks, correct(peaks, sampling_hz))
        if not spec.lowest_hr_bpm <= heart_rate <= spec.highest_hr_bpm:
            reason = "implausible_heart_rate"
        elif good < spec.lowest_good_share:
            reason = "noise"
        elif touched > spec.highest_artefact_share:
            reason = "artefacts"
    elif reason is None:
        reason = "no_beats"
    return EcgQuality(
        duration_s=len(ecg_mv) / sampling_hz if rate_known else 0.0,
        sampling_hz=float(sampling_hz),
        n_beats=len(peaks),
        mean_hr_bpm=heart_rate,
        good_share=good,
        template_correlation=correlation,
        artefact_share=touched,
        flat_share=flat_share(ecg_mv, sampling_hz, spec.flat_run_s)
        if finite and rate_known
        else nan,
        clipped_share=clipped_share(ecg_mv) if finite else nan,
        reason=reason,
    )


def flat_share(ecg_mv: NDArray[np.float64], sampling_hz: float, flat_run_s: float) -> float:
    """Share of samples in stretches of one repeated value that last ``flat_run_s`` or longer."""
    starts = np.flatnonzero(np.r_[True, np.diff(ecg_mv) != 0])
    lengths = np.diff(np.r_[starts, len(ecg_mv)])
    return float(lengths[lengths >= flat_run_s * sampling_hz].sum() / len(ecg_mv))


def clipped_share(ecg_mv: NDArray[np.float64]) -> float:
    """Share of samples at the recording's highest or lowest value: its rails where it clips."""
    return float(np.mean((ecg_mv == ecg_mv.max()) | (ecg_mv == ecg_mv.min())))


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
        # With the last beat before the window, so that a gap across its edge is seen.
        intervals_s = np.diff(peaks[max(first - 1, 0) : last]) / sampling_hz
        if last - first < LEAST_BEATS:
            continue
        correlation = _resemblance(ecg_mv, peaks[first:last])
        scores.append(correlation)
        good += (
            spec.lowest_hr_bpm <= 60 / intervals_s.mean() <= spec.highest_hr_bpm
            and intervals_s.max() <= spec.longest_interval_s
            and intervals_s.max() <= spec.highest_interval_ratio * intervals_s.min()
            and correlation >= spec.lowest_correlation
        )
    correlations = np.asarray(scores)
    known = correlations[np.isfinite(correlations)]
    return float(good / count), float(known.mean()) if known.size else float("nan")


def _resemblance(ecg_mv: NDArray[np.float64], peaks: NDArray[np.int64]) -> float:
    """Mean correlation of beats with their mean beat, each cut one median interval wide."""
    half = int(np.median(np.diff(peaks)) // 2)
    whole = peaks[(peaks >= half) & (peaks + half < len(ecg_mv))]
    if len(whole) < LEAST_BEATS - 1:
        return float("nan")
    beats = ecg_mv[whole[:, None] + np.arange(-half, half + 1)]
    beats = beats - beats.mean(axis=1, keepdims=True)
    template = beats.mean(axis=0)
    norms = np.linalg.norm(beats, axis=1) * np.linalg.norm(template)
    products = beats @ template
    return float(np.divide(products, norms, out=np.zeros_like(norms), where=norms > 0).mean())
