"""The answer where there is none: no number, and why; and what is 0 but for the arithmetic."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

ROUND_OFF = 1e-12
"""A difference of ROC-AUC is a fraction whose denominator is 2 x positives x negatives x
repetitions: for ten thousand frames in ten repetitions 5e8. What is below 1e-12 is arithmetic."""


def negligible(value: npt.ArrayLike, of: npt.ArrayLike = 1.0) -> Any:
    """Whether ``value`` is 0 but for round-off: at most 1e-12, or 1e-12 of the largest of ``of``.

    The one rule by which every test here calls a difference, a spread or a standard error 0.
    """
    scale = max(1.0, float(np.max(np.abs(of), initial=0.0)))
    return np.abs(value) <= ROUND_OFF * scale


def not_estimable(kind: type[Any], reason: str, /, **known: object) -> Any:
    """A result of ``kind`` whose numbers are NaN, but for what is ``known`` all the same."""
    blank = {field.name: math.nan for field in fields(kind)}
    return kind(**{**blank, "estimable": False, "reason": reason, **known})
