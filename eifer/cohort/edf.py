"""EDF and BDF files (also EDF+C and BDF+C): what their headers say, and one channel of them.

The header is 256 bytes of fixed fields and 256 for each channel; then records follow, each of
which has every channel's samples of its seconds one after another, as little-endian integers of 2
bytes (EDF) or 3 (BDF). Sources: Kemp et al. 1992 and 2003 (edfplus.info/specs), and BioSemi's
description of BDF. Only the channel that is asked for is read, and nothing is repaired.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.header import Header, check_length, check_size, refused, signed

VERSIONS = {b"0       ": 2, b"\xffBIOSEMI": 3}
"""The first eight bytes, and how many a sample has."""
_WIDTHS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "filter": 80,
    "samples": 8,
    "reserved": 32,
}
_EXPORT = "export it again as a continuous EDF or BDF file"


@dataclass(frozen=True)
class _Layout:
    """Where the samples are: ``bytes`` is a sample's width, ``samples`` a record's by channel."""

    bytes: int
    at: int
    records: int
    seconds: float
    fields: dict[str, list[str]]
    samples: tuple[int, ...]


def header(path: Path) -> Header:
    """What the file at ``path`` says of its channels.

    Raises
    ------
    RecordingError
        If it is no EDF or BDF, discontinuous, unfinished, or of another size than it declares.
    """
    layout = _layout(path)
    return Header(
        channels=tuple(layout.fields["label"]),
        units=tuple(layout.fields["unit"]),
        hz=tuple(count / layout.seconds for count in layout.samples),
    )


def digital(path: Path, channel: int) -> NDArray[np.int64]:
    """A channel's samples as they were stored, shape (samples,).

    Raises
    ------
    RecordingError
        As `header`, or if there are too many.
    """
    layout = _layout(path)
    width, count = layout.bytes, layout.samples[channel]
    check_length(path, count * layout.records)
    start = width * list(accumulate(layout.samples, initial=0))[channel]
    shape = (layout.records, width * sum(layout.samples))
    records = np.memmap(path, np.uint8, "r", offset=layout.at, shape=shape)
    return signed(records[:, start : start + width * count].reshape(-1, width))


def signal(path: Path, channel: int) -> NDArray[np.float64]:
    """A channel in its physical unit, shape (samples,).

    Raises
    ------
    RecordingError
        As `digital`, or if the channel's ranges make no scale.
    """
    fields = _layout(path).fields
    ends = ("physical_min", "physical_max", "digital_min", "digital_max")
    low, high, first, last = (_number(path, name, fields[name][channel]) for name in ends)
    if low == high or first >= last:
        raise refused(
            "ECG channel without a scale",
            path,
            f"{fields['label'][channel]!r} has {low:g} to {high:g} for {first:g} to {last:g}",
            "correct physical and digital minimum and maximum in its header",
        )
    gain = (high - low) / (last - first)
    return np.asarray(low + (digital(path, channel) - first) * gain, dtype=np.float64)


def _layout(path: Path) -> _Layout:
    with path.open("rb") as file:
        fixed = file.read(256)
        width = VERSIONS.get(fixed[:8])
        if width is None or len(fixed) < 256:
            detail = f"it begins with {fixed[:8]!r}"
            raise refused("neither EDF nor BDF", path, detail, _EXPORT)
        at, records, count = (
            _whole(path, name, fixed[first:last])
            for name, first, last in (
                ("bytes in header", 184, 192),
                ("data records", 236, 244),
                ("signals", 252, 256),
            )
        )
        each = file.read(256 * max(count, 0))
    seconds = _number(path, "duration of a data record", _text(fixed[244:252]))
    if fixed[192:197] in (b"EDF+D", b"BDF+D"):
        raise refused("discontinuous EDF+", path, _text(fixed[192:197]), _EXPORT)
    if count < 1 or at != 256 * (count + 1) or len(each) < 256 * count:
        detail = f"{count} signals, header of {at} bytes"
        raise refused("EDF header that contradicts itself", path, detail, _EXPORT)
    if records < 1 or not seconds > 0:
        # -1 records: the recording program never closed the file.
        detail = f"{records} data records of {seconds:g} s"
        raise refused("EDF without a finished recording", path, detail, _EXPORT)
    fields: dict[str, list[str]] = {}
    start = 0
    for name, length in _WIDTHS.items():
        cells = [each[start + length * k : start + length * (k + 1)] for k in range(count)]
        fields[name] = [_text(cell) for cell in cells]
        start += length * count
    samples = tuple(_whole(path, "samples of a record", cell) for cell in fields["samples"])
    if min(samples) < 1 or not math.isfinite(max(samples) / seconds):
        detail = f"{min(samples)} to {max(samples)} samples in a record of {seconds:g} s"
        raise refused("EDF header that contradicts itself", path, detail, _EXPORT)
    size = records * width * sum(samples)
    check_size(path, at=at, declared=range(size, size + 1))
    return _Layout(width, at, records, seconds, fields, samples)


def _text(cell: bytes) -> str:
    return cell.decode("latin-1").strip(" \0")


def _number(path: Path, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise refused("EDF header without a number", path, f"{name} is {cell!r}", _EXPORT)
    return value


def _whole(path: Path, name: str, cell: bytes | str) -> int:
    value = _number(path, name, cell if isinstance(cell, str) else _text(cell))
    if value != int(value):
        raise refused("EDF header without a number", path, f"{name} is {value:g}", _EXPORT)
    return int(value)
