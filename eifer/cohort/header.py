"""What an ECG file says of itself, and how a file is refused that contradicts itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eifer.errors import Problem, RecordingError

MOST_SAMPLES = 2**25
"""An hour at 10 kHz, 37 hours at 250 Hz: 256 MiB in memory. A file with more is no run's ECG."""


@dataclass(frozen=True)
class Header:
    """The channels of an ECG file, each with its unit ("" where the file is silent) and its rate.

    ``hz`` is None of a file that knows no times; ``start_s`` the first sample's time from the
    start of the run, None where the file does not know when the film began.
    """

    channels: tuple[str, ...]
    units: tuple[str, ...]
    hz: tuple[float | None, ...]
    start_s: float | None = None


def refused(what: str, path: Path, detail: str, remedy: str) -> RecordingError:
    """The error of a file at fault, in words and in parts (`RecordingError.problem`)."""
    where = f"{path.name}: {detail}"
    error = RecordingError(f"{where}: {what}; {remedy}")
    error.problem = Problem(what, where, remedy)
    return error


def check_size(path: Path, *, at: int, declared: range) -> None:
    """Refuse a file of another size than its header declares (in bytes, from ``at`` on).

    Raises
    ------
    RecordingError
        Saying both sizes.
    """
    size = path.stat().st_size - at
    if size in declared:
        return
    what = "ECG file that ends early" if size < declared.start else "ECG file longer than declared"
    detail = f"{size} bytes of samples, its header declares {declared.start}"
    raise refused(what, path, detail, "copy it again from its source, or export it again")


def check_length(path: Path, samples: int) -> None:
    """Refuse a channel of more than `MOST_SAMPLES` samples.

    Raises
    ------
    RecordingError
        Saying how many there are.
    """
    if samples > MOST_SAMPLES:
        remedy = f"cut it to its film; {MOST_SAMPLES} are read at most"
        raise refused("ECG too long", path, f"{samples} samples", remedy)


def signed(stored: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Little-endian integers in two's complement: bytes ``[N, width]`` to values ``[N]``."""
    values = stored[:, -1].astype(np.int8).astype(np.int64)  # the sign is the highest byte's
    for place in range(stored.shape[1] - 2, -1, -1):
        values = (values << 8) | stored[:, place]
    return values
