"""Reading text files of a cohort's folder: nothing outside it, and every fault noted.

Row numbers in messages count the header as row 1, as an editor does.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from eifer.errors import Problem, did_you_mean

EXCLUDE = "exclude it with a reason (study.exclude in params.yaml)"


@dataclass(frozen=True)
class Row:
    """One line of a text table: where it is, and its cells as they stand."""

    file: str
    number: int
    cells: Mapping[str, str]

    def at(self, column: str) -> str:
        """The place and value of a cell, for a message."""
        return f"{self.file} row {self.number}: {column} {self.cells[column]!r}"


class Folder:
    """A folder from which nothing outside is read, and which notes faults instead of stopping."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = root.resolve()
        self.problems: list[Problem] = []
        self._usable: dict[tuple[str, bool], bool] = {}
        self._objects: dict[str, dict[str, Any] | None] = {}

    def note(self, what: str, where: str, remedy: str) -> None:
        """Remember a fault; `Problem` says what its parts are."""
        self.problems.append(Problem(what, where, remedy))

    def missing(self, name: str) -> None:
        """Note that a file or folder is not there."""
        self.note("missing file or folder", name, f"add it, or if a recording: {EXCLUDE}")

    def there(self, name: str) -> bool:
        """Whether anything, even a broken link, has this name."""
        return os.path.lexists(self.root / name)

    def usable(self, name: str, *, folder: bool = False) -> bool:
        """Whether ``name`` is a file (or folder) inside; anything else in its place is noted."""
        if (name, folder) not in self._usable:
            self._usable[name, folder] = self._look(name, folder)
        return self._usable[name, folder]

    def _look(self, name: str, folder: bool) -> bool:
        path = self.root / name
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            if self.there(name):
                self.note("link that leads nowhere", name, "put the file itself there")
            else:
                self.missing(name)
            return False
        if not real.is_relative_to(self.real):
            self.note(
                "link that leads out of the cohort's folder",
                name,
                "put the file itself there: nothing outside the folder is followed",
            )
            return False
        if not (real.is_dir() if folder else real.is_file()):
            self.note(f"not a {'folder' if folder else 'file'}", name, "replace it")
            return False
        if not folder and real.stat().st_size == 0:
            self.note("zero-byte file", name, f"copy it again from its source, or {EXCLUDE}")
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """What is in a folder that is usable, hidden files apart, in order."""
        if folder != "." and not self.usable(folder, folder=True):
            return []
        try:
            return sorted(n for n in os.listdir(self.root / folder) if not n.startswith("."))
        except OSError as error:
            self.note("folder that cannot be listed", f"{folder}: {error.strerror}", "mend it")
            return []

    def text(self, name: str) -> str | None:
        """The text of a file in UTF-8; None where it cannot be read, which is noted."""
        if not self.usable(name):
            return None
        try:
            data = (self.root / name).read_bytes()
            if data.startswith(b"\xef\xbb\xbf"):
                self.note("byte-order mark", f"{name} byte 0", "save it as UTF-8 without BOM")
                return None
            return data.decode()
        except UnicodeDecodeError as error:
            where = f"{name} byte {error.start} (0x{data[error.start]:02x})"
            self.note("not UTF-8", where, "save it again in UTF-8")
        except OSError as error:
            self.note("file that cannot be read", f"{name}: {error.strerror}", "mend it")
        return None

    def object(self, name: str) -> dict[str, Any] | None:
        """A JSON file's object; None where it is none, which is noted once."""
        if name not in self._objects:
            self._objects[name] = None
            text = self.text(name)
            if text is not None:
                try:
                    content = json.loads(text)
                except (ValueError, RecursionError) as error:
                    self.note("not JSON", f"{name}: {error}", "mend its syntax")
                else:
                    if isinstance(content, dict):
                        self._objects[name] = content
                    else:
                        self.note("not a JSON object", name, "put its fields between { and }")
        return self._objects[name]

    def rows(
        self, name: str, required: Sequence[str], optional: Sequence[str] = ()
    ) -> list[Row] | None:
        """A tab-separated table's rows; None where it cannot be used, which is noted.

        A row with too few or too many cells is noted and left out.
        """
        text = self.text(name)
        if text is None:
            return None
        lines = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]
        header = lines[0].split("\t")
        absent = [column for column in (*required, *optional) if column not in header]
        unknown = [column for column in header if column not in (*required, *optional)]
        wrong = [f"{column!r} missing" for column in absent if column in required]
        # An optional column under a misspelt name would be passed over in silence.
        wrong += [
            f"{name_!r}{hint}"
            for name_ in unknown
            if (hint := did_you_mean(name_.strip().casefold(), absent))
        ]
        wrong += [f"{column!r} twice" for column, n in Counter(header).items() if n > 1]
        if wrong:
            self.note(
                "wrong columns",
                f"{name} row 1: {', '.join(wrong)}",
                "name the columns in the first row as the layout does, separated by tabs",
            )
            return None
        rows = []
        for number, line in enumerate(lines[1:], start=2):
            cells = line.split("\t")
            if len(cells) == len(header):
                rows.append(Row(name, number, dict(zip(header, cells, strict=True))))
            else:
                self.note(
                    "wrong number of columns",
                    f"{name} row {number}: {len(cells)} instead of {len(header)}: {line[:40]!r}",
                    "separate cells by tabs, write n/a for missing, leave no empty row",
                )
        if len(lines) == 1:
            self.note("no rows", name, "add the rows below the header")
            return None
        return rows

    def inherited(self, data: str) -> tuple[str, ...]:
        """The JSON files that describe the file ``data``, from the root down to its own folder."""
        chain: list[str] = []
        for folder in reversed(PurePosixPath(data).parents):
            at = folder.as_posix()
            applying = [
                n if at == "." else f"{at}/{n}" for n in self.names(at) if _applies(n, data)
            ]
            if len(applying) > 1:
                self.note(
                    "several sidecars for one recording in one folder",
                    f"{data}: {', '.join(applying)}",
                    "merge them, so that one applies",
                )
            chain += applying
        return tuple(chain)


def _applies(sidecar: str, data: str) -> bool:
    """Whether BIDS lets a JSON file of this name describe the data file: no entity of its own."""
    if not sidecar.endswith(".json"):
        return False
    *entities, suffix = sidecar.removesuffix(".json").split("_")
    *described, data_suffix = PurePosixPath(data).name.split(".")[0].split("_")
    return suffix == data_suffix and set(entities) <= set(described)
