"""Heart rate variability: a registry of variables, each with its card.

**One path.** Every value comes from the NN intervals of
`eifer.physiology.peaks.nn_intervals_ms`, handed to NeuroKit2 as intervals; each
of its three functions runs at most once a recording, with every setting stated.

**Bad moments.** Where the signal is bad, the series of intervals is split
(`eifer.physiology.quality.stretches`). Variables of the time domain use the intervals of
every stretch, but none next to a beat that the artefact correction moved, added or removed
or that departs from those around it, and no difference across such a place. Spectra, the
Poincare plot, fractal and entropy measures need successive beats: they use the longest
stretch, with its corrected beats. Each value says how many seconds and intervals it rests on.

**Minimum lengths.** A variable that rests on less signal than its minimum is missing,
with that reason, and never a number. Each minimum has its source on the card.
Spectral powers follow the consensus of the Task Force (1996) where validation
studies of shorter recordings disagree with it; there is also a reason in the
arithmetic: NeuroKit2 drops frequencies below 4/duration, so that LF would begin
at 0.07 Hz instead of 0.04 in a recording of 56 s.

**Left out on purpose**: VLF, total power and NeuroKit2's LFn and HFn (their lower
edge moves with the duration, for the same reason); HTI and TINN (20 min at least,
Task Force 1996); SDANN and its kin (hours); DFA alpha 2 (nothing to fit below
some 200 beats); Shannon entropy of raw intervals (depends on the sampling rate).

To add a variable: one line of `outputs` below, with ``of`` where NeuroKit2's output is turned into
something else; and name it in params. Tests, tables and documents follow the registry.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

import numpy as np
import pandas as pd
from annotated_types import MinLen
from numpy.typing import NDArray

from eifer.errors import Problem, StudyError, describe, did_you_mean
from eifer.physiology.peaks import (
    METHODS,
    departing,
    neurokit_quiet,
    nn_intervals_ms,
    r_peaks,
)
from eifer.physiology.quality import (
    EcgQuality,
    QualitySpec,
    Stretch,
    assess,
    in_film,
    unreadable,
)
from eifer.ranges import NotNegative, Positive, Text
from eifer.tables.attrition import ATTRITION
from eifer.tables.physiology import HRV_DOMAINS

TASK_FORCE = "Task Force 1996, doi:10.1161/01.CIR.93.5.1043"
SALAHUDDIN = "Salahuddin et al. 2007, doi:10.1109/IEMBS.2007.4353378"
MUNOZ = "Munoz et al. 2015, doi:10.1371/journal.pone.0138921"
BAEK = "Baek et al. 2015, in Shaffer & Ginsberg 2017, doi:10.3389/fpubh.2017.00258"
OVERVIEW = "Shaffer & Ginsberg 2017, doi:10.3389/fpubh.2017.00258"
BRENNAN = "Brennan et al. 2001, doi:10.1109/10.959330"
PINCUS = "Pincus & Goldberger 1994, doi:10.1152/ajpheart.1994.266.4.H1643"
ROGERS = "Rogers et al. 2021, doi:10.3389/fphys.2020.596567"

_AS_SDNN = f"as SDNN, another spread of the same intervals: {MUNOZ}"

LEAST_INTERVALS = {"time": 2, "frequency": 4, "nonlinear": 12}
"""Below these NeuroKit2's functions of a domain fail, or skip part of their work."""

PAUSE_MS = 10_000.0
"""How far apart two stretches are put: whatever is too long for an interval."""

PSD_METHODS = ("welch",)
"""Welch's: Hann windows of half the recording, half overlapping.

The only estimator of NeuroKit2 0.2.12 that gives back the power of a planted
oscillation (within 3 %) without further packages: ``fft`` is off by a factor of
1400, ``burg`` by 5 to 80.
"""


@dataclass(frozen=True)
class SpectrumSpec:
    """How powers are estimated; NeuroKit2's own defaults have changed between releases.

    ``psd_method`` is one of `PSD_METHODS`; ``interpolation_hz`` the rate at which
    the intervals are resampled, by quadratic splines, before it; ``lf_hz`` and
    ``hf_hz`` the bands, lower edge inside, upper edge outside.

    Raises
    ------
    ValueError
        For another method, bands out of order, or a band beyond what the rate can show.
    """

    psd_method: str
    interpolation_hz: Positive
    lf_hz: tuple[NotNegative, Positive]
    hf_hz: tuple[Positive, Positive]

    def __post_init__(self) -> None:
        if self.psd_method not in PSD_METHODS:
            raise ValueError(
                f"spectral method {self.psd_method!r} is not among {', '.join(PSD_METHODS)}"
                f"{did_you_mean(self.psd_method, PSD_METHODS)}"
            )
        (lf_low, lf_high), (hf_low, hf_high) = self.lf_hz, self.hf_hz
        if not lf_low < lf_high <= hf_low < hf_high <= self.interpolation_hz / 2:
            raise ValueError(
                f"bands lf_hz {list(self.lf_hz)} and hf_hz {list(self.hf_hz)}: each rises, HF lies "
                f"above LF, and both below half of interpolation_hz {self.interpolation_hz}"
            )


