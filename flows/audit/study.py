"""A finished study as an audit sees it: what dvc.lock and the records say, what files hold."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.run import lockfile
from flows.run.instances import Instance, instances
from stages._runtime import content
from stages._runtime.kinds import KINDS, Kind, kind_of
from stages._runtime.mlflow_place import DATABASE
from stages._runtime.params_file import read_params
from stages._runtime.provenance import FAILED, RECORDS, SEAL, sealed

PARAMS = "params.yaml"


@dataclass
class Verdict:
    """What came out of one link of the chain.

    ``places`` say where something differs from what was recorded, ``unchecked`` what could not be
    checked, and why.
    """

    link: str
    checked: int = 0
    of: str = ""
    places: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """``ok``, ``differs``, or ``cannot be checked``: nothing differs, and something is open."""
        if self.places:
            return "differs"
        return "cannot be checked" if self.unchecked else "ok"


class Recorded:
    """What a study in the folder ``root`` recorded, and what lies there now: each read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ignored = content.ignored_in(root)
        self._hashed: dict[Path, content.Content] = {}

    def hashed(self, path: Path) -> content.Content:
        """The content of a file, computed once in an audit."""
        if path not in self._hashed:
            self._hashed[path] = content.of_file(path)
        return self._hashed[path]

    def now(self, name: str) -> content.Content:
        """What lies now at a path that dvc.lock names."""
        ignored = content.of_study(self.root, name, self.ignored)
        return content.content(self.root / name, ignored, self.hashed)

    def files(self, name: str) -> dict[str, content.Content]:
        """The files that lie now at a path that dvc.lock names, by their paths in the study."""
        return {
            "/".join(filter(None, [name, inside])): self.hashed(file)
            for inside, file in content.files_in(self.root / name, self.ignored)
        }

    @cached_property
    def params(self) -> Any:
        """params.yaml as it stands."""
        return read_params(self.root / PARAMS)

    @property
    def kind(self) -> Kind:
        """Which kind of study it is."""
        return kind_of(self.params, PARAMS)

    @property
    def protocol(self) -> str:
        """The name of its kind."""
        return next(name for name, kind in KINDS.items() if kind is self.kind)

    def param(self, name: str) -> Any:
        """The value of a parameter by its dotted name; None where there is none."""
        value = self.params
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    @property
    def recordings(self) -> str:
        """Where the recordings lie, as params say: the cohort, or the corpora."""
        given = self.params["study"]
        return str(given.get("cohort", given.get("corpora")))

    @cached_property
    def lock(self) -> dict[str, Any]:
        """The entries of dvc.lock by address, of those instances that the study has now.

        Raises
        ------
        StudyError
            If there is no dvc.lock or it is broken, or DVC cannot read the study.
        """
        return {a: self.entries[a] for a in self.graph if a in self.entries}

    @cached_property
    def entries(self) -> dict[str, Any]:
        """All entries of dvc.lock, of former params too."""
        return lockfile.entries(self.root)

    @cached_property
    def graph(self) -> dict[str, Instance]:
        """Every instance of the study, as dvc.yaml and params.yaml have them."""
        return instances(self.root)

    @cached_property
    def records(self) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        """The records that can be read, by address as dvc.lock names it: the newest first."""
        found: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        for path in sorted((self.root / RECORDS).glob("*.json"), reverse=True):
            try:
                record = json.loads(path.read_text(encoding="utf-8"))
                stage, *item = record["stage"].split("@")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # `torn` names it
            address = stage + ("@" + "-".join(item) if item else "")
            found.setdefault(address, []).append((f"{RECORDS}/{path.name}", record))
        return found

    def torn(self) -> Iterator[str]:
        """The records whose bytes are not those that were written, as their seals say."""
        folders = (self.root / RECORDS, self.root / FAILED)
        for path in sorted(path for folder in folders for path in folder.glob("*.json")):
            text = path.read_bytes()
            try:
                record = json.loads(text)
                whole = SEAL not in record or sealed(record).encode() == text
            except (ValueError, TypeError):
                whole = False
            if not whole:
                yield f"{path.relative_to(self.root)}: not as it was written (its seal is another)"

    def maker(self, address: str) -> tuple[str, dict[str, Any]] | None:
        """The record of an instance that fits what lies there now; the newest where none does.

        DVC restores what it has seen before, so that the newest need not be of now.
        """
        # Of records that fit alike, that of the params of now: others may have made the same.
        records = sorted(
            self.records.get(address, []), key=lambda named: self._other_params(named[1])
        )
        for kinds in (("made", "given"), ("made",)):
            for named in records:
                if not any(True for kind in kinds for _ in self.changed(named[1][kind])):
                    return named
        return records[0] if records else None

    def _other_params(self, record: dict[str, Any]) -> bool:
        """Whether a record is of other params than those that dvc.yaml would hand over now."""
        values = record.get("params", {}).get("values", {})
        return any(self.param(name) != value for name, value in values.items())

    def changed(self, recorded: dict[str, str | None]) -> Iterator[str]:
        """The files of which a record has another SHA-256 than they have now, or that are gone."""
        for name, sha256 in recorded.items():
            path = self.root / name
            if sha256 is None:
                continue
            if not path.is_file():
                yield f"{name}: missing"
            elif self.hashed(path).sha256 != sha256:
                yield f"{name}: other bytes"

    def listing(self, md5: str) -> dict[str, str] | None:
        """The MD5 of each file of a folder, as DVC's cache lists them under the folder's own."""
        digest = md5.removesuffix(".dir")
        path = self.root / ".dvc/cache/files/md5" / digest[:2] / (digest[2:] + ".dir")
        if not path.is_file():
            return None
        text = path.read_bytes()
        if hashlib.md5(text).hexdigest() != digest:
            return None
        return {row["relpath"]: row["md5"] for row in json.loads(text)}

    def instead(self, name: str, md5: str) -> list[str]:
        """Which files make a folder another than dvc.lock says; the folder itself if unknown."""
        path, hashed = self.root / name, "md5"
        if not path.is_dir():
            return [f"{name}: other bytes"]
        # The cache lists what stages made; what they read is in their records.
        if (listed := self.listing(md5)) is None:
            listed, hashed = self._read(name, md5), "sha256"
        if listed is None:
            return [f"{name}: other bytes"]
        files = dict(content.files_in(path, self.ignored))
        now = {inside: getattr(self.hashed(file), hashed) for inside, file in files.items()}
        places = [f"{name}/{n}: missing" for n in sorted(listed.keys() - now.keys())]
        places += [f"{name}/{n}: was not there" for n in sorted(now.keys() - listed.keys())]
        both = sorted(now.keys() & listed.keys())
        return places + [f"{name}/{n}: other bytes" for n in both if now[n] != listed[n]]

    def _read(self, name: str, md5: str) -> dict[str, str] | None:
        """The SHA-256 of each file of a folder, from a record of its having been read as such."""
        for records in self.records.values():
            for _, record in records:
                known = record.get("dvc", {}).get("deps", {}).get(name, {})
                if known.get("md5") == md5:
                    inside = {n: s for n, s in record["given"].items() if n.startswith(f"{name}/")}
                    return {n.removeprefix(f"{name}/"): s for n, s in inside.items() if s}
        return None


@contextmanager
def mlflow_database(root: Path) -> Iterator[sqlite3.Connection]:
    """MLflow's own database of the study in ``root``, which is read alone."""
    uri = f"{(root / DATABASE).resolve().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        database.row_factory = sqlite3.Row
        yield database
