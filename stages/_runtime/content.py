"""What bytes files and folders hold: their MD5 as dvc.lock has it, and SHA-256 beside it."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

BLOCK = 2**20


@dataclass(frozen=True)
class Content:
    """Of a file its hashes; of a folder those of its listing, which end in ``.dir``."""

    md5: str
    sha256: str
    size: int
    nfiles: int | None = None

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON, as dvc.lock names it: of a file without ``nfiles``."""
        return {name: value for name, value in asdict(self).items() if value is not None}


Hash = Callable[[Path], Content]


def of_file(path: Path) -> Content:
    """The content of one file, read once."""
    md5, sha256, size = hashlib.md5(), hashlib.sha256(), 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            md5.update(block)
            sha256.update(block)
            size += len(block)
    return Content(md5.hexdigest(), sha256.hexdigest(), size)


def of_files(files: Mapping[str, Content]) -> Content:
    """The content of a folder, from that of its files by their names in it."""

    def listing(kind: str) -> bytes:
        rows = [{kind: getattr(files[name], kind), "relpath": name} for name in sorted(files)]
        return json.dumps(rows).encode()

    return Content(
        hashlib.md5(listing("md5")).hexdigest() + ".dir",
        hashlib.sha256(listing("sha256")).hexdigest() + ".dir",
        sum(content.size for content in files.values()),
        len(files),
    )


IGNORED = (".git", ".hg", ".dvc")
"""What DVC never counts, of folders in a study."""


def files_in(path: Path, ignored: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """The files of a folder that DVC counts, by their names in it; of a file itself, as ``""``.

    ``ignored`` are the patterns of .dvcignore (`ignored_in`).
    """
    if not path.is_dir():
        yield "", path
        return
    for inside in sorted(path.iterdir()):
        if any(fnmatch.fnmatch(inside.name, pattern) for pattern in ignored):
            continue
        if not (inside.is_dir() or inside.is_file()):
            continue  # to read a FIFO is to wait for ever
        if inside.is_dir() and inside.is_symlink():
            continue  # DVC follows links to files alone
        for name, file in files_in(inside, ignored):
            yield "/".join(filter(None, [inside.name, name])), file


def ignored_in(study: Path) -> tuple[str, ...]:
    """The patterns of .dvcignore, which there are names of files and folders."""
    try:
        lines = (study / ".dvcignore").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        lines = []
    return IGNORED + tuple(
        line.strip() for line in lines if line.strip() and not line.startswith("#")
    )


def of_study(study: Path, name: str, ignored: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns that count for a path in or beside ``study``: beside it DVC has none."""
    inside = not os.path.relpath(study / name, study).startswith("..")
    return ignored if inside else ()


def content(path: Path, ignored: tuple[str, ...], hashed: Hash = of_file) -> Content:
    """What a file or folder holds; ``hashed`` may know files already."""
    files = {name: hashed(file) for name, file in files_in(path, ignored)}
    return of_files(files) if path.is_dir() else files[""]
