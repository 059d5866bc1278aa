"""A recording is used as the intake stage saw it, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from eifer.cohort.recordings import unchanged
from eifer.errors import RecordingError
from eifer.hashing import sha256_file


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "sub-01_run-1.mp4"
    path.write_bytes(b"film")
    return path


def test_an_unchanged_recording_is_handed_on(film: Path) -> None:
    assert unchanged(film, sha256_file(film)) == film


def test_one_changed_byte_is_noticed_though_size_and_name_are_the_same(film: Path) -> None:
    before = sha256_file(film)
    film.write_bytes(b"filn")
    with pytest.raises(RecordingError, match=r"sub-01_run-1\.mp4: changed since intake; repeat"):
        unchanged(film, before)


def test_a_recording_that_is_gone_or_no_file_is_named(film: Path) -> None:
    before = sha256_file(film)
    film.unlink()
    with pytest.raises(RecordingError, match=r"sub-01_run-1\.mp4: gone since intake"):
        unchanged(film, before)
    film.mkdir()
    with pytest.raises(RecordingError, match="gone since intake"):
        unchanged(film, before)
