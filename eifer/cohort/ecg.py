"""ECG files, and the sidecars that say how to read them."""

from __future__ import annotations

import gzip
import math
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.folder import EXCLUDE, Folder
from eifer.errors import EXAMPLES, InputError, RecordingError, did_you_mean

ECG_COLUMNS = ("cardiac", "ecg")
MOST_SAMPLES = 2**25
"""An hour at 10 kHz, 37 hours at 250 Hz: 256 MiB in memory. A file with more is no run's ECG."""
MOST_BYTES = 2**30
"""What a file may unpack to; more is refused while it is unpacked."""
LONGEST_ROW = 2**20
MV_PER_UNIT = {"mV": 1.0, "uV": 1e-3, "\u00b5V": 1e-3, "\u03bcV": 1e-3, "V": 1e3}


@dataclass(frozen=True)
class EcgSidecar:
    """How an ECG file is to be read.

    ``column`` is the ECG's place in ``columns``; ``hz`` the sampling frequency,
    ``start_s`` the first sample's time from the start of the run.
    """

    columns: tuple[str, ...]
    column: int
    hz: float
    start_s: float
    mv_per_unit: float


class Sidecars:
    """What the sidecars in a folder say; a fault in one is noted once, whatever it describes."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._known: dict[tuple[str, ...], EcgSidecar | None] = {}

    def of(self, ecg: str) -> EcgSidecar | None:
        """What the sidecars of the ECG at ``ecg`` say; None where that is noted as a fault."""
        chain = self.folder.inherited(ecg)
        if not chain:
            self.folder.note(
                "ECG without a sidecar",
                ecg,
                "add task-elicitation_recording-ecg_physio.json beside participants.tsv",
            )
            return None
        if chain not in self._known:
            objects = [self.folder.object(name) for name in chain]
            merged: dict[str, Any] = {}
            for content in objects:
                merged |= content or {}
            # An unreadable sidecar is noted by itself; what it lacks would only be an echo.
            self._known[chain] = None if None in objects else _parsed(self.folder, chain, merged)
        return self._known[chain]


def _parsed(folder: Folder, chain: Sequence[str], content: Mapping[str, Any]) -> EcgSidecar | None:
    where = " + ".join(chain)
    before = len(folder.problems)

    def number(field: str, low: float, remedy: str) -> float:
        value: Any = content.get(field)
        try:
            known = float(value) if type(value) in (int, float) else math.nan
        except OverflowError:  # an integer of hundreds of digits
            known = math.inf
        if low < known < math.inf:
            return known
        hint = "" if field in content else did_you_mean(field, content)
        shown = f"{value!r:.40}" if field in content else "missing"
        folder.note(f"sidecar without {field}", f"{where}: {shown}{hint}", remedy)
        return 0.0

    hz = number("SamplingFrequency", 0, "state the ECG's samples per second, above 0")
    start_s = number("StartTime", -math.inf, "state the first sample's time in seconds, often 0")
    columns = content.get("Columns")
    names: tuple[str, ...] = ()
    places: list[int] = []
    if isinstance(columns, list) and columns and all(isinstance(c, str) for c in columns):
        names = tuple(columns)
        places = [i for i, column in enumerate(names) if column.casefold() in ECG_COLUMNS]
        if len(places) != 1:
            folder.note(
                "sidecar without one ECG column",
                f"{where}: Columns {columns!s:.200}",
                "name the ECG's column, and no other, 'cardiac'",
            )
    else:
        hint = "" if "Columns" in content else did_you_mean("Columns", content)
        shown = f"{columns!r:.40}" if "Columns" in content else "missing"
        folder.note(
            "sidecar without Columns",
            f"{where}: {shown}{hint}",
            "list the names of the file's columns, the ECG's as 'cardiac'",
        )
    unit = None
    if len(places) == 1:
        described = content.get(names[places[0]])
        unit = described.get("Units") if isinstance(described, dict) else None
        if not isinstance(unit, str) or unit not in MV_PER_UNIT:
            folder.note(
                "ECG without a unit of voltage",
                f"{where}: {names[places[0]]} Units {unit!r:.40}",
                f"state the column's Units as one of {', '.join(MV_PER_UNIT)}",
            )
    if len(folder.problems) > before:
        return None
    return EcgSidecar(names, places[0], hz, start_s, MV_PER_UNIT[str(unit)])


def ecg_sidecar(root: Path, ecg_path: str) -> EcgSidecar:
    """What the sidecars say of the ECG at ``ecg_path`` (posix, relative to ``root``).

    BIDS inheritance: sidecars in the cohort's folder, the participant's and the
    file's own apply in this order, fields of a later one winning.

    Raises
    ------
    InputError
        If no sidecar applies, or SamplingFrequency, StartTime, Columns, the ECG
        column or its unit are missing or make no sense.
    """
    folder = Folder(root)
    sidecar = Sidecars(folder).of(ecg_path) if folder.usable(ecg_path) else None
    if sidecar is None or folder.problems:
        raise InputError(f"ECG {ecg_path}", folder.problems)
    return sidecar


def read_ecg(path: Path, sidecar: EcgSidecar) -> NDArray[np.float64]:
    """The ECG of one file, in mV, shape (samples,).

    The file is unpacked and parsed a piece at a time, so that one made to unpack without
    end costs no more memory than `MOST_SAMPLES`.

    Raises
    ------
    RecordingError
        If the file is no whole gzip, has no samples or too many, a row has another number
        of columns than the sidecar names, or an ECG cell is no finite number.
    """
    # Arrow refuses what pandas' equally fast parser lets pass: ragged rows and empty cells.
    import pyarrow as pa
    from pyarrow import csv

    # Columns get Arrow names by place: the sidecar's might be the same twice.
    places = [str(place) for place in range(len(sidecar.columns))]
    wanted = places[sidecar.column]
    parts: list[NDArray[np.float64]] = []
    try:
        rows = csv.open_csv(
            _Unpacked(path),
            read_options=csv.ReadOptions(
                column_names=places, use_threads=False, block_size=LONGEST_ROW
            ),
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                include_columns=[wanted], column_types={wanted: pa.float64()}, null_values=[]
            ),
        )
        for batch in rows:
            parts.append(batch[wanted].to_numpy(zero_copy_only=False))
            if not np.isfinite(parts[-1]).all():
                raise RecordingError(f"{path}: {_faults(path, sidecar)}")
            if sum(map(len, parts)) > MOST_SAMPLES:
                raise _too_much(path, f"more than {MOST_SAMPLES} samples")
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        raise RecordingError(f"{path}: {_faults(path, sidecar)}") from None
    return np.concatenate(parts) * sidecar.mv_per_unit


class _Unpacked:
    """A gzip file's content as a stream, with what is wrong with the file said in our words."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.closed = False
        self._file = gzip.open(path)  # noqa: SIM115 - closed by `close`
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


