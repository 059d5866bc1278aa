"""ECG files of every format that is read, and the sidecars that say what a file does not."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eifer.cohort import delimited, edf, wfdb
from eifer.cohort.folder import EXCLUDE, Folder
from eifer.cohort.header import Header
from eifer.errors import InputError, Problem, RecordingError, did_you_mean
from eifer.hashing import sha256_file

ECG_NAME = re.compile(r"cardiac|e[ck]g([^a-z].*)?|i{1,3}|av[rlf]|v[1-6]|ml(i{1,3}|v[1-6])", re.I)
"""What an ECG's channel is called: cardiac, ECG or EKG (and what follows), or as its lead."""
MV_PER_UNIT = {"mV": 1.0, "uV": 1e-3, "\u00b5V": 1e-3, "\u03bcV": 1e-3, "V": 1e3}
SAME_HZ = 1e-3
"""How far a sidecar's sampling frequency may be from the file's own, as a share of it."""


@dataclass(frozen=True)
class EcgSidecar:
    """How an ECG file is to be read.

    ``column`` is the ECG's place in ``columns``; ``hz`` the sampling frequency,
    ``start_s`` the first sample's time from the start of the run. ``minus`` is the place of what
    is subtracted from it, where the ECG is the difference of two electrodes.
    """

    columns: tuple[str, ...]
    column: int
    hz: float
    start_s: float
    mv_per_unit: float
    minus: int | None = None


@dataclass(frozen=True)
class Format:
    """How the files of one extension are read.

    ``signal`` reads the channel at a place among the columns. ``header`` is None where the
    sidecar says all; ``samples`` is the extension of the file that has the samples, where that
    is another.
    """

    signal: Callable[[Path, tuple[str, ...], int], NDArray[np.float64]]
    header: Callable[[Path], Header] | None
    samples: str | None = None


FORMATS = {
    "tsv.gz": Format(delimited.signal, None),
    "csv": Format(delimited.signal, delimited.header),
    "edf": Format(lambda path, _, place: edf.signal(path, place), edf.header),
    "bdf": Format(lambda path, _, place: edf.signal(path, place), edf.header),
    "hea": Format(lambda path, _, place: wfdb.signal(path, place), wfdb.header, samples="dat"),
}


def ecg_files(ecg: str) -> tuple[str, ...]:
    """The names of all files that the ECG of this name consists of."""
    samples = _format(ecg).samples
    return (ecg,) if samples is None else (ecg, str(PurePosixPath(ecg).with_suffix(f".{samples}")))


def ecg_sha256(path: Path) -> str:
    """The SHA-256 of an ECG: its file's, or of the hashes of all its files one after another."""
    hashes = [sha256_file(path.with_name(name)) for name in ecg_files(path.name)]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


