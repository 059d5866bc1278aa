"""DVC believes its cache wherever a file is read-only; here it is looked at when it is restored.

A disk that fails, or somebody who edits the cache, would otherwise come back as a result.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flows.run import lockfile


def drop_spoilt(study: Path, address: str) -> list[str]:
    """Remove, and name, the outputs of an instance whose bytes in the cache are not their name's.

    They go from the study and from the cache: DVC makes them again.
    """
    outs, cache = lockfile.outs(study, address), _cache(study)
    if spoilt := _drop_listings(outs, cache):
        return spoilt
    for file, digest in _digests(study, cache, outs):
        cached = Path(cache.oid_to_path(digest))
        if cached.exists() and not _is(cached, digest):
            cached.unlink()
            file.unlink(missing_ok=True)
            spoilt.append(file.relative_to(study).as_posix())
    return spoilt


def drop_spoilt_listings(study: Path) -> list[str]:
    """Remove from the cache each listing whose bytes are not its name's; the folders listed.

    DVC takes such a listing for another state of the folder and makes the folder again; then it
    finds a listing of the right name in the cache, and leaves it as it is: so in every run.
    """
    return _drop_listings(lockfile.outs(study), _cache(study))


def _cache(study: Path) -> Any:
    from dvc.repo import Repo  # type: ignore[import-untyped]

    with Repo(str(study)) as repo:
        return repo.cache.local


def _drop_listings(outs: list[dict[str, Any]], cache: Any) -> list[str]:
    spoilt = []
    for out in outs:
        digest = str(out.get("md5", ""))
        listing = Path(cache.oid_to_path(digest)) if digest.endswith(".dir") else None
        if listing and listing.exists() and not _is(listing, digest.removesuffix(".dir")):
            listing.unlink()
            spoilt.append(out["path"])
    return spoilt


def _digests(study: Path, cache: Any, outs: list[dict[str, Any]]) -> Iterator[tuple[Path, str]]:
    """(file in the study, its MD5)."""
    for out in outs:
        path, digest = study / out["path"], out.get("md5", "")
        if digest.endswith(".dir"):
            listing = json.loads(Path(cache.oid_to_path(digest)).read_text())
            yield from ((path / entry["relpath"], entry["md5"]) for entry in listing)
        elif digest:
            yield path, digest


def _is(file: Path, digest: str) -> bool:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "md5").hexdigest() == digest
