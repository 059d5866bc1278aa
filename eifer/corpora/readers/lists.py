"""Lists of labels in text files: CSV with a header, and lines of words.

Decoding is exact: UTF-8, with or without a byte order mark, either kind of line ends, quoted
fields. What is wrong with a file is told to the reader's `Found`, row by row.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from eifer.corpora.readers.found import Found
from eifer.errors import did_you_mean

_AGAIN = "copy the file again from its source"


def columns(path: Path) -> tuple[str, ...]:
    """The names in a CSV file's first row, without spaces around them; none if unreadable."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return tuple(name.strip() for name in next(csv.reader(file), ()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return ()


def table(
    path: Path, needed: Sequence[str], found: Found, optional: Sequence[str] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a CSV file with their line numbers: ``needed`` and ``optional`` columns alone."""
    with _told(path, found), path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            names = [name.strip() for name in next(reader, [])]
            for name in needed:
                if names.count(name) != 1:
                    hint = did_you_mean(name, names)
                    found.wrong(
                        f"column {name} is missing"
                        if name not in names
                        else f"column {name} is there twice",
                        f"{path.name} has {', '.join(names) or 'no first row'}{hint}",
                        f"give it a first row with {', '.join(needed)}",
                    )
            if any(names.count(name) != 1 for name in needed):
                return
            wanted = {name: names.index(name) for name in (*needed, *optional) if name in names}
            for cells in reader:
                if len(cells) == len(names):
                    yield reader.line_num, {name: cells[k] for name, k in wanted.items()}
                elif cells:
                    found.wrong(
                        "row with another number of fields than the first row",
                        f"{path.name} line {reader.line_num}: {len(cells)}, not {len(names)}",
                        _AGAIN,
                    )
        except csv.Error as error:
            found.wrong("no CSV file", f"{path.name} line {reader.line_num}: {error}", _AGAIN)


def lines(path: Path, fields: int, found: Found) -> Iterator[tuple[int, list[str]]]:
    """Lines of ``fields`` words with their numbers; only the first word may hold spaces."""
    with _told(path, found), path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            words = line.strip().rsplit(maxsplit=fields - 1)
            if len(words) == fields:
                yield number, words
            elif words:
                found.wrong(
                    f"line that has not {fields} fields",
                    f"{path.name} line {number}: {len(words)}",
                    _AGAIN,
                )


@contextmanager
def _told(path: Path, found: Found) -> Iterator[None]:
    """Tell why a file cannot be read, or not to its end."""
    try:
        yield
    except FileNotFoundError:
        found.missing(path)
    except OSError as error:
        found.wrong("cannot be read", f"{path}: {error.strerror}", "give a file that can")
    except UnicodeDecodeError as error:
        found.wrong("no text in UTF-8", f"{path.name}: {error.reason}", _AGAIN)
