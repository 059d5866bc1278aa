"""What a crate of a study tells, and which files of the study it copies."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from flows.audit.study import PARAMS, Recorded
from flows.git import git
from flows.run.instances import under
from stages._runtime.content import Content
from stages._runtime.places import MadeTable
from stages._runtime.provenance import FAILED, RECORDS

ASKED = ("faces", "recordings", "weights", "tables")
"""What is copied for the asking alone."""
ALWAYS: Mapping[str, tuple[str, ...]] = {
    "ei": ("SELECTION",),
    "expressions": ("DESCRIBED", "RELABELLED"),
}
"""By the kind of study: of its catalogue, the tables that say what each face is."""
OWN = (PARAMS, "dvc.yaml", "dvc.lock", "CITATION.cff", "LICENSE", "requirements.lock")


class Source:
    """The study in ``root``, of which a crate copies what is ``asked`` for, too."""

    def __init__(self, root: Path, asked: Collection[str] = ()) -> None:
        self.study = Recorded(root)
        self.asked = set(asked)
        self.name: str = self.study.params["study"]["name"]

    @cached_property
    def executions(self) -> list[tuple[str, dict[str, Any]]]:
        """Every record with the path of its file, in the order of time."""
        root = self.study.root
        paths = [path for folder in (RECORDS, FAILED) for path in (root / folder).glob("*.json")]
        return [
            (path.relative_to(root).as_posix(), json.loads(path.read_text("utf-8")))
            for path in sorted(paths, key=lambda path: path.name)
        ]

    @cached_property
    def outs(self) -> list[str]:
        """What the study's instances have made, as dvc.lock has it."""
        entries = self.study.lock.values()
        return [out["path"] for entry in entries for out in entry.get("outs", [])]

    @cached_property
    def copied(self) -> dict[str, tuple[str, Content]]:
        """Where a file lies in the crate, by its path in the study, and its content."""
        study = self.study
        names = [name for name in OWN if (study.root / name).is_file()]
        names += [name for name, _ in self.executions]
        for out in self.outs:
            names += [n for n in study.files(out) if self.group(n) in {"", *self.asked}]
        here = {name: (name, study.hashed(study.root / name)) for name in names}
        if "recordings" in self.asked and (study.root / study.recordings).exists():
            for name, content in study.files(study.recordings).items():
                inside = name.removeprefix(study.recordings).lstrip("/") or Path(name).name
                here.setdefault(name, (f"recordings/{inside}", content))
        return here

    def group(self, name: str) -> str:
        """What a file is: the word by which it is asked for, ``code``, or none if it is copied."""
        if Path(name).is_relative_to(self.study.recordings):
            return "recordings"
        if not under(name, self.outs):
            return "code"
        if under(name, ["data/report"]) or _table(name, self._described):
            return ""
        known = {".json": "", ".md": "", ".safetensors": "weights", ".parquet": "tables"}
        # What has another form was recorded, or drawn.
        group = known.get(Path(name).suffix, "recordings")
        return "faces" if group == "tables" and _table(name, self._pictures) else group

    @cached_property
    def _described(self) -> list[MadeTable]:
        return [getattr(self.study.kind.catalogue, name) for name in ALWAYS[self.study.protocol]]

    @cached_property
    def _pictures(self) -> list[MadeTable]:
        made = [made for folder in self.study.kind.catalogue.FOLDERS for made in folder.made]
        tables = [table for table in made if isinstance(table, MadeTable)]
        return [t for t in tables if any(column.kind == "bytes" for column in t.table.columns)]

    def faces(self) -> dict[str, tuple[MadeTable, Content]]:
        """The copied files that say what each face is."""
        tables = {name: _table(name, self._described) for name in self.copied}
        return {name: (made, self.copied[name][1]) for name, made in tables.items() if made}

    @property
    def identifier(self) -> str:
        """What tells this study from others: the first record that it left."""
        name, record = self.executions[0]
        return f"{self.name}, {Path(name).stem}, {record.get('sha256', '')[:16]}"

    @property
    def newest(self) -> str:
        """When the last execution ended: a crate's own date, so that it is the same again."""
        return max(record["finished"] for _, record in self.executions)

    @cached_property
    def agent(self) -> str:
        """The name that git has for who works in the study, or who committed it last."""
        for words in (("config", "user.name"), ("log", "-1", "--format=%an")):
            if name := git(self.study.root, *words, check=False):
                return name
        return "not recorded"


def _table(name: str, tables: Iterable[MadeTable]) -> MadeTable | None:
    """The table that a file is, or is a part of."""
    for table in tables:
        pattern = re.sub(r"\$\{[^}]*\}", "*", table.path)
        if any(fnmatch.fnmatch(name, each) for each in (pattern, f"{pattern}/*.parquet")):
            return table
    return None
