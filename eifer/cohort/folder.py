"""Reading text files of a cohort's folder: nothing outside it, and every fault noted.

Row numbers in messages count the header as row 1, as an editor does.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from eifer.errors import Problem, did_you_mean, examples

EXCLUDE = "exclude it with a reason (study.exclude in params.yaml)"
LARGEST_BYTES, MOST_ROWS, MOST_COLUMNS = 2**20, 20_000, 5_000
"""Of a text file: many times what any cohort's largest has, but few enough to list their faults."""

SPECIAL: dict[str, Callable[[int], bool]] = {
    "FIFO": stat.S_ISFIFO,
    "socket": stat.S_ISSOCK,
    "device": lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode),
    "unknown": lambda mode: True,
}


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
        self._sound: dict[str, bool] = {}
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

    def look_through(self) -> None:
        """Note whatever in the folder cannot be read, or must not be, at any depth.

        Most of it is never read here. But DVC hashes the folder as a whole, to know
        when to repeat intake, and waits for ever at a FIFO or a device.
        """
        todo = ["."]
        while todo:
            folder = todo.pop()
            try:
                with os.scandir(self.root / folder) as scanned:
                    entries = sorted(scanned, key=lambda entry: entry.name)
            except OSError as error:
                self._unreadable(folder, error)
                continue
            for entry in entries:
                name = entry.name if folder == "." else f"{folder}/{entry.name}"
                plain = entry.is_file(follow_symlinks=False) and _is_utf8(entry.name)
                if plain and os.access(entry.path, os.R_OK, effective_ids=True):
                    continue  # nearly all, and there may be a million
                if self.sound(name) and entry.is_dir(follow_symlinks=False):
                    todo.append(name)

    def sound(self, name: str) -> bool:
        """Whether what has this name can be read, and lies inside; if not, that is noted once."""
        if name not in self._sound:
            # A folder at fault is noted itself; what it holds would only be an echo.
            above = PurePosixPath(name).parents[:-1]
            echo = any(not self._sound.get(parent.as_posix(), True) for parent in above)
            self._sound[name] = not echo and self._examine(name)
        return self._sound[name]

    def _examine(self, name: str) -> bool:
        path = self.root / name
        if not _is_utf8(name):
            self.note("name that is not UTF-8", name, "rename it")
            return False
        try:
            real = path.resolve(strict=True)
            mode = real.stat().st_mode
            if not real.is_relative_to(self.real):
                self.note(
                    "link that leads out of the cohort's folder",
                    name,
                    "put the file itself there: nothing outside the folder is followed",
                )
                return False
            if stat.S_ISREG(mode):
                os.close(os.open(real, os.O_RDONLY | os.O_NONBLOCK))
            elif stat.S_ISDIR(mode):
                os.scandir(real).close()
            else:
                kind = next(kind for kind, is_one in SPECIAL.items() if is_one(mode))
                self.note("neither file nor folder", f"{name} ({kind})", "take it away")
                return False
        except (OSError, RuntimeError) as error:
            if isinstance(error, PermissionError):
                self._unreadable(name, error)
            elif self.there(name):
                remedy = "put the file itself there (git-annex, DataLad: get it), or take it away"
                self.note("link that leads nowhere", name, remedy)
            else:
                self.missing(name)
        else:
            return True
        return False

    def _unreadable(self, name: str, error: OSError) -> None:
        remedy = "give yourself the right to read it, or copy it again"
        self.note("cannot be read", f"{name}: {error.strerror}", remedy)

    def usable(self, name: str, *, folder: bool = False) -> bool:
        """Whether ``name`` is a file (or folder) inside; anything else in its place is noted."""
        if (name, folder) not in self._usable:
            self._usable[name, folder] = self._look(name, folder)
        return self._usable[name, folder]

    def _look(self, name: str, folder: bool) -> bool:
        if not self.sound(name):
            return False
        path = self.root / name
        if not (path.is_dir() if folder else path.is_file()):
            self.note(f"not a {'folder' if folder else 'file'}", name, "replace it")
            return False
        if not folder and path.stat().st_size == 0:
            self.note("zero-byte file", name, f"copy it again from its source, or {EXCLUDE}")
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """What is in a folder that is usable, hidden files apart, in order."""
        if folder != "." and not self.usable(folder, folder=True):
            return []
        try:
            entries = os.listdir(self.root / folder)
        except OSError as error:
            self._unreadable(folder, error)
            return []
        return sorted(n for n in entries if not n.startswith(".") and _is_utf8(n))

    def text(self, name: str) -> str | None:
        """The text of a file in UTF-8; None where it cannot be read, which is noted."""
        if not self.usable(name):
            return None
        try:
            with (self.root / name).open("rb") as file:
                data = file.read(LARGEST_BYTES + 1)
            if len(data) > LARGEST_BYTES:
                self._too_large(name, f"more than {LARGEST_BYTES >> 20} MiB")
                return None
            if data.startswith(b"\xef\xbb\xbf"):
                self.note("byte-order mark", f"{name} byte 0", "save it as UTF-8 without BOM")
                return None
            return data.decode()
        except UnicodeDecodeError as error:
            where = f"{name} byte {error.start} (0x{data[error.start]:02x})"
            self.note("not UTF-8", where, "save it again in UTF-8")
        except OSError as error:
            self._unreadable(name, error)
        return None

    def _too_large(self, name: str, size: str) -> None:
        remedy = "look whether it is another file under this name"
        self.note("file too large for what it should hold", f"{name}: {size}", remedy)

    def object(self, name: str) -> dict[str, Any] | None:
        """A JSON file's object; None where it is none, which is noted once."""
        if name not in self._objects:
            self._objects[name] = None
            text = self.text(name)
            if text is not None:
                try:
                    content = _parsed(text)
                except ValueError as error:
                    self.note("not JSON", f"{name}: {error}", "mend its syntax")
                except RecursionError:
                    self.note("not JSON", f"{name}: nested too deeply", "mend its syntax")
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
        if len(lines) > MOST_ROWS or len(header) > MOST_COLUMNS:
            self._too_large(name, f"{len(lines)} rows of {len(header)} columns")
            return None
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
                f"{name} row 1: {examples(wrong)}",
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


def _is_utf8(name: str) -> bool:
    """Whether a name read from a disk was UTF-8: Python keeps other bytes as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _parsed(text: str) -> Any:
    """JSON as its standard has it, where Python's reader lets more pass.

    Raises
    ------
    ValueError
        Also for a key that stands twice, and for a number that a float cannot hold.
    RecursionError
        If it is nested too deeply to be read.
    """
    return json.loads(
        text, object_pairs_hook=_once, parse_float=_finite, parse_int=_whole, parse_constant=_no
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    repeated = [key for key, times in Counter(key for key, _ in pairs).items() if times > 1]
    if repeated:
        raise ValueError(f"{examples([repr(key) for key in repeated])} more than once; keep one")
    return dict(pairs)


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError(f"the number {digits[:40]}... is too large")
    return value


def _whole(digits: str) -> int:
    _finite(digits)
    return int(digits)


def _no(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _applies(sidecar: str, data: str) -> bool:
    """Whether BIDS lets a JSON file of this name describe the data file: no entity of its own."""
    if not sidecar.endswith(".json"):
        return False
    *entities, suffix = sidecar.removesuffix(".json").split("_")
    *described, data_suffix = PurePosixPath(data).name.split(".")[0].split("_")
    return suffix == data_suffix and set(entities) <= set(described)