@dataclass(frozen=True)
class EcgSpec:
    """All choices on the way from an ECG to its HRV variables.

    ``variables`` names what is computed, in order; ``("all",)`` stands for the registry.

    Raises
    ------
    ValueError
        For an unknown detector or variable.
    """

    method: str
    powerline_hz: Positive
    correct_artefacts: bool
    quality: QualitySpec
    spectrum: SpectrumSpec
    variables: Annotated[tuple[Text, ...], MinLen(1)]

    def __post_init__(self) -> None:
        # As ValueErrors, so that whoever reads the params can list them among other faults.
        if self.method not in METHODS:
            raise ValueError(
                f"R-peak detector {self.method!r} is not known"
                f"{did_you_mean(self.method, METHODS)}; known: {', '.join(METHODS)}"
            )
        try:
            cards(self.variables)
        except StudyError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True)
class Variable:
    """The card of one HRV variable.

    ``least_s`` is the shortest recording it may be computed from, by ``source``;
    ``column`` the NeuroKit2 output that ``of`` turns into the value; ``scales``
    the registered variable it is a fixed multiple of (an analysis of variance of
    both is one test counted twice), or empty. ``symbol`` is how papers write it.
    """

    name: str
    domain: str
    unit: str
    least_s: float
    source: str
    meaning: str
    column: str
    symbol: str
    of: Callable[[float], float] = float
    scales: str = ""


@dataclass(frozen=True)
class Series:
    """Successive NN intervals of one stretch of an ECG.

    ``nn_ms`` is ``float64[k]``; ``kept`` is ``bool[k]`` and says which lie between two beats that
    are as detected and next to each other, and do not depart from the intervals around
    them; ``seconds`` is the stretch's length.
    """

    nn_ms: NDArray[np.float64]
    kept: NDArray[np.bool_]
    seconds: float

    @classmethod
    def of(
        cls, stretch: Stretch, peaks: NDArray[np.int64], sampling_hz: float, spec: EcgSpec
    ) -> Series:
        """The intervals of ``stretch``; ``peaks`` are all beats that were detected."""
        beats = stretch.corrected if spec.correct_artefacts else stretch.beats
        nn_ms = nn_intervals_ms(beats, sampling_hz)
        places = np.searchsorted(peaks, beats)
        there = peaks[np.minimum(places, len(peaks) - 1)] == beats
        kept = there[1:] & there[:-1] & (np.diff(places) == 1)
        if spec.correct_artefacts:
            kept &= ~departing(nn_ms, spec.quality.highest_departure)
        return cls(nn_ms, kept, stretch.seconds)


VARIABLES: dict[str, Variable] = {}
"""Every variable by its name, in the order below."""


def outputs(
    domain: str,
    least_s: float,
    source: str,
    *,
    of: Callable[[float], float] = float,
    scales: str = "",
) -> Callable[..., None]:
    """Register NeuroKit2 outputs, each as ``name="column unit symbol: meaning"``.

    Without a symbol, it is the column's name; ``of`` and ``scales`` are those of `Variable`.
    """

    def register(**named: str) -> None:
        for name, text in named.items():
            if name in VARIABLES:
                raise ValueError(f"HRV variable {name!r} is registered twice")
            form, meaning = text.split(": ", 1)
            column, unit, *given = form.split(maxsplit=2)
            symbol = given[0] if given else column.removeprefix("HRV_")
            VARIABLES[name] = Variable(
                name, domain, unit, least_s, source, meaning, column, symbol, of, scales
            )

    return register


# Time domain ------------------------------------------------------------------------------