class Sidecars:
    """What the sidecars in a folder say; a fault in one is noted once, whatever it describes."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._known: dict[tuple[str, ...], EcgSidecar | None] = {}

    def of(self, ecg: str) -> EcgSidecar | None:
        """How the ECG at ``ecg`` is to be read; None where a fault keeps that unknown."""
        chain = self.folder.inherited(ecg)
        if not chain:
            self.folder.note(
                "ECG without a sidecar",
                ecg,
                "add task-elicitation_recording-ecg_physio.json beside participants.tsv",
            )
            return None
        # What only sidecars say is the same of all files that they describe.
        key = chain if _format(ecg).header is None else (*chain, ecg)
        if key not in self._known:
            objects = [self.folder.object(name) for name in chain]
            merged: dict[str, Any] = {}
            for content in objects:
                merged |= content or {}
            # An unreadable sidecar is noted by itself; what it lacks would only be an echo.
            self._known[key] = None if None in objects else self._read(ecg, chain, merged)
        return self._known[key]

    def _read(
        self, ecg: str, chain: Sequence[str], content: Mapping[str, Any]
    ) -> EcgSidecar | None:
        read = _format(ecg).header
        if read is None:
            return _parsed(self.folder, " + ".join(chain), content, None)
        if not all([self.folder.usable(name) for name in ecg_files(ecg)]):
            return None
        try:
            header = read(self.folder.root / ecg)
        except RecordingError as error:
            problem = error.problem or Problem("recording cannot be read", str(error), EXCLUDE)
            self.folder.problems.append(problem)
            return None
        return _parsed(self.folder, " + ".join((*chain, ecg)), content, header)


def _format(ecg: str) -> Format:
    return FORMATS[PurePosixPath(ecg).name.split(".", maxsplit=1)[1]]


def _parsed(
    folder: Folder, where: str, content: Mapping[str, Any], header: Header | None
) -> EcgSidecar | None:
    """What a sidecar says, and the file's own ``header``, which it must not contradict."""
    before = len(folder.problems)

    def contradiction(field: str, stated: object, own: object) -> None:
        folder.note(
            "sidecar that contradicts its ECG file",
            f"{where}: {field} {stated!s:.200}, in the file {own!s:.200}",
            f"find out which is right, and take {field} out of the sidecar or correct the file",
        )

    def number(
        field: str, low: float, remedy: str, own: float | None = None, slack: float = 0
    ) -> float:
        if own is not None and field not in content:
            return own
        value: Any = content.get(field)
        try:
            known = float(value) if type(value) in (int, float) else math.nan
        except OverflowError:  # an integer of hundreds of digits
            known = math.inf
        if low < known < math.inf:
            if own is not None and abs(known - own) > slack:
                contradiction(field, f"{known:g}", f"{own:g}")
            return known if own is None else own
        hint = "" if field in content else did_you_mean(field, content)
        shown = f"{value!r:.40}" if field in content else "missing"
        folder.note(f"sidecar without {field}", f"{where}: {shown}{hint}", remedy)
        return 0.0

    if header is None:
        names = _columns(folder, where, content)
    else:
        names = header.channels
        if content.get("Columns", list(names)) != list(names):
            contradiction("Columns", content["Columns"], list(names))
    places = _places(folder, where, content, names) if names else []
    rates = [header.hz[place] for place in places] if header else []
    own_hz = rates[0] if rates else None
    frequency = "state the ECG's samples per second, above 0"
    hz = number("SamplingFrequency", 0, frequency, own_hz, SAME_HZ * (own_hz or 0))
    start = "state the first sample's time in seconds, often 0"
    own_start_s = header.start_s if header else None
    start_s = number("StartTime", -math.inf, start, own_start_s, 1 / (own_hz or 1))
    factors = []
    for place in places:
        described = content.get(names[place])
        stated = described.get("Units") if isinstance(described, dict) else None
        own = header.units[place] if header else ""
        # A unit that the file has in another spelling ("microV") gives way to the sidecar's.
        unit = own if own in MV_PER_UNIT else stated or own or None
        if not isinstance(unit, str) or unit not in MV_PER_UNIT:
            folder.note(
                "ECG without a unit of voltage",
                f"{where}: {names[place]} Units {unit!r:.40}",
                f"state the column's Units as one of {', '.join(MV_PER_UNIT)}",
            )
            continue
        if own in MV_PER_UNIT and stated and MV_PER_UNIT.get(str(stated)) != MV_PER_UNIT[own]:
            contradiction(f"Units of {names[place]}", stated, own)
        factors.append(MV_PER_UNIT[unit])
    if len(set(rates)) > 1 or len(set(factors)) > 1:
        folder.note(
            "Channel of two rates or units",
            f"{where}: Channel {content['Channel']}",
            "name two electrodes that were recorded alike",
        )
    if len(folder.problems) > before:
        return None
    minus = places[1] if len(places) > 1 else None
    return EcgSidecar(names, places[0], hz, start_s, factors[0], minus)


def _columns(folder: Folder, where: str, content: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of a file's columns by its sidecar; none where that is noted as a fault."""
    columns = content.get("Columns")
    if isinstance(columns, list) and columns and all(isinstance(c, str) for c in columns):
        return tuple(columns)
    hint = "" if "Columns" in content else did_you_mean("Columns", content)
    shown = f"{columns!r:.40}" if "Columns" in content else "missing"
    folder.note(
        "sidecar without Columns",
        f"{where}: {shown}{hint}",
        "list the names of the file's columns, the ECG's as 'cardiac'",
    )
    return ()


def _places(
    folder: Folder, where: str, content: Mapping[str, Any], names: Sequence[str]
) -> list[int]:
    """The ECG's place, and that of what is subtracted from it; none: noted as a fault."""
    channel = content.get("Channel")
    if channel is None:
        places = [k for k, name in enumerate(names) if ECG_NAME.fullmatch(name.strip())]
        if len(places) == 1:
            return places
        folder.note(
            "recording without one ECG channel",
            f"{where}: {len(places)} of {', '.join(names)} by their names",
            "name the ECG's as Channel in the sidecar, or the two of which it is the difference: "
            '["EXG3", "EXG1"]',
        )
        return []
    wanted = channel if isinstance(channel, list) else [channel]
    places = [k for one in wanted for k, name in enumerate(names) if name == one]
    if len(places) == len(wanted) == len(set(places)) and len(places) in (1, 2):
        return places
    folder.note(
        "Channel that is not one of the recording's",
        f"{where}: Channel {channel!s:.100}, there are {', '.join(names)}",
        "name one of them, or two: the ECG is then the first less the second",
    )
    return []


def ecg_sidecar(root: Path, ecg_path: str) -> EcgSidecar:
    """How the ECG at ``ecg_path`` (posix, relative to ``root``) is to be read.

    BIDS inheritance: sidecars in the cohort's folder, the participant's and the
    file's own apply in this order, fields of a later one winning. What the file says itself
    (rate, channels, units) need not be in them, and must not be contradicted.

    Raises
    ------
    InputError
        If no sidecar applies; SamplingFrequency, StartTime, Columns, the ECG
        column or its unit are missing or make no sense; or the file's own header does.
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
        If the file is damaged, has no samples or too many, or a sample is no finite number.
    """
    read = _format(path.name).signal
    signal = read(path, sidecar.columns, sidecar.column)
    if sidecar.minus is not None:
        signal = signal - read(path, sidecar.columns, sidecar.minus)
    return signal * sidecar.mv_per_unit
