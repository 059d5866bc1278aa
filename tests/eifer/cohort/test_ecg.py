"""ECG files: whole, or refused with row and value. Sidecars are tested with the layout."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

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
