"""R-peaks of an ECG, and the intervals between them: the one path every number takes.

NeuroKit2 offers several ways from an ECG to HRV, and they disagree (its issues
429, 767, 921, 1137: with or without cleaning, with or without artefact
correction, a sampling rate that one function passes on and another does not).
Here there is one: clean and detect with the same named method, turn a lead that points
down, leave out what is not sharp enough to be a QRS complex, correct if the study says
so, take differences.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, percentile_filter, uniform_filter1d

from eifer.errors import RecordingError

METHODS = ("neurokit", "pantompkins1985", "hamilton2002", "elgendi2010", "engzeemod2012")
"""Detectors of NeuroKit2 whose cleaning step has the same name, so that the two always match."""

LOWEST_HZ = 50
"""Below this there is no QRS complex left to find (and the cleaning filters fail)."""

QRS_S = 0.08
"""What a QRS complex reaches to either side of its peak, at most."""

INVERTED = 2.8
"""How many times deeper than high QRS complexes must be before the lead is turned over.

Below it the upward part of the complex is sharp enough to tell the beats by: in the lead of
the European ST-T record e0110, 2.4 times as deep as high, both ways give an RMSSD of 35 ms.
"""

SHARP_S = 0.06
"""What an R wave fits into and a T wave does not; see `_sharp`."""

SHARP_SHARE, SHARP_BEATS = 0.5, 21
"""A beat's sharpness, as a share of what is usual among so many beats around it.

A T wave may be as tall as the R wave, never as sharp: Pan & Tompkins (1985),
doi:10.1109/TBME.1985.325532, tell it by half of the QRS complex's slope. The slope of a
T wave of 1.6 times the R wave's height comes to more; its sharpness does not.
"""

AROUND = 11
"""Intervals whose median says what is usual around one of them."""

LEAST_CORRECTABLE = 13
"""Fewer beats than this are returned uncorrected: the method's thresholds are local quartiles."""


def r_peaks(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    *,
    method: str,
    powerline_hz: float,
) -> NDArray[np.int64]:
    """Find the R-peaks of an ECG; see `correct` for their artefacts.

    A lead in which QRS complexes point down is turned over first (`INVERTED`); what is
    found and not as sharp as its neighbours, a T wave, is left out (`SHARP_SHARE`).

    Parameters
    ----------
    ecg_mv
        One lead, ``float64[n]``; only its shape in time matters, not its scale.
    sampling_hz
        Samples a second.
    method
        One of `METHODS`, used for cleaning and for detection.
    powerline_hz
        Mains frequency that ``neurokit`` cleaning smooths away; the other methods band-pass.

    Returns
    -------
    int64[k]
        Sample of each R-peak, increasing; empty where there is none. A beat in
        the first 0.3 s is not found by ``neurokit`` (its refractory time).

    Raises
    ------
    RecordingError
        If the samples are not one row of finite numbers, or the rate is below `LOWEST_HZ`, or
        there is less than a second.
    """
    if not (np.isfinite(sampling_hz) and sampling_hz >= LOWEST_HZ):
        raise RecordingError(
            f"ECG with a sampling rate of {sampling_hz} Hz; R-peaks need {LOWEST_HZ} Hz at least"
        )
    samples = np.asarray(ecg_mv, dtype=np.float64)
    if samples.ndim != 1 or not np.isfinite(samples).all():
        bad = int((~np.isfinite(samples)).sum())
        raise RecordingError(
            f"ECG of shape {samples.shape} with {bad} samples that are not finite;"
            " give one row of numbers"
        )
    if len(samples) < sampling_hz:
        raise RecordingError(
            f"ECG of {len(samples)} samples at {sampling_hz:g} Hz; give one second at least"
        )
    clean, peaks = _detected(samples, sampling_hz, method, powerline_hz)
    if len(peaks) and _points_down(clean, peaks, sampling_hz):
        clean, peaks = _detected(-samples, sampling_hz, method, powerline_hz)
    return _sharp(clean, peaks, sampling_hz) if len(peaks) else peaks


