"""Content hashes of files, and of the code that a result follows from."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path


def sha256_file(path: Path) -> str:
    """The SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def sha256_code(*names: str) -> str:
    """The SHA-256 of source files of `eifer`; a folder's name stands for its own modules."""
    digest = hashlib.sha256()
    for name in names:
        place = Path(__file__).parent / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()
