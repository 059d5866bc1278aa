"""ECG files of text: BIDS's ``tsv.gz``, whose columns a sidecar names, and CSV, with a header.

They are unpacked and parsed a piece at a time, so that one made to unpack without end costs no
more memory than `MOST_SAMPLES`.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.folder import EXCLUDE
from eifer.cohort.header import MOST_SAMPLES, Header, refused
from eifer.errors import EXAMPLES, RecordingError

TIME_COLUMNS = ("time", "time_s", "seconds")
"""What a CSV file's column of times is called, in seconds from the start of the film."""
DELIMITERS = ",;\t"
MOST_BYTES = 2**30
"""What a file may unpack to; more is refused while it is unpacked."""
MOST_FAULTS = 100_000
"""Faulty rows after which a file is read no further, so that a bomb of them takes no hour."""
LONGEST_ROW = 2**20


def header(path: Path) -> Header:
    """What a CSV file says of itself: its columns, and by a column of times its rate and start.

    Raises
    ------
    RecordingError
        If its first row names no columns, or its times are not those of one rate.
    """
    names, _ = _first_row(path)
    times = [place for place, name in enumerate(names) if name.casefold() in TIME_COLUMNS]
    hz, start_s = _clock(path, signal(path, names, times[0])) if len(times) == 1 else (None, None)
    return Header(names, ("",) * len(names), (hz,) * len(names), start_s)


def _clock(path: Path, times_s: NDArray[np.float64]) -> tuple[float, float]:
    """Rate and start of regular times; a rounded time may be up to half a sample off."""
    with np.errstate(over="ignore"):
        lasted_s = float(times_s[-1] - times_s[0])
    if not 0 < lasted_s < math.inf:
        detail = f"{len(times_s)} times from {times_s[0]:g} s to {times_s[-1]:g} s"
        raise refused("times that do not go on", path, detail, "correct the column of times")
    step_s = lasted_s / (len(times_s) - 1)
    late_s = times_s - (times_s[0] + step_s * np.arange(len(times_s)))
    if abs(late_s).max() > step_s / 2 * (1 + 1e-6):
        steps_s = np.diff(times_s)
        row = int(abs(steps_s - step_s).argmax()) + 2
        detail = f"steps of {step_s:.6g} s on average, but {steps_s[row - 2]:.6g} s after row {row}"
        remedy = f"write every sample at one rate, without gaps, or {EXCLUDE}"
        raise refused("times that are not of one sampling frequency", path, detail, remedy)
    # To a millionth of a hertz: what is beyond comes of rounded times.
    return max(round(1 / step_s, 6), 1e-6), float(times_s[0])


def _first_row(path: Path) -> tuple[tuple[str, ...], str]:
    """The names in a CSV file's first row, and what separates them."""
    with path.open("rb") as file:
        row = file.readline(LONGEST_ROW).decode(errors="replace").removeprefix("\ufeff").strip()
    delimiter = max(DELIMITERS, key=row.count)
    names = tuple(name.strip().strip('"') for name in row.split(delimiter))
    odd = [name for name in names if not name or _is_finite(name)]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if odd or twice:
        remedy = "name each column once in the first row, separated by comma, semicolon or tab"
        detail = f"its first row is {row!r:.100}"
        raise refused("CSV file whose columns have no names", path, detail, remedy)
    return names, delimiter


