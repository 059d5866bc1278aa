"""Recordings as the intake stage saw them, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eifer.errors import RecordingError
from eifer.hashing import sha256_file


def unchanged(path: Path, sha256: str, digest: Callable[[Path], str] = sha256_file) -> Path:
    """``path``, once its content is known to be what was validated (``digest`` hashes it).

    DVC watches the cohort through the intake stage only (docs/decisions/0004), so
    whoever opens a recording asks here first.

    Raises
    ------
    RecordingError
        If the file is gone or its content is another.
    """
    try:
        now = digest(path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise RecordingError(
            f"{error.filename}: gone since intake; put it back, or repeat intake"
        ) from None
    if now != sha256:
        raise RecordingError(f"{path}: changed since intake; repeat intake (`dvc repro`)")
    return path
