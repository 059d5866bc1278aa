"""ECG files of text: whole, or refused with row and value. Sidecars are tested with the layout."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from eifer.cohort import delimited
from eifer.cohort.ecg import EcgSidecar, read_ecg
from eifer.errors import RecordingError

MV = EcgSidecar(("cardiac",), 0, 250.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (b"", "no samples"),
        (b"cardiac\n0.1\n", "row 1 'cardiac'"),
        (b"0.1\nn/a\n0.3\n", "1 samples are no numbers (row 2 'n/a')"),
        (b"0.1\n0.2\nnan\n", "row 3 'nan'"),
        (b"0.1\ninf\n", "row 2 'inf'"),
        (b"0.1\n\n0.3\n", "row 2 ''"),
        (b"0.1\n0.2\t7\n0.3\n", "row 2 has 2"),
        (b"\xff\xfe\n", "row 1"),
    ],
)
def test_a_bad_ecg_is_refused_with_row_and_value(tmp_path: Path, rows: bytes, said: str) -> None:
    path = tmp_path / "x_physio.tsv.gz"
    path.write_bytes(gzip.compress(rows))
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
    monkeypatch.setattr(delimited, "MOST_BYTES", 2**20)
    monkeypatch.setattr(delimited, "MOST_SAMPLES", 2**17)
    monkeypatch.setattr(delimited, "LONGEST_ROW", 2**16)
    path = tmp_path / "x_physio.tsv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(16):
            file.write(row * (2**20 // len(row)))  # 16 MiB
    sidecar = EcgSidecar(("cardiac", "trigger")[: row.count(b"\t") + 1], 0, 250.0, 0.0, 1.0)
    # Arrow reads in a thread of its own, in which tracemalloc may crash the interpreter: the
    # bytes that were unpacked are counted instead.
    sizes: list[int] = []
    unpack = gzip.GzipFile.read

    def counted(file: gzip.GzipFile, size: int | None = -1) -> bytes:
        data = unpack(file, size)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(RecordingError, match=r"unpacks to more than|at least 100000"):
        read_ecg(path, sidecar)
    assert 0 < max(sizes) <= 2**16
    assert sum(sizes) < 2**22  # of 2**24


def test_many_pieces_are_one_signal(tmp_path: Path) -> None:
    path = tmp_path / "x_physio.tsv.gz"
    path.write_bytes(gzip.compress("".join(f"{k}\t{k / 8}\r\n" for k in range(150_000)).encode()))
    found = read_ecg(path, EcgSidecar(("trigger", "cardiac"), 1, 250.0, 0.0, 1e-3))
    assert len(found) == 150_000 and found[-1] == 149_999 / 8 * 1e-3
