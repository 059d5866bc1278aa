"""DVC's objects where they lie: the cache and every remote, asked and emptied by hash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from eifer.errors import shortened
from flows.run.instances import repository
from flows.run.lockfile import LOADER


@dataclass(frozen=True)
class Objects:
    """A place with objects by their MD5 (``odb``), and the run-cache beside them."""

    name: str
    odb: Any
    runs: str

    def listing(self, md5: str) -> dict[str, str] | None:
        """The MD5 of each file of a folder by its path there; None where that is not known here."""
        if not self.odb.exists(md5):
            return None
        with self.odb.fs.open(self.odb.oid_to_path(md5)) as file:
            return {row["relpath"]: row["md5"] for row in json.load(file)}

    def executions(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The entries of the run-cache: the path of each, and what it says."""
        fs = self.odb.fs
        for path in fs.find(self.runs) if fs.exists(self.runs) else ():
            with fs.open(path) as file:
                entry = yaml.load(file.read(), LOADER)  # a safe loader, written in C
            if isinstance(entry, dict):
                yield path, entry

    def there(self, md5: Collection[str]) -> list[str]:
        """Which of these it has."""
        return list(self.odb.list_oids_exists(sorted(md5)))

    def remove(self, md5: Collection[str], executions: Collection[str]) -> int:
        """Delete these objects and entries of the run-cache; how many were there."""
        from dvc_data.hashfile.db import get_index

        there = self.there(md5)
        for digest in there:
            self.odb.delete(digest)
        for path in executions:
            self.odb.fs.remove(path)
        get_index(self.odb).clear()  # what DVC believes to be there
        return len(there) + len(executions)


@contextmanager
def opened(study: Path) -> Iterator[tuple[Objects, list[Objects], list[str]]]:
    """The cache of a study, its remotes, and which remotes cannot be asked, with the reason."""
    with repository(study) as repo:
        cache = repo.cache.local
        remotes, refused = [], []
        for name in repo.config["remote"]:
            try:
                remote = repo.cloud.get_remote(name)
                if remote.worktree or remote.fs.version_aware:
                    refused.append(
                        f"remote {name}: it keeps versions, which only its owner deletes"
                    )
                    continue
                theirs = _objects(f"remote {name}", remote.odb, remote.legacy_odb)
                theirs.there(["0" * 32])
                remotes.append(theirs)
            except Exception as error:  # of whatever cloud: each has its own
                refused.append(f"remote {name}: {shortened(error)}")
        yield _objects("cache", cache, repo.cache.legacy), remotes, refused


def forget_names(study: Path) -> int:
    """Delete DVC's lists of the study's file names and hashes, which it keeps outside; how many.

    DVC makes them anew.
    """
    with repository(study) as repo:
        place = Path(repo.site_cache_dir)
    lists = [path for path in place.rglob("*") if path.is_file()]
    shutil.rmtree(place)
    return len(lists)


def _objects(name: str, odb: Any, legacy: Any) -> Objects:
    return Objects(name, odb, odb.fs.join(legacy.path, "runs"))