outputs("time", 10, SALAHUDDIN, of=lambda mean_nn_ms: 60000.0 / mean_nn_ms)(
    mean_hr_bpm="HRV_MeanNN 1/min mean HR: Heart rate of the mean NN interval; about level, not "
    "variability.",
)
outputs("time", 10, SALAHUDDIN)(
    mean_nn_ms="HRV_MeanNN ms mean NN: Mean NN interval; about the level of the heart rate, not "
    "its variability.",
    median_nn_ms="HRV_MedianNN ms median NN: Median NN interval; about level, not variability.",
)
outputs("time", 30, MUNOZ)(
    sdnn_ms="HRV_SDNN ms: Spread (standard deviation, n - 1) of the NN intervals: variability of "
    "every speed.",
    cvnn_ratio="HRV_CVNN 1: SDNN over mean NN: variability relative to the level.",
    sdnn_rmssd_ratio="HRV_SDRMSSD 1 SDNN/RMSSD: SDNN over RMSSD: slow against beat-to-beat "
    "variability.",
)
outputs("time", 30, SALAHUDDIN)(
    rmssd_ms="HRV_RMSSD ms: Root mean square of successive differences: beat-to-beat, mostly "
    "vagal.",
    cvsd_ratio="HRV_CVSD 1: RMSSD over mean NN: beat-to-beat variability relative to the level.",
)
outputs("time", 30, _AS_SDNN)(
    mad_nn_ms="HRV_MadNN ms MAD of NN: Median absolute deviation times 1.4826: SDNN's estimate "
    "that outliers do not move.",
    mcv_nn_ratio="HRV_MCVNN 1: Median absolute deviation (times 1.4826) over median NN.",
    iqr_nn_ms="HRV_IQRNN ms IQR of NN: Interquartile range of the NN intervals.",
    p20_nn_ms="HRV_Prc20NN ms: 20th percentile of the NN intervals: how short the fast beats are.",
    p80_nn_ms="HRV_Prc80NN ms: 80th percentile of the NN intervals: how long the slow beats are.",
)
outputs("time", 60, BAEK)(
    pnn20_pct="HRV_pNN20 %: Successive differences above 20 ms, as a share of the NN intervals.",
    pnn50_pct="HRV_pNN50 %: Successive differences above 50 ms, as a share of the NN intervals.",
)
outputs("time", 120, OVERVIEW)(
    min_nn_ms="HRV_MinNN ms shortest NN: Shortest NN interval: the fastest moment, like every "
    "extreme a matter of length.",
    max_nn_ms="HRV_MaxNN ms longest NN: Longest NN interval: the slowest moment, like every "
    "extreme a matter of length.",
)
# A share of the intervals, where the series is unbroken, is divided by their number n, which is the
# Task Force's (1996) definition and NeuroKit2's; other packages (pyhrv, hrv-analysis) divide by the
# n - 1 differences, and their values are larger by n/(n - 1).

# Frequency domain -------------------------------------------------------------------------
# For the high-frequency band the Task Force (1996) asks for about 1 min; validation studies found
# 20 s (Baek 2015) and 40 s enough, and the band is whole from 27 s on.


# NeuroKit2's LFn divides by the total power instead, whose lower edge depends on the recording's
# length.
outputs("frequency", 120, TASK_FORCE, of=lambda lf_hf: 100.0 * lf_hf / (1.0 + lf_hf))(
    lf_nu_pct="HRV_LFHF % LF n.u.: LF power as a share of LF + HF: the Task Force's normalised "
    "units.",
)
outputs("frequency", 40, SALAHUDDIN)(
    hf_ms2="HRV_HF ms2: Power of the high-frequency band (respiratory, vagal).",
    hf_ln="HRV_LnHF ln(ms2) ln HF: Natural logarithm of the high-frequency power, whose "
    "distribution is skewed.",
)
outputs("frequency", 120, TASK_FORCE)(
    lf_ms2="HRV_LF ms2: Power of the low-frequency band (baroreflex, sympathetic and vagal).",
    lf_hf_ratio="HRV_LFHF 1 LF/HF: LF over HF power; no measure of a sympathovagal balance "
    "(Billman 2013).",
)

# Nonlinear --------------------------------------------------------------------------------
# SD1 and SD2 of the Poincare plot are functions of RMSSD and SDNN (Brennan 2001), so all that is
# made of them needs what SDNN needs.