def signal(path: Path, columns: Sequence[str], column: int) -> NDArray[np.float64]:
    """The column at place ``column`` of ``columns``, in its own unit, shape (samples,).

    Raises
    ------
    RecordingError
        If the file is no whole gzip, has no samples or too many, a row has another number
        of columns, or a cell of the column is no finite number.
    """
    # Arrow refuses what pandas' equally fast parser lets pass: ragged rows and empty cells.
    import pyarrow as pa
    from pyarrow import csv

    # Columns get Arrow names by place: the sidecar's might be the same twice.
    places = [str(place) for place in range(len(columns))]
    wanted = places[column]
    headed = path.suffix == ".csv"
    delimiter = _first_row(path)[1] if headed else "\t"
    parts: list[NDArray[np.float64]] = []
    try:
        rows = csv.open_csv(
            _Unpacked(path),
            read_options=csv.ReadOptions(
                column_names=places,
                use_threads=False,
                block_size=LONGEST_ROW,
                skip_rows=int(headed),
            ),
            parse_options=csv.ParseOptions(
                delimiter=delimiter, quote_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                include_columns=[wanted], column_types={wanted: pa.float64()}, null_values=[]
            ),
        )
        for batch in rows:
            parts.append(batch[wanted].to_numpy(zero_copy_only=False))
            if not np.isfinite(parts[-1]).all():
                raise RecordingError(f"{path}: {_faults(path, columns, column, delimiter)}")
            if sum(map(len, parts)) > MOST_SAMPLES:
                raise _too_much(path, f"more than {MOST_SAMPLES} samples")
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        raise RecordingError(f"{path}: {_faults(path, columns, column, delimiter)}") from None
    if not sum(map(len, parts)):
        raise RecordingError(f"{path}: {_faults(path, columns, column, delimiter)}")
    return np.concatenate(parts)


class _Unpacked:
    """A gzip file's content as a stream, with what is wrong with the file said in our words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        # Closed by `close`.
        self._file = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115
        self._read = 0

    def read(self, size: int = -1) -> bytes:
        return self._told(lambda: self._file.read(size))

    def lines(self) -> Iterator[bytes]:
        """Rows without their ends; of a row longer than `LONGEST_ROW`, its pieces."""
        while line := self._told(lambda: self._file.readline(LONGEST_ROW)):
            yield line.removesuffix(b"\n").removesuffix(b"\r")

    def close(self) -> None:
        self.closed = True
        self._file.close()

    def _told(self, reading: Callable[[], bytes]) -> bytes:
        try:
            data = reading()
        except EOFError:
            raise RecordingError(
                f"{self.path}: gzip ends early; copy it again from its source"
            ) from None
        except (OSError, zlib.error) as error:
            raise RecordingError(
                f"{self.path}: no readable gzip ({error}); compress it again"
            ) from None
        self._read += len(data)
        if self._read > MOST_BYTES:
            raise _too_much(self.path, f"more than {MOST_BYTES >> 20} MiB")
        return data


def _too_much(path: Path, what: str) -> RecordingError:
    return RecordingError(
        f"{path}: unpacks to {what}, which is no recording of one film; write it again, "
        f"or {EXCLUDE}"
    )


def _faults(path: Path, columns: Sequence[str], column: int, delimiter: str) -> str:
    """What is wrong with an ECG's rows, in words; slow, and called only when something is."""
    # Of each kind the first few and their number: a file may have millions.
    shown: dict[str, list[str]] = {"ragged": [], "odd": []}
    count = Counter[str]()
    headed = path.suffix == ".csv"
    rows = 0
    for rows, line in enumerate(_Unpacked(path).lines(), start=1):
        cells = line.decode(errors="replace").split(delimiter)
        if rows == 1 and headed:
            continue
        if len(cells) != len(columns):
            kind, words = "ragged", f"row {rows} has {len(cells)}"
        elif not _is_finite(cells[column]):
            kind, words = "odd", f"row {rows} {cells[column][:40]!r}"
        else:
            continue
        count[kind] += 1
        if count[kind] <= EXAMPLES:
            shown[kind].append(words)
        if count.total() == MOST_FAULTS:
            break
    places = {
        kind: ", ".join(few) + (f" and {more} more" if (more := count[kind] - EXAMPLES) > 0 else "")
        for kind, few in shown.items()
    }
    faults = []
    least = "at least " if count.total() == MOST_FAULTS else ""
    if rows <= headed:
        return f"no samples; {EXCLUDE}"
    if count["ragged"]:
        source, remedy = ("first row", "rows") if headed else ("sidecar", "file or Columns")
        faults.append(
            f"{least}{count['ragged']} rows have another number of columns than the "
            f"{len(columns)} that the {source} names ({places['ragged']}); correct the {remedy}"
        )
    if count["odd"]:
        form = "with a decimal point" if headed else "the file has no header line"
        faults.append(
            f"{least}{count['odd']} samples are no numbers ({places['odd']}); correct them "
            f"({form}), or {EXCLUDE}"
        )
    return "; ".join(faults) or "not a table of numbers; write it again"


def _is_finite(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
