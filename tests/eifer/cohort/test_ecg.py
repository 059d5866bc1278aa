"""ECG files at fault: each is refused with what is wrong, where, and what to do."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from eifer.cohort import edf, wfdb
from eifer.cohort.ecg import ECG_NAME, ecg_sidecar, read_ecg
from eifer.cohort.header import MOST_SAMPLES
from eifer.errors import InputError, RecordingError
from tests.eifer.cohort.ecg_files import write_csv, write_edf, write_wfdb

HZ = 8
UV: NDArray[np.int64] = np.array([0, 5, -7, 900, -2000, 3, 2, 1] * 2)
STEM = "sub-01_task-elicitation_run-1_recording-ecg_physio"
START: dict[str, object] = {"StartTime": 0}
Write = Callable[[Path], object]


def read(root: Path, extension: str, write: Write, sidecar: dict[str, object]) -> NDArray:
    name = f"sub-01/beh/{STEM}.{extension}"
    (root / "sub-01/beh").mkdir(parents=True)
    write(root / name)
    (root / "sub-01/beh" / f"{STEM}.json").write_text(json.dumps(sidecar))
    return read_ecg(root / name, ecg_sidecar(root, name))


def edf_of(*channels: str, **change: str) -> Write:
    return lambda path: write_edf(path, dict.fromkeys(channels or ("ECG",), UV), HZ, change=change)


def wfdb_of(*swap: tuple[str, str], kind: str = "16", gain: str = "1000(0)/mV") -> Write:
    return lambda path: write_wfdb(path, {"ECG": UV}, HZ, kind=kind, gain=gain, swap=swap)


def csv_of(**columns: str) -> Write:
    return lambda path: write_csv(path, {name: cells.split() for name, cells in columns.items()})


def cut(write: Write, extension: str, data: bytes | int) -> Write:
    """``write``, then a file beside it shortened by so many bytes, or with others added."""

    def change(path: Path) -> None:
        write(path)
        file = path.with_suffix(extension)
        content = file.read_bytes()
        file.write_bytes(content + data if isinstance(data, bytes) else content[:-data])

    return change


MV: dict[str, object] = {"ecg": {"Units": "mV"}}
SOUND = {"edf": START, "bdf": START, "hea": START, "csv": MV}
"""What a sidecar says that is right, of each kind of file."""
FAULTY_FILES: dict[str, dict[str, tuple[Write, str]]] = {
    "edf": {
        "empty": (lambda path: path.write_bytes(b""), "zero-byte file"),
        "of text": (
            lambda path: path.write_text("0.1\n" * 99),
            r"neither EDF nor BDF \(1\): sub-01\S+edf: it begins with b'0.1",
        ),
        "header cut": (
            lambda path: (edf_of()(path), path.write_bytes(path.read_bytes()[:300])),
            r"header that contradicts itself \(1\): \S+: 1 signals, header of 512 bytes",
        ),
        "truncated": (
            cut(edf_of(), ".edf", 5),
            r"ends early \(1\): \S+: 27 bytes of samples, its header declares 32",
        ),
        "longer": (cut(edf_of(), ".edf", b"12"), "longer than declared"),
        "more records declared": (edf_of(records="9"), "declares 144"),
        "never closed": (
            edf_of(records="-1"),
            r"finished recording \(1\): \S+: -1 data records of 1 s",
        ),
        "of no duration": (edf_of(duration="0"), "2 data records of 0 s"),
        "signals lied about": (edf_of(signals="7"), "7 signals, header of 512"),
        "of no samples": (edf_of(samples="0"), "0 samples in a record"),
        "a record of no time": (edf_of(duration="1e-320"), "8 to 8 samples in a"),
        "decimal comma": (edf_of(duration="1,0"), "duration of a .* is '1,0'"),
        "fractional count": (edf_of(records="1.5"), "data records is 1.5"),
        "discontinuous": (edf_of(reserved="EDF+D"), "discontinuous EDF+"),
        "gain 0": (
            edf_of(physical_max="-32768"),
            r"'ECG' has -32768 to -32768 for -32768 to 32767: ECG channel without a scale; correct",
        ),
        "digital range reversed": (edf_of(digital_min="32767"), "without a scale"),
        "no number": (edf_of(physical_min="nan"), "physical_min is 'nan'"),
        "two ECGs": (
            edf_of("ECG I", "EKG2", "Resp"),
            r"one ECG channel \(1\): .*: 2 of ECG I, EKG2, Resp by their names",
        ),
        "of degrees": (edf_of(unit="degC"), "unit of voltage .* Units 'degC'"),
        "of no unit": (edf_of(unit=""), "without a unit of voltage"),
    },
    "bdf": {
        "truncated": (cut(edf_of(), ".bdf", 1), "47 bytes .* declares 48"),
        "no ECG": (edf_of("EXG1", "EXG2"), "0 of EXG1, EXG2 by their names"),
    },
    "hea": {
        "empty": (
            lambda path: (wfdb_of()(path), path.write_text("\n")),
            "no header of a WFDB record of one segment .*: its first line is ''",
        ),
        "of segments": (wfdb_of((f"{STEM} 1", f"{STEM}/2 1")), "of one segment"),
        "of no rate": (wfdb_of((" 1 8 ", " 1 0 ")), "no header of a WFDB record"),
        "of many digits": (wfdb_of((" 1 8 ", f" {'1' * 5000} 8 ")), "one segment"),
        "signals lied about": (wfdb_of((" 1 8 ", " 2 8 ")), "2 signals, 1 lines of signals"),
        "truncated": (
            cut(wfdb_of(), ".dat", 3),
            r"ends early \(1\): \S+dat: 29 bytes of samples, its header declares 32",
        ),
        "212 longer": (cut(wfdb_of(kind="212"), ".dat", b"1"), "longer than"),
        "without samples": (
            lambda path: (wfdb_of()(path), path.with_suffix(".dat").unlink()),
            r"missing file or folder \(1\): \S+\.dat",
        ),
        "renamed": (
            wfdb_of((f"{STEM}.dat", "100.dat")),
            r"names another file \(1\): \S+hea: 100.dat\n.*-> name sub-01",
        ),
        "leads out": (wfdb_of((f"{STEM}.dat", f"../{STEM}.dat")), "another file"),
        "format 8": (wfdb_of((".dat 16 ", ".dat 8 ")), "format that is not read"),
        "skewed": (wfdb_of((".dat 16 ", ".dat 16:3 ")), "format that is not read"),
        "gain 0": (wfdb_of(gain="0"), "'ECG' has 0: WFDB signal without a gain"),
        "gain of words": (wfdb_of(gain="much"), "'ECG' has nan"),
        "damaged": (
            lambda path: (
                wfdb_of()(path),
                path.with_suffix(".dat").write_bytes(
                    b"\1" + path.with_suffix(".dat").read_bytes()[1:]
                ),
            ),
            "'ECG' adds up to .*contradict their checksum",
        ),
        "samples missing": (
            lambda path: write_wfdb(path, {"ECG": np.where(UV == 900, -(2**15), UV)}, HZ),
            "2 of 16 samples of 'ECG': WFDB samples marked as missing",
        ),
    },
    "csv": {
        "without a header": (csv_of(**{"0.1": "1 2"}), "columns have no names"),
        "a name twice": (lambda path: path.write_text("ecg,ecg\n1,2\n"), "columns have no names"),
        "of a header alone": (csv_of(time="", ecg=""), "no samples"),
        "not a number": (
            csv_of(time="0 1 2", ecg="1 nan x"),
            r"2 samples are no numbers \(row 3 'nan', row 4 'x'\); correct them \(with a decimal",
        ),
        "ragged": (
            lambda path: path.write_text("time,ecg\n0,1\n1,2,3\n"),
            r"1 rows have another .* the 2 that the first row names \(row 3 has 3\)",
        ),
        "with a gap": (
            csv_of(time="0 1 2 3 8 9 10", ecg="1 2 3 4 5 6 7"),
            r"times that are not of one .*: steps of 1.66667 s on average, but 5 s after row 5",
        ),
        "times without end": (csv_of(time="-1e308 0 1e308", ecg="1 2 3"), "that do not go on"),
        "time stands": (csv_of(time="3 3 3", ecg="1 2 3"), "times that do not go on"),
    },
}
FAULTY_SIDECARS: dict[str, tuple[str, Write, dict[str, object], str]] = {
    "EDF, no such channel": (
        "edf",
        edf_of(),
        START | {"Channel": "EXG3"},
        r"not one of the recording's \(1\): .*: Channel EXG3, there are ECG",
    ),
    "EDF, a channel less itself": (
        "edf",
        edf_of(),
        START | {"Channel": ["ECG", "ECG"]},
        "not one of the recording's",
    ),
    "EDF, another frequency": (
        "edf",
        edf_of(),
        START | {"SamplingFrequency": 16},
        r"contradicts its ECG file \(1\): .*: SamplingFrequency 16, in the file 8",
    ),
    "EDF, another unit": (
        "edf",
        edf_of(),
        START | {"ECG": {"Units": "mV"}},
        "Units of ECG mV, in the file uV",
    ),
    "EDF, other columns": ("edf", edf_of(), START | {"Columns": ["ecg"]}, "Columns .'ecg'., in"),
    "EDF of no start": ("edf", edf_of(), {}, "without StartTime"),
    "CSV, another frequency": (
        "csv",
        csv_of(time="0 0.5 1", ecg="1 2 3"),
        MV | {"SamplingFrequency": 250},
        "SamplingFrequency 250, in the file 2",
    ),
    "CSV, another start": (
        "csv",
        csv_of(time="-9 -8 -7", ecg="1 2 3"),
        MV | START,
        "StartTime 0, in the file -9",
    ),
    "CSV of no times": ("csv", csv_of(ecg="1 2"), MV | START, "without SamplingFrequency"),
    "CSV of no unit": ("csv", csv_of(time="0 1", ecg="1 2"), {}, "ecg Units None"),
}
FAULTS = FAULTY_SIDECARS | {
    f"{extension}, {name}": (extension, write, SOUND[extension], said)
    for extension, files in FAULTY_FILES.items()
    for name, (write, said) in files.items()
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_ecg_at_fault_is_refused(tmp_path: Path, fault: str) -> None:
    extension, write, sidecar, said = FAULTS[fault]
    with pytest.raises((InputError, RecordingError)) as caught:
        read(tmp_path, extension, write, sidecar)
    assert re.search(said, str(caught.value), re.DOTALL), str(caught.value)
    assert f"{STEM}." in str(caught.value)


def test_two_channels_of_different_rates_are_no_difference(tmp_path: Path) -> None:
    def write(path: Path) -> None:
        write_wfdb(path, {"a": UV, "b": UV}, HZ)
        lines = path.read_text().splitlines()
        lines[2] = lines[2].replace(" 16 ", " 16x2 ", 1)
        path.write_text("\n".join(lines))
        path.with_suffix(".dat").write_bytes(bytes(2 * 3 * len(UV)))

    with pytest.raises(InputError, match="two rates or units"):
        read(tmp_path, "hea", write, START | {"Channel": ["a", "b"]})


def test_a_signal_sampled_twice_a_frame_has_twice_the_rate(tmp_path: Path) -> None:
    path = tmp_path / "r.hea"
    path.write_text("r 2 8 2\nr.dat 16 200/mV 16 0 1 4 0 slow\nr.dat 16x2+2 1/uV 16 0 0 0 0 ECG\n")
    with pytest.raises(RecordingError, match="several formats"):
        wfdb.header(path)
    path.write_text("r 2 8 2\nr.dat 16 1/mV 16 0 1 5 0 slow\nr.dat 16x2 1/uV 16 0 2 16 0 ECG\n")
    (tmp_path / "r.dat").write_bytes(np.array([1, 2, 3, 4, 5, 6], "<i2").tobytes())
    assert wfdb.header(path).hz == (8, 16)
    assert wfdb.signal(path, 0).tolist() == [1, 4]
    assert wfdb.signal(path, 1).tolist() == [2, 3, 5, 6]


def test_fields_of_a_wfdb_header_may_stand_behind_tabs(tmp_path: Path) -> None:
    path = tmp_path / "x.hea"
    wfdb_of()(path)
    plain = wfdb.signal(path, 0).tolist()
    path.write_text(path.read_text().replace(" ", "\t"))
    assert wfdb.signal(path, 0).tolist() == plain


def test_a_unit_that_is_none_gives_way_to_the_sidecar(tmp_path: Path) -> None:
    stated = START | {"ECG": {"Units": "uV"}}
    plain = read(tmp_path / "plain", "edf", edf_of(), START)
    other = read(tmp_path / "other", "edf", edf_of(unit="microV"), stated)
    assert other.tolist() == plain.tolist()


def test_a_sidecar_says_which_column_of_a_tsv_is_meant(tmp_path: Path) -> None:
    sidecar: dict[str, object] = START | {
        "SamplingFrequency": 2,
        "Columns": ["ECG1", "ECG2"],
        "Channel": "ECG2",
        "ECG2": {"Units": "uV"},
    }
    text = gzip.compress(b"1\t2000\n3\t4000\n")
    signal = read(tmp_path, "tsv.gz", lambda path: path.write_bytes(text), sidecar)
    assert signal.tolist() == [2, 4]


def test_an_ecg_without_end_is_refused_unread(tmp_path: Path) -> None:
    long = tmp_path / "x.edf"
    write_edf(long, {"ECG": UV}, HZ, change={"records": str(MOST_SAMPLES // HZ + 1)})
    with long.open("r+b") as file:
        file.truncate(512 + 2 * HZ * (MOST_SAMPLES // HZ + 1))  # a hole, of no blocks
    with pytest.raises(RecordingError, match="ECG too long"):
        edf.signal(long, 0)


@pytest.mark.parametrize(
    ("name", "known"),
    [(n, True) for n in ("ECG", "ecg_mv", "EKG 1", "ECG-II", "cardiac", "MLII", "aVR", "V5", "I")]
    + [(n, False) for n in ("ecgtrigger", "EEG", "IV", "V7", "EXG1", "pulse", "cardiac_pulse")],
)
def test_names_of_ecgs(name: str, known: bool) -> None:
    assert bool(ECG_NAME.fullmatch(name)) == known


def test_real_wfdb_is_read(shared: Path) -> None:
    path = shared / "real_ecg/100.hea"
    assert wfdb.header(path).channels == ("MLII", "V5")
    signal = wfdb.signal(path, 0)
    assert len(signal) == 650_000 and signal[0] == pytest.approx((995 - 1024) / 200)
