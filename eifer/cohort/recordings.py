"""Recordings as the intake stage saw them, or not at all."""

from __future__ import annotations

from pathlib import Path

from eifer.errors import RecordingError
from eifer.hashing import sha256_file


def unchanged(path: Path, sha256: str) -> Path:
    """``path``, once its content is known to be what was validated.

    DVC watches the cohort through the intake stage only (docs/decisions/0004), so
    whoever opens a recording asks here first.

    Raises
    ------
    RecordingError
        If the file is gone or its content is another.
    """
    if not path.is_file():
        raise RecordingError(f"{path}: gone since intake; put it back, or repeat intake")
    if sha256_file(path) != sha256:
        raise RecordingError(f"{path}: changed since intake; repeat intake (`dvc repro`)")
    return path