def _detected(
    samples: NDArray[np.float64], sampling_hz: float, method: str, powerline_hz: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Clean the samples and find the peaks in them, both by NeuroKit2's ``method``."""
    import neurokit2 as nk  # 1.6 s, and only needed once an ECG is there

    with neurokit_quiet():
        clean = nk.ecg_clean(
            samples, sampling_rate=sampling_hz, method=method, powerline=powerline_hz
        )
        _, info = nk.ecg_peaks(
            clean, sampling_rate=sampling_hz, method=method, correct_artifacts=False
        )
    peaks = np.asarray(info["ECG_R_Peaks"], dtype=np.float64)
    return clean, np.unique(peaks[np.isfinite(peaks)].astype(np.int64))


def around(
    signal: NDArray[np.float64], peaks: NDArray[np.int64], reach: int
) -> NDArray[np.float64]:
    """``signal`` from ``reach`` samples before each peak to as many after it, a row a peak.

    Beyond its ends the signal is taken to stay as it is there.
    """
    places = peaks[:, None] + np.arange(-reach, reach + 1)
    return signal[np.clip(places, 0, len(signal) - 1)]


def _points_down(clean: NDArray[np.float64], peaks: NDArray[np.int64], sampling_hz: float) -> bool:
    """Whether QRS complexes are `INVERTED` times deeper below the baseline than high above it."""
    complexes = around(clean, peaks, round(QRS_S * sampling_hz)) - np.median(clean)
    height, depth = np.median(complexes.max(axis=1)), np.median(-complexes.min(axis=1))
    return bool(depth > INVERTED * height)


def _sharp(
    clean: NDArray[np.float64], peaks: NDArray[np.int64], sampling_hz: float
) -> NDArray[np.int64]:
    """Keep the peaks as sharp as QRS complexes are around them; see `SHARP_SHARE`.

    Sharpness is the greatest distance of the signal from its own mean over `SHARP_S`.
    """
    away = np.abs(clean - uniform_filter1d(clean, max(3, round(SHARP_S * sampling_hz))))
    sharpness = around(away, peaks, round(QRS_S * sampling_hz)).max(axis=1)
    usual = percentile_filter(sharpness, 75, size=SHARP_BEATS, mode="reflect")
    return peaks[sharpness >= SHARP_SHARE * usual]


def correct(peaks: NDArray[np.int64], sampling_hz: float) -> NDArray[np.int64]:
    """Move ectopic and misplaced beats, add missed ones, remove extra ones.

    The method of Kubios HRV, iterated until the number of artefacts stops
    falling: Lipponen & Tarvainen (2019), doi:10.1080/03091902.2019.1640306, as
    ``neurokit2.signal_fixpeaks`` implements it. A corrected beat lies midway
    between its neighbours, which lowers beat-to-beat variability.

    Returns
    -------
    int64[m]
        Sample of each beat, increasing.
    """
    if len(peaks) < LEAST_CORRECTABLE:
        return np.asarray(peaks, dtype=np.int64)
    import neurokit2 as nk

    with neurokit_quiet():
        _, corrected = nk.signal_fixpeaks(
            np.asarray(peaks), sampling_rate=sampling_hz, iterative=True, method="Kubios"
        )
    return np.unique(np.asarray(corrected, dtype=np.int64))


def artefact_share(detected: NDArray[np.int64], corrected: NDArray[np.int64]) -> float:
    """Share of the detected beats that the correction touched, 0 to 1.

    A moved beat counts once, as does an added or a removed one.
    """
    lost = np.setdiff1d(detected, corrected).size
    new = np.setdiff1d(corrected, detected).size
    return min(1.0, max(lost, new) / max(1, len(detected)))


def usual(intervals: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is usual around each interval: the median of `AROUND` of them."""
    return np.asarray(median_filter(intervals, size=AROUND, mode="reflect"))


def departing(intervals: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    """Which intervals are longer or shorter than is usual around them by more than ``share``.

    Malik et al. (1989), doi:10.1111/j.1540-8159.1989.tb06150.x, leave out whatever differs by
    more than a fifth. Where ectopic beats are many, `correct` takes them for usual, because its
    thresholds are quartiles; this does not, up to half of all beats.
    """
    return np.asarray(np.abs(intervals / usual(intervals) - 1) > share)


def nn_intervals_ms(peaks: NDArray[np.int64], sampling_hz: float) -> NDArray[np.float64]:
    """Intervals between successive beats, in ms, on a grid of 1/1024 ms.

    On that grid differences of intervals are exact in binary. Without it the
    rounding of ``samples / rate * 1000`` decides whether two beats that differ
    by exactly 50 ms count for pNN50, and the same beats given at another rate
    get another value.

    Parameters
    ----------
    peaks
        Sample of each beat, ``int64[k]``, increasing.
    sampling_hz
        Samples a second of the signal that ``peaks`` counts in.

    Returns
    -------
    float64[k - 1]

    Raises
    ------
    RecordingError
        If the peaks do not increase, or the rate is not positive.
    """
    if not (np.isfinite(sampling_hz) and sampling_hz > 0):
        raise RecordingError(f"beats at a sampling rate of {sampling_hz} Hz; give a positive one")
    intervals = np.diff(np.asarray(peaks)) * (1000.0 / sampling_hz)
    backward = np.flatnonzero(intervals <= 0)
    if backward.size:
        raise RecordingError(
            f"{backward.size} of {len(peaks)} beats do not come after the one before"
            f" (first at place {backward[0] + 1}); give sample numbers in rising order,"
            " not intervals"
        )
    return on_grid(intervals)


def on_grid(intervals_ms: NDArray[np.float64]) -> NDArray[np.float64]:
    """``intervals_ms`` rounded to 1/1024 ms; see `nn_intervals_ms`."""
    return np.round(np.asarray(intervals_ms, dtype=np.float64) * 1024) / 1024


@contextmanager
def neurokit_quiet() -> Iterator[None]:
    """Silence what NeuroKit2 says about its own arithmetic, and nothing else.

    Three things: NumPy's note that ``trapz`` (which it calls) is deprecated; its
    warning that DFA alpha 2 needs longer recordings (not one of our variables);
    divisions by zero inside its entropies, whose NaN and infinity we turn into
    missing values with a reason.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`trapz` is deprecated", DeprecationWarning)
        warnings.filterwarnings("ignore", "DFA_alpha2 related indices")
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"neurokit2\.")
        yield
