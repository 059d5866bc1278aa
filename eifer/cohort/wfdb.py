"""WFDB records (PhysioNet): a header ``.hea`` of text, and the ``.dat`` of samples beside it.

Source: WFDB Applications Guide, header(5) and signal(5). Read are single-segment records whose
signals are all in one file, in format 16, 24, 32, 80 or 212.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.header import Header, check_length, check_size, refused, signed

BITS = {"16": 16, "24": 24, "32": 32, "80": 8, "212": 12}
"""How many bits a sample has in each format. The lowest value stands for a missing sample."""
LARGEST_HEADER, LONGEST_LINE = 2**16, 255
"""In bytes; the length of a line is WFDB's own limit."""
_RECORD = re.compile(
    r"[^\s/]+[ \t]+(?P<signals>\d+)[ \t]+(?P<hz>[^\s/]+)(?:/\S+)?(?:[ \t]+(?P<samples>\d+).*)?"
)
_SIGNAL = re.compile(
    r"(?P<file>\S+)[ \t]+(?P<format>\d+)(?:x(?P<each>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<at>\d+))?"
    r"(?:[ \t]+(?P<gain>[^\s(/]+)(?:\((?P<baseline>-?\d+)\))?(?:/(?P<unit>\S+))?"
    r"(?:[ \t]+\d+(?:[ \t]+(?P<zero>-?\d+)(?:[ \t]+(?P<first>-?\d+)(?:[ \t]+(?P<checksum>-?\d+)"
    r"(?:[ \t]+\d+(?:[ \t]+(?P<name>.+))?)?)?)?)?)?)?"
)
_CONVERT = "convert it by WFDB's xform, or export it as EDF"


@dataclass(frozen=True)
class _Signal:
    name: str
    gain: float
    baseline: int
    unit: str
    each: int
    checksum: int | None


@dataclass(frozen=True)
class _Record:
    """``frames`` of one sample a signal (or as many as its ``each``), from byte ``at`` on."""

    signals: tuple[_Signal, ...]
    hz: float
    frames: int
    format: str
    at: int


def data_file(path: Path) -> Path:
    """Where the samples of the header at ``path`` are."""
    return path.with_suffix(".dat")


def header(path: Path) -> Header:
    """What the header file at ``path`` says of its signals.

    Raises
    ------
    RecordingError
        If it is no WFDB header, of a kind that is not read, or of another size than its file.
    """
    record = _record(path)
    return Header(
        channels=tuple(signal.name for signal in record.signals),
        units=tuple(signal.unit for signal in record.signals),
        hz=tuple(record.hz * signal.each for signal in record.signals),
    )


def signal(path: Path, channel: int) -> NDArray[np.float64]:
    """A signal in its physical unit, shape (samples,).

    Raises
    ------
    RecordingError
        As `header`, or if it has no gain, misses samples or differs from its checksum.
    """
    record = _record(path)
    wanted = record.signals[channel]
    if not (math.isfinite(wanted.gain) and wanted.gain > 0):
        raise refused(
            "WFDB signal without a gain",
            path,
            f"{wanted.name!r} has {wanted.gain:g}",
            "state how many steps a unit has: 200/mV, for instance",
        )
    each = [one.each for one in record.signals]
    check_length(path, record.frames * max(each))
    stored = np.fromfile(data_file(path), np.uint8, offset=record.at)
    samples = _unpacked(stored, record.format)[: record.frames * sum(each)]
    start = list(accumulate(each, initial=0))[channel]
    values = samples.reshape(record.frames, -1)[:, start : start + wanted.each].ravel()
    missing = int((values == -(2 ** (BITS[record.format] - 1))).sum())
    if missing:
        detail = f"{missing} of {len(values)} samples of {wanted.name!r}"
        raise refused("WFDB samples marked as missing", path, detail, "cut them off")
    if wanted.checksum is not None and (int(values.sum()) - wanted.checksum) % 2**16:
        detail = f"{wanted.name!r} adds up to {int(values.sum()) % 2**16}"
        remedy = "copy .hea and .dat again: they do not belong together, or are damaged"
        raise refused("WFDB samples that contradict their checksum", path, detail, remedy)
    return (values - wanted.baseline) / wanted.gain


def _record(path: Path) -> _Record:
    with path.open("rb") as file:
        text = file.read(LARGEST_HEADER).decode("latin-1")
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    short = bool(lines) and max(map(len, lines)) <= LONGEST_LINE
    first = _RECORD.fullmatch(lines[0]) if short else None
    hz = _number(first["hz"]) if first else math.nan
    if first is None or not 0 < hz < math.inf:
        detail = f"its first line is {lines[0] if lines else ''!r:.60}"
        raise refused("no header of a WFDB record of one segment", path, detail, _CONVERT)
    found = [_SIGNAL.fullmatch(line) for line in lines[1:]]
    if len(found) != int(first["signals"]) or not found or None in found:
        detail = f"{first['signals']} signals, {len(found) - found.count(None)} lines of signals"
        raise refused("WFDB header that contradicts itself", path, detail, _CONVERT)
    rows = [row for row in found if row is not None]
    data = data_file(path)
    for row in rows:
        if row["file"] != data.name:
            remedy = f"name {data.name} in it: the samples lie beside it under its name"
            raise refused("WFDB header that names another file", path, row["file"], remedy)
        if row["format"] not in BITS or row["skew"] or not int(row["each"] or 1):
            remedy = f"only formats {', '.join(BITS)} without skew are read; {_CONVERT}"
            raise refused("WFDB format that is not read", path, row.group()[:60], remedy)
    if len({(row["format"], row["at"]) for row in rows}) > 1:
        raise refused("WFDB signals of several formats in one file", path, data.name, _CONVERT)
    signals = tuple(_signal(row, place) for place, row in enumerate(rows))
    kind, at = rows[0]["format"], int(rows[0]["at"] or 0)
    frame = sum(signal.each for signal in signals)
    frames = int(first["samples"] or 0) or (data.stat().st_size - at) * 8 // (BITS[kind] * frame)
    if frames < 1:
        raise refused("WFDB record without samples", path, data.name, "export it again")
    size = math.ceil(frames * frame * BITS[kind] / 8)
    # A last, single sample of format 212 has 2 bytes, or is filled up to 3.
    check_size(data, at=at, declared=range(size, size + 1 + (kind == "212" and size % 3 > 0)))
    return _Record(signals, hz, frames, kind, at)


def _signal(row: re.Match[str], place: int) -> _Signal:
    return _Signal(
        name=(row["name"] or f"signal {place}").strip(),
        gain=_number(row["gain"] or "0"),
        baseline=int(row["baseline"] or row["zero"] or 0),
        unit=row["unit"] or "mV",
        each=int(row["each"] or 1),
        checksum=None if row["checksum"] is None else int(row["checksum"]),
    )


def _unpacked(stored: NDArray[np.uint8], kind: str) -> NDArray[np.int64]:
    """The samples of all signals in the order in which they are stored."""
    if kind == "80":
        return stored.astype(np.int64) - 128
    if kind == "212":
        # Two samples in three bytes; the middle one has the four high bits of both.
        low, middle, high = np.pad(stored, (0, -len(stored) % 3)).astype(np.int64).reshape(-1, 3).T
        pairs = np.stack([low | (middle & 0x0F) << 8, high | (middle & 0xF0) << 4], axis=1).ravel()
        return np.where(pairs < 2**11, pairs, pairs - 2**12)
    width = BITS[kind] // 8
    return signed(stored[: len(stored) // width * width].reshape(-1, width))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan
