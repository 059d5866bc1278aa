"""ECG files: whole, or refused with row and value. Sidecars are tested with the layout."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import pytest

from eifer.cohort import ecg
from eifer.cohort.ecg import EcgSidecar, read_ecg
from eifer.errors import RecordingError

MV = EcgSidecar(("cardiac",), 0, 250.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"0.1\n0.2\n", "no readable gzip"),
        (gzip.compress(b"0.1\n" * 500)[:-12], "gzip ends early"),
        (gzip.compress(b""), "no samples"),
        (gzip.compress(b"cardiac\n0.1\n"), "row 1 'cardiac'"),
        (gzip.compress(b"0.1\nn/a\n0.3\n"), "1 samples are no numbers (row 2 'n/a')"),
        (gzip.compress(b"0.1\n0.2\nnan\n"), "row 3 'nan'"),
        (gzip.compress(b"0.1\ninf\n"), "row 2 'inf'"),
        (gzip.compress(b"0.1\n\n0.3\n"), "row 2 ''"),
        (gzip.compress(b"0.1\n0.2\t7\n0.3\n"), "row 2 has 2"),
        (gzip.compress(b"\xff\xfe\n"), "row 1"),
    ],
)
def test_a_bad_ecg_is_refused_with_row_and_value(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "x_physio.tsv.gz"
    path.write_bytes(data)
    with pytest.raises(RecordingError) as caught:
        read_ecg(path, MV)
    assert said in str(caught.value)
    assert path.name in str(caught.value)


def test_only_five_bad_samples_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "x_physio.tsv.gz"
    path.write_bytes(gzip.compress(b"?\n" * 900))
    with pytest.raises(RecordingError, match=r"900 samples .* and 895 more") as caught:
        read_ecg(path, MV)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("row", [b"0\n", b"0.123\t5\n", b"\n", b"7", b"x\n", b"0.1\t2\t3\n"])
def test_a_file_that_unpacks_without_end_is_refused_in_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: bytes
) -> None:
    monkeypatch.setattr(ecg, "MOST_BYTES", 2**20)
    monkeypatch.setattr(ecg, "MOST_SAMPLES", 2**17)
    monkeypatch.setattr(ecg, "LONGEST_ROW", 2**16)
    path = tmp_path / "x_physio.tsv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(16):
            file.write(row * (2**20 // len(row)))  # 16 MiB
    sidecar = EcgSidecar(("cardiac", "trigger")[: row.count(b"\t") + 1], 0, 250.0, 0.0, 1.0)
    tracemalloc.start()
    try:
        with pytest.raises(RecordingError, match="unpacks to more than"):
            read_ecg(path, sidecar)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**23


def test_many_pieces_are_one_signal(tmp_path: Path) -> None:
    path = tmp_path / "x_physio.tsv.gz"
    path.write_bytes(gzip.compress("".join(f"{k}\t{k / 8}\r\n" for k in range(150_000)).encode()))
    found = read_ecg(path, EcgSidecar(("trigger", "cardiac"), 1, 250.0, 0.0, 1e-3))
    assert len(found) == 150_000 and found[-1] == 149_999 / 8 * 1e-3


def test_a_row_without_an_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x_physio.tsv.gz"
    path.write_bytes(gzip.compress(b"0.1\n" + b"1" * 2**22))
    with pytest.raises(RecordingError, match="x_physio"):
        read_ecg(path, MV)