_POINCARE = f"as SDNN and RMSSD, by {BRENNAN}: {MUNOZ}"
outputs("nonlinear", 30, _POINCARE, scales="rmssd_ms")(
    sd1_ms="HRV_SD1 ms: Width of the Poincare plot: RMSSD over the root of 2, but for centring.",
)
outputs("nonlinear", 30, _POINCARE)(
    sd2_ms="HRV_SD2 ms: Length of the Poincare plot: slower variability.",
    sd1_sd2_ratio="HRV_SD1SD2 1 SD1/SD2: Width over length of the Poincare plot.",
    poincare_area_ms2="HRV_S ms2 SD1-SD2 area: Area of the Poincare plot's ellipse, pi SD1 SD2.",
    csi_ratio="HRV_CSI 1: Cardiac sympathetic index (Toichi 1997): length over width of the "
    "Poincare plot.",
    cvi_log10="HRV_CVI log10(ms2): Cardiac vagal index (Toichi 1997): log10 of 16 SD1 SD2.",
    csi_modified_ms="HRV_CSI_Modified ms modified CSI: Cardiac sympathetic index, modified "
    "(Jeppesen 2014): 4 SD2 squared over SD1.",
)
outputs("nonlinear", 120, ROGERS)(
    dfa_alpha1="HRV_DFA_alpha1 1 DFA α1: Short-term scaling exponent of detrended fluctuations, "
    "over 4 to 11 beats.",
)
outputs("nonlinear", 120, PINCUS)(
    apen="HRV_ApEn 1: Approximate entropy, m = 2, r = 0.2 SDNN; 10^m beats at least, at 50 a "
    "minute.",
    sampen="HRV_SampEn 1: Sample entropy, m = 2, r = 0.2 SDNN; 10^m beats at least, at 50 a "
    "minute.",
    fuzzyen="HRV_FuzzyEn 1: Fuzzy entropy (Chen 2007), m = 2, r = 0.2 SDNN: sample entropy "
    "without a hard border.",
)


# From beats to a table --------------------------------------------------------------------


def cards(names: Sequence[str]) -> list[Variable]:
    """Look up the cards of ``names``, in that order; of all variables for ``("all",)``.

    Raises
    ------
    StudyError
        Naming every unknown or repeated variable.
    """
    if tuple(names) == ("all",):
        return list(VARIABLES.values())
    problems = [
        Problem(
            "unknown HRV variable",
            f"{name!r}{did_you_mean(name, VARIABLES)}",
            f"choose among: {', '.join(VARIABLES)}",
        )
        for name in names
        if name not in VARIABLES
    ]
    problems += [
        Problem("HRV variable named twice", repr(name), "name each once")
        for name in sorted({name for name in names if list(names).count(name) > 1})
    ]
    if problems:
        raise StudyError(describe("HRV variables", problems))
    return [VARIABLES[name] for name in names]


