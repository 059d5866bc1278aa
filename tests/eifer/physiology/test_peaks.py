from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.cohort import wfdb
from eifer.errors import RecordingError
from eifer.physiology.peaks import (
    METHODS,
    artefact_share,
    correct,
    nn_intervals_ms,
    r_peaks,
)

MIT_HZ = 360
WFDB_BEATS = {*range(1, 14), 25, 30, 34, 35, 38, 41}
WFDB_SKIP, WFDB_AUX, WFDB_NOT_TIMED = 59, 63, {60, 61, 62}


def wfdb_beats(path: Path) -> NDArray[np.int64]:
    """Samples of the annotated beats in a MIT-format annotation file."""
    words = np.fromfile(path, "<u2").astype(int)
    beats, time, i = [], 0, 0
    while i < len(words) and words[i] != 0:
        code, value = words[i] >> 10, words[i] & 0x3FF
        if code == WFDB_SKIP:
            time += (words[i + 1] << 16) + words[i + 2]
            i += 3
            continue
        if code == WFDB_AUX:
            i += 1 + (value + 1) // 2
            continue
        if code not in WFDB_NOT_TIMED:
            time += value
            if code in WFDB_BEATS:
                beats.append(time)
        i += 1
    return np.asarray(beats)


def near(these: NDArray[np.int64], those: NDArray[np.int64], within: float) -> float:
    """Share of ``these`` that have one of ``those`` within so many samples."""
    place = np.searchsorted(those, these)
    after = np.abs(those[np.clip(place, 0, len(those) - 1)] - these)
    before = np.abs(those[np.clip(place - 1, 0, len(those) - 1)] - these)
    return float((np.minimum(before, after) <= within).mean())


def planted(count: int = 40) -> NDArray[np.int64]:
    """Samples of ``count`` beats about 0.8 s apart at 250 Hz."""
    return 100 + np.cumsum(np.random.default_rng(0).integers(190, 211, size=count))


def spikes(centres: NDArray[np.int64], width: int = 5) -> NDArray[np.float64]:
    """An ECG of nothing but sharp R-waves at ``centres``."""
    time = np.arange(centres[-1] + 200)[:, None]
    return np.exp(-0.5 * ((time - centres) / width) ** 2).sum(axis=1)


def test_finds_the_beats_that_cardiologists_marked(shared: Path) -> None:
    ecg = wfdb.signal(shared / "real_ecg" / "100.hea", 0)
    marked = wfdb_beats(shared / "real_ecg" / "100.atr")
    assert len(marked) == 2273
    found = r_peaks(ecg, MIT_HZ, method="neurokit", powerline_hz=60)
    tolerance = 0.150 * MIT_HZ
    assert found.dtype == np.int64
    # 2270 of 2273, none of them false: the figures the recording is known by.
    assert near(marked, found, tolerance) == pytest.approx(0.9987, abs=0.0005)
    assert near(found, marked, tolerance) == 1.0


@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_planted_beats(method: str) -> None:
    centres = planted()
    found = r_peaks(spikes(centres), 250, method=method, powerline_hz=50)
    assert near(centres[3:-3], found, 20) == 1.0
    assert len(found) <= len(centres) + 1


def test_correction_restores_a_missed_beat_and_says_so() -> None:
    rng = np.random.default_rng(0)
    beats = np.cumsum(rng.integers(195, 206, size=60))
    missed = np.delete(beats, 30)
    corrected = correct(missed, 250)
    assert len(corrected) == len(beats)
    assert np.abs(corrected - beats).max() <= 10
    assert artefact_share(missed, corrected) == pytest.approx(1 / 59)
    assert artefact_share(beats, beats) == 0.0


def test_few_beats_are_left_as_they_are() -> None:
    few = np.asarray([100, 300, 700])
    assert correct(few, 250).tolist() == few.tolist()
    assert artefact_share(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)) == 0.0


def test_silence_has_no_beats() -> None:
    found = r_peaks(np.zeros(5000), 250, method="neurokit", powerline_hz=50)
    assert len(found) == 0


@pytest.mark.parametrize(
    ("peaks", "hz", "says"),
    [
        ([0, 200, 150, 400], 250, "1 of 4 beats"),
        ([800, 820, 790, 805], 1000, "1 of 4 beats .*, not intervals"),
        ([0, 200], 0, "0 Hz"),
        ([0, 200], float("nan"), "nan Hz"),
    ],
)
def test_refuses_beats_that_are_none(peaks: list[int], hz: float, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        nn_intervals_ms(np.asarray(peaks), hz)


@pytest.mark.parametrize(
    ("ecg", "hz", "says"),
    [
        (np.r_[np.zeros(500), np.nan], 250, "1 samples that are not finite"),
        (np.zeros((500, 2)), 250, r"shape \(500, 2\)"),
        (np.zeros(500), -250, "-250 Hz"),
        (np.zeros(500), 1, "1 Hz; R-peaks need 50"),
        (np.zeros(200), 250, "one second at least"),
    ],
)
def test_refuses_what_is_no_ecg(ecg: NDArray[np.float64], hz: float, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        r_peaks(ecg, hz, method="neurokit", powerline_hz=50)
