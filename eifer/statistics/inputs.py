"""Reading what a caller hands over: one-dimensional, of one length, and nothing dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eifer.errors import DesignError, InputError, Problem

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def columns(subject: str, **given: object) -> tuple[Floats, ...]:
    """Each of ``given`` as a 1-D float array; missing entries (None, NA) become NaN.

    Raises
    ------
    InputError
        Not numbers, not one-dimensional, or of different lengths.
    """
    problems, read = [], {}
    for name, values in given.items():
        try:
            read[name] = _series(values).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            problems.append(
                Problem("not a list of numbers", name, "give a one-dimensional array of numbers")
            )
    lengths = {name: len(values) for name, values in read.items()}
    if len(set(lengths.values())) > 1:
        where = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        problems.append(Problem("different lengths", where, "give one value an item in each"))
    refuse(subject, problems)
    return tuple(read.values())


def _series(values: Any) -> pd.Series:
    return pd.Series(values if isinstance(values, pd.Series | np.ndarray) else list(values))


def offending(name: str, values: Floats, bad: Bools, what: str, remedy: str) -> list[Problem]:
    """One problem for each entry of ``values`` that is ``bad``, with its position from 0."""
    return [
        Problem(what, f"{name}[{index}] = {values[index]:g}", remedy)
        for index in np.flatnonzero(bad)
    ]


def refuse(subject: str, problems: Sequence[Problem]) -> None:
    """Raise an `InputError` where there are ``problems``."""
    if problems:
        raise InputError(subject, problems)


def finite(subject: str, **given: object) -> tuple[Floats, ...]:
    """Like `columns`, and every entry is there, finite, and at least one is given."""
    read = columns(subject, **given)
    problems = []
    for name, values in zip(given, read, strict=True):
        problems += offending(
            name, values, ~np.isfinite(values), "missing or infinite", "give a finite number"
        )
    refuse(subject, problems)
    if not len(read[0]):
        raise DesignError(
            f"{subject}: {', '.join(given)}: nothing was given; at least one is needed"
        )
    return read


def p_values(subject: str, p: object) -> Floats:
    """The p-values with missing ones as NaN; each other one lies in 0..1."""
    (values,) = columns(subject, p=p)
    bad = (values < 0) | (values > 1)
    refuse(subject, offending("p", values, bad, "not a p-value", "give values from 0 to 1"))
    return values


def between(subject: str, name: str, value: float, low: float, high: float) -> None:
    """Refuse a ``value`` that is not strictly between ``low`` and ``high``."""
    if not low < value < high:
        raise DesignError(f"{subject}: {name} is {value}; it must lie between {low:g} and {high:g}")
