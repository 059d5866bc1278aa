"""ECG files in every format that is read, written from their specifications."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Channels = Mapping[str, NDArray[np.int64]]
"""Whole microvolts by the channel's name."""


def write_edf(
    path: Path, channels: Channels, hz: int, *, change: Mapping[str, str] | None = None
) -> None:
    """EDF or BDF by the path's extension, records of a second; ``change`` of header fields.

    Every channel of the changed field gets the new value.
    """
    width, limit = (3, 2**23) if path.suffix == ".bdf" else (2, 2**15)
    n, count = len(channels), len(next(iter(channels.values()))) // hz
    fixed = {
        "version": ("0", 8),
        "patient": ("X X X X", 80),
        "recording": ("Startdate X X X X", 80),
        "date": ("01.01.01", 8),
        "time": ("00.00.00", 8),
        "bytes": (str(256 * (n + 1)), 8),
        "reserved": ("24BIT" if width == 3 else "", 44),
        "records": (str(count), 8),
        "duration": ("1", 8),
        "signals": (str(n), 4),
    }
    signal = {
        "transducer": ("", 80),
        "unit": ("uV", 8),
        "physical_min": (str(-limit), 8),
        "physical_max": (str(limit - 1), 8),
        "digital_min": (str(-limit), 8),
        "digital_max": (str(limit - 1), 8),
        "filter": ("", 80),
        "samples": (str(hz), 8),
        "reserved_too": ("", 32),
    }
    changed = dict(change or {})
    text = "".join(changed.get(name, value).ljust(size) for name, (value, size) in fixed.items())
    text += "".join(name.ljust(16) for name in channels)
    for name, (value, size) in signal.items():
        text += changed.get(name, value).ljust(size) * n
    head = text.encode("latin-1")
    if width == 3:
        head = b"\xffBIOSEMI" + head[8:]
    stored = np.stack([values[: count * hz].reshape(count, hz) for values in channels.values()], 1)
    data = stored.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width]
    path.write_bytes(head + data.tobytes())


def packed(values: NDArray[np.int64], kind: str) -> bytes:
    """Samples in one of WFDB's formats."""
    if kind == "80":
        return (values + 128).astype(np.uint8).tobytes()
    if kind == "212":
        pairs = np.pad(values, (0, len(values) % 2)).reshape(-1, 2) & 0xFFF
        low, high = pairs[:, 0], pairs[:, 1]
        middle = (low >> 8) | ((high >> 8) << 4)
        return np.stack([low & 0xFF, middle, high & 0xFF], 1).astype(np.uint8).tobytes()
    return values.astype("<i4").reshape(-1, 1).view(np.uint8)[:, : int(kind) // 8].tobytes()


def write_wfdb(
    path: Path,
    channels: Channels,
    hz: int,
    *,
    kind: str = "16",
    gain: str = "1000(0)/mV",
    swap: Sequence[tuple[str, str]] = (),
) -> None:
    """A header and its samples; ``swap`` changes the header's text."""
    samples = np.stack(list(channels.values()), axis=1)
    dat = path.with_suffix(".dat")
    text = f"{path.stem} {len(channels)} {hz} {len(samples)}\n"
    for name, values in channels.items():
        checksum = (int(values.sum()) + 2**15) % 2**16 - 2**15
        text += f"{dat.name} {kind} {gain} 16 0 {values[0]} {checksum} 0 {name}\n"
    for old, new in swap:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    dat.write_bytes(packed(samples.ravel(), kind))


def write_csv(path: Path, columns: Mapping[str, Sequence[str]], delimiter: str = ",") -> None:
    """A header and a row a sample."""
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    path.write_text("".join(delimiter.join(row) + "\n" for row in rows))


def write_tsv(path: Path, values_uv: NDArray[np.int64]) -> None:
    """BIDS's own form: one column without a name, in mV."""
    text = "".join(f"{value / 1000:.3f}\n" for value in values_uv)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