def analyse_ecg(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    *,
    video_id: str,
    participant_id: str,
    spec: EcgSpec,
    start_s: float = 0.0,
    film_s: float | None = None,
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Take one recording from samples to its rows of HRV and its row of ECG_QUALITY.

    Both are of the film's time alone: what was recorded before 0 and after ``film_s`` is
    left out. Quality is judged on the beats as detected; variables are computed from the
    corrected ones where ``spec.correct_artefacts``. A rejected recording has a row for
    each variable too, without value, with the reason.

    Parameters
    ----------
    ecg_mv
        One lead as recorded, ``float64[n]``; may hold NaN (then it is rejected).
    sampling_hz
        Samples a second.
    video_id, participant_id
        Whose and which recording.
    spec
        The study's choices.
    start_s
        Time of the first sample from the start of the film.
    film_s
        Length of the film; None: no film is known, and it is taken to last as the ECG does.
    """
    whose: dict[str, object] = {"video_id": video_id, "participant_id": participant_id}
    peaks, quality, stretches = _judged(ecg_mv, sampling_hz, spec, start_s, film_s)
    chosen = cards(spec.variables)
    if quality.reason is None:
        series = [Series.of(stretch, peaks, sampling_hz, spec) for stretch in stretches]
        rows = rows_of(series, quality.film_s, quality.duration_s, chosen, spec.spectrum)
    else:
        why = f"ECG rejected: {quality.reason}"
        rows = [_row(card, float("nan"), why) for card in chosen]
    return (
        [whose | row for row in rows],
        whose | asdict(quality) | {"verdict": quality.verdict},
    )


def ecg_quality(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    spec: EcgSpec,
    start_s: float = 0.0,
    film_s: float | None = None,
) -> EcgQuality:
    """Judge one recording as `analyse_ecg` does, and compute nothing else of it."""
    return _judged(ecg_mv, sampling_hz, spec, start_s, film_s)[1]


def attrition(hrv: pd.DataFrame, quality: pd.DataFrame) -> pd.DataFrame:
    """List what was left out: rejected ECGs, and the missing values of the good ones."""
    rejected = quality[quality["verdict"] == "rejected"].assign(level="ecg", what="ECG")
    missing = hrv[hrv["value"].isna() & ~hrv["video_id"].isin(rejected["video_id"])]
    missing = missing.assign(level="hrv", what=missing["variable"])
    rows = pd.concat([rejected, missing])[[c for c in ATTRITION.names if c != "n"]]
    return ATTRITION.conform(rows.assign(n=1))


def _judged(
    ecg_mv: NDArray[np.float64],
    sampling_hz: float,
    spec: EcgSpec,
    start_s: float,
    film_s: float | None,
) -> tuple[NDArray[np.int64], EcgQuality, list[Stretch]]:
    """Detect the beats of the film, where the samples can be searched, and judge both."""
    whole = np.asarray(ecg_mv, dtype=np.float64)
    part, film = in_film(whole, sampling_hz, start_s, film_s)
    peaks = np.empty(0, dtype=np.int64)
    if unreadable(part, sampling_hz, spec.quality, film) is None:
        peaks = r_peaks(part, sampling_hz, method=spec.method, powerline_hz=spec.powerline_hz)
    return peaks, *assess(part, sampling_hz, peaks, spec.quality, film)


def rows_of(
    series: Sequence[Series],
    film_s: float,
    duration_s: float,
    chosen: Sequence[Variable],
    spectrum: SpectrumSpec,
) -> list[dict[str, object]]:
    """Make a row for each card: its value and what it rests on, or why there is none."""
    longest = max(series, key=lambda part: part.seconds)
    values = {}
    for domain in HRV_DOMAINS:
        used = series if domain == "time" else [longest]
        count = sum(int(part.kept.sum()) if domain == "time" else len(part.nn_ms) for part in used)
        seconds = sum(part.seconds for part in used)
        wanted = any(card.domain == domain and seconds >= card.least_s for card in chosen)
        columns: dict[str, float] = {}
        if wanted and count >= LEAST_INTERVALS[domain]:
            columns = _neurokit(domain, used, spectrum)
        values[domain] = columns, seconds, count
    rows = []
    for card in chosen:
        columns, seconds, count = values[card.domain]
        value, why = float("nan"), None
        if duration_s < card.least_s:
            why = f"recording shorter than {card.least_s:g} s"
        elif seconds < card.least_s:
            what = "usable signal" if card.domain == "time" else "longest usable stretch"
            why = f"{what} shorter than {card.least_s:g} s"
        elif count < LEAST_INTERVALS[card.domain]:
            why = f"fewer than {LEAST_INTERVALS[card.domain]} intervals"
        else:
            value = card.of(columns.get(card.column, value))
            if not np.isfinite(value):
                value, why = float("nan"), "not computable from these intervals"
        rests_on = (seconds, seconds / film_s, count) if why is None else (None, None, None)
        rows.append(_row(card, value, why, *rests_on))
    return rows


def _row(
    card: Variable,
    value: float,
    reason: str | None,
    used_s: float | None = None,
    used_share: float | None = None,
    n_intervals: int | None = None,
) -> dict[str, object]:
    return {
        "variable": card.name,
        "family": card.domain,
        "unit": card.unit,
        "value": value,
        "used_s": used_s,
        "used_share": used_share,
        "n_intervals": n_intervals,
        "reason": reason,
    }


def _neurokit(domain: str, series: Sequence[Series], spectrum: SpectrumSpec) -> dict[str, float]:
    """Every NeuroKit2 output of one domain, by its column's name."""
    import neurokit2 as nk  # 1.6 s, and only needed once there are beats

    nn_ms = np.concatenate([part.nn_ms for part in series])
    # By its time NeuroKit2 knows whether an interval follows the one before.
    pauses_ms = np.repeat(np.arange(len(series)) * PAUSE_MS, [len(part.nn_ms) for part in series])
    time_s = (np.cumsum(nn_ms) + pauses_ms) / 1000
    if domain == "time":
        kept = np.concatenate([part.kept for part in series])
        nn_ms, time_s = nn_ms[kept], time_s[kept]
    if domain != "time" and np.ptp(nn_ms) == 0:
        return {}  # without variation hrv_nonlinear divides by zero, and powers are rounding errors
    intervals = {"RRI": nn_ms, "RRI_Time": time_s}
    with neurokit_quiet():
        if domain == "time":
            out = nk.hrv_time(intervals)
        elif domain == "nonlinear":
            out = nk.hrv_nonlinear(intervals)
        else:
            out = nk.hrv_frequency(
                intervals,
                lf=spectrum.lf_hz,
                hf=spectrum.hf_hz,
                psd_method=spectrum.psd_method,
                interpolation_rate=spectrum.interpolation_hz,
                normalize=False,  # powers in ms2, not shares of the highest peak
            )
    return {str(name): float(value) for name, value in out.iloc[0].items()}