def _faults(path: Path, sidecar: EcgSidecar) -> str:
    """What is wrong with an ECG's rows, in words; slow, and called only when something is."""
    # Of each kind the first few and their number: a file may have millions.
    shown: dict[str, list[str]] = {"ragged": [], "odd": []}
    count = Counter[str]()
    rows = 0
    for rows, line in enumerate(_Unpacked(path).lines(), start=1):
        cells = line.decode(errors="replace").split("\t")
        if len(cells) != len(sidecar.columns):
            kind, words = "ragged", f"row {rows} has {len(cells)}"
        elif not _is_finite(cells[sidecar.column]):
            kind, words = "odd", f"row {rows} {cells[sidecar.column][:40]!r}"
        else:
            continue
        count[kind] += 1
        if count[kind] <= EXAMPLES:
            shown[kind].append(words)
    places = {
        kind: ", ".join(few) + (f" and {more} more" if (more := count[kind] - EXAMPLES) > 0 else "")
        for kind, few in shown.items()
    }
    faults = []
    if rows == 0:
        return f"no samples; {EXCLUDE}"
    if count["ragged"]:
        faults.append(
            f"{count['ragged']} rows have another number of columns than the "
            f"{len(sidecar.columns)} that the sidecar names ({places['ragged']}); correct the "
            "file or Columns"
        )
    if count["odd"]:
        faults.append(
            f"{count['odd']} samples are no numbers ({places['odd']}); correct them (the file has "
            f"no header line), or {EXCLUDE}"
        )
    return "; ".join(faults) or "not a table of numbers; write it again"


def _is_finite(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
