"""The same heart in every format gives the same table."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.cohort import wfdb
from eifer.cohort.ecg import ecg_sha256, ecg_sidecar
from eifer.errors import RecordingError
from eifer.physiology.recordings import analyse_recording
from tests.eifer.cohort.ecg_files import write_csv, write_edf, write_tsv, write_wfdb
from tests.eifer.physiology import test_planted as planted
from tests.eifer.physiology.conftest import SPEC

HZ, SECONDS = 250, 90
STEM = "sub-01_task-elicitation_run-1_recording-ecg_physio"
Values = NDArray[np.int64]


@cache
def heart() -> Values:
    """Whole microvolts, which every format can keep."""
    signal_mv = planted.drawn(planted.heart(SECONDS, 70, seed=1), SECONDS)
    return np.round(1000 * signal_mv).astype(np.int64)


def noise() -> Values:
    return np.random.default_rng(0).integers(-900, 900, HZ * SECONDS)


def csv(path: Path) -> None:
    times = [f"{k / HZ:.3f}" for k in range(len(heart()))]
    write_csv(path, {"time": times, "ECG (uV)": [str(value) for value in heart()]}, ";")


def csv_without_times(path: Path) -> None:
    write_csv(path, {"skin": ["n/a"] * len(heart()), "ecg": [f"{v / 1000}" for v in heart()]})


# Of each format: how it is written, and what its sidecar still has to say.
WRITERS: dict[str, tuple[str, Callable[[Path], None], dict[str, object]]] = {
    "EDF": (
        "edf",
        lambda path: write_edf(path, {"Resp": noise(), "ECG II": heart()}, HZ),
        {"StartTime": 0},
    ),
    "BDF, two electrodes": (
        "bdf",
        lambda path: write_edf(path, {"EXG1": noise(), "EXG3": noise() + heart()}, HZ),
        {"StartTime": 0, "Channel": ["EXG3", "EXG1"]},
    ),
    "WFDB 16": (
        "hea",
        lambda path: write_wfdb(path, {"MLII": heart(), "resp": noise()}, HZ),
        {"StartTime": 0},
    ),
    "WFDB 212": (
        "hea",
        lambda path: write_wfdb(path, {"V5": noise(), "MLII": heart()}, HZ, kind="212"),
        {"StartTime": 0, "Channel": "MLII", "SamplingFrequency": 250},
    ),
    "WFDB 24": (
        "hea",
        lambda path: write_wfdb(path, {"EKG": heart()}, HZ, kind="24"),
        {"StartTime": 0},
    ),
    "WFDB 32": (
        "hea",
        lambda path: write_wfdb(path, {"ECG": heart()}, HZ, kind="32"),
        {"StartTime": 0},
    ),
    "CSV with times": ("csv", csv, {"ECG (uV)": {"Units": "uV"}}),
    "CSV without times": (
        "csv",
        csv_without_times,
        {"StartTime": 0, "SamplingFrequency": 250, "ecg": {"Units": "mV"}},
    ),
}
TSV = {"StartTime": 0, "SamplingFrequency": 250, "Columns": ["cardiac"]}


def analysed(
    root: Path, extension: str, write: Callable[[Path], None], sidecar: dict[str, object]
) -> pd.DataFrame:
    beh = root / "sub-01/beh"
    beh.mkdir(parents=True)
    name = f"sub-01/beh/{STEM}.{extension}"
    write(root / name)
    (beh / f"{STEM}.json").write_text(json.dumps(sidecar))
    found = ecg_sidecar(root, name)
    video = {
        "video_id": "sub-01_run-1",
        "participant_id": "sub-01",
        "ecg_path": name,
        "ecg_sha256": ecg_sha256(root / name),
        "ecg_hz": found.hz,
        "ecg_start_s": found.start_s,
        "film_s": float(SECONDS),
    }
    rows, quality = analyse_recording(root, SPEC, video)
    assert quality["verdict"] == "good"
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    root = tmp_path_factory.mktemp("tsv")
    sidecar = TSV | {"cardiac": {"Units": "mV"}}
    return analysed(root, "tsv.gz", lambda path: write_tsv(path, heart()), sidecar)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_hrv(
    tmp_path: Path, reference: pd.DataFrame, kind: str
) -> None:
    assert len(reference) > 20 and reference["value"].notna().any()
    pd.testing.assert_frame_equal(analysed(tmp_path, *WRITERS[kind]), reference, rtol=1e-9)


def test_samples_that_changed_since_intake_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    intake = ecg_sha256

    def then_changed(path: Path) -> str:
        before = intake(path)
        data = wfdb.data_file(path)
        data.write_bytes(data.read_bytes()[:-1] + b"\x01")
        return before

    monkeypatch.setattr(f"{__name__}.ecg_sha256", then_changed)
    with pytest.raises(RecordingError, match="changed since intake"):
        analysed(tmp_path, *WRITERS["WFDB 24"])
