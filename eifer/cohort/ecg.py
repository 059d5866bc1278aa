"""ECG files, and the sidecars that say how to read them."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.folder import EXCLUDE, Folder
from eifer.errors import InputError, RecordingError, did_you_mean, examples

ECG_COLUMNS = ("cardiac", "ecg")
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
        if type(value) in (int, float) and low < value < np.inf:
            return float(value)
        hint = "" if field in content else did_you_mean(field, content)
        shown = f"{value!r}" if field in content else "missing"
        folder.note(f"sidecar without {field}", f"{where}: {shown}{hint}", remedy)
        return 0.0

    hz = number("SamplingFrequency", 0, "state the ECG's samples per second, above 0")
    start_s = number("StartTime", -np.inf, "state the first sample's time in seconds, often 0")
    columns = content.get("Columns")
    names: tuple[str, ...] = ()
    places: list[int] = []
    if isinstance(columns, list) and columns and all(isinstance(c, str) for c in columns):
        names = tuple(columns)
        places = [i for i, column in enumerate(names) if column.casefold() in ECG_COLUMNS]
        if len(places) != 1:
            folder.note(
                "sidecar without one ECG column",
                f"{where}: Columns {columns}",
                "name the ECG's column, and no other, 'cardiac'",
            )
    else:
        hint = "" if "Columns" in content else did_you_mean("Columns", content)
        shown = f"{columns!r}" if "Columns" in content else "missing"
        folder.note(
            "sidecar without Columns",
            f"{where}: {shown}{hint}",
            "list the names of the file's columns, the ECG's as 'cardiac'",
        )
    unit = None
    if len(places) == 1:
        described = content.get(names[places[0]])
        unit = described.get("Units") if isinstance(described, dict) else None
        if unit not in MV_PER_UNIT:
            folder.note(
                "ECG without a unit of voltage",
                f"{where}: {names[places[0]]} Units {unit!r}",
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

    Raises
    ------
    RecordingError
        If the file is no whole gzip, has no samples, a row has another number of
        columns than the sidecar names, or an ECG cell is no finite number.
    """
    # Arrow refuses what pandas' equally fast parser lets pass: ragged rows and empty cells.
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    try:
        data = gzip.decompress(path.read_bytes())
    except EOFError:
        raise RecordingError(f"{path}: gzip ends early; copy it again from its source") from None
    except (OSError, zlib.error) as error:
        raise RecordingError(f"{path}: no readable gzip ({error}); compress it again") from None
    if not data.strip():
        raise RecordingError(f"{path}: no samples; {EXCLUDE}")
    # Columns get Arrow names by place: the sidecar's might be the same twice.
    places = [str(place) for place in range(len(sidecar.columns))]
    wanted = places[sidecar.column]
    try:
        column = csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(column_names=places, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                include_columns=[wanted], column_types={wanted: pa.float64()}, null_values=[]
            ),
        )[wanted]
    except pa.ArrowInvalid:
        column = None
    if column is None or column.null_count or not pc.all(pc.is_finite(column)).as_py():
        raise RecordingError(f"{path}: {_faults(data, sidecar)}")
    signal: NDArray[np.float64] = column.to_numpy()
    return signal * sidecar.mv_per_unit


def _faults(data: bytes, sidecar: EcgSidecar) -> str:
    """What is wrong with an ECG's rows, in words; slow, and called only when something is."""
    ragged, odd = [], []
    lines = data.decode(errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        cells = line.removesuffix("\r").split("\t")
        if len(cells) != len(sidecar.columns):
            ragged.append(f"row {number} has {len(cells)}")
        elif not _is_finite(cells[sidecar.column]):
            odd.append(f"row {number} {cells[sidecar.column][:40]!r}")
    said = []
    if ragged:
        said.append(
            f"{len(ragged)} rows have another number of columns than the {len(sidecar.columns)} "
            f"that the sidecar names ({examples(ragged)}); correct the file or Columns"
        )
    if odd:
        said.append(
            f"{len(odd)} samples are no numbers ({examples(odd)}); correct them (the file has "
            f"no header line), or {EXCLUDE}"
        )
    return "; ".join(said) or "not a table of numbers; write it again"


def _is_finite(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
