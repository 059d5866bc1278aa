"""Reading what a caller hands over: numbers that are numbers, of one length, nothing dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from eifer.errors import DesignError, InputError, Problem

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

LARGEST = 1e50
"""Numbers beyond it overflow where squares are multiplied; nothing measured is so large."""
NUMBERS = {"integer", "floating", "mixed-integer-float", "boolean", "decimal", "empty"}
"""What pandas calls numbers. Complex numbers, dates and numbers written as text are none."""
LABELS = NUMBERS | {"string", "bytes", "datetime64", "datetime", "date"}
"""What pandas calls the labels of one kind, which can be told apart and put in order."""


def numbers(values: Any) -> Floats:
    """``values`` as a float array of their own shape; missing entries (None, NA) become NaN.

    Raises
    ------
    TypeError, ValueError, OverflowError
        Anything that is not a real number: text (also of digits), dates, complex numbers; rows
        of different lengths; a set or a mapping, which has no order of values.
    """
    array = _array(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    flat = pd.Series(array.ravel(), dtype=object)
    kind = pd.api.types.infer_dtype(flat, skipna=True)
    if array.dtype.kind != "O" or kind not in NUMBERS:
        raise TypeError(f"{kind} instead of numbers")
    return flat.to_numpy(dtype=np.float64, na_value=np.nan).reshape(array.shape)


def labels(values: Any) -> pd.Series:
    """``values`` as a Series of labels in the order given; missing entries stay missing.

    Raises
    ------
    TypeError, ValueError
        Not one-dimensional, or labels of several kinds: text "1" and number 1 are two labels
        that look like one.
    """
    if isinstance(values, str | bytes | Mapping | Set):
        raise TypeError("not a list")
    if isinstance(values, pd.Series):
        series = values.reset_index(drop=True)
    else:
        # Without dtype=object, numpy writes the numbers among texts as text.
        typed = isinstance(values, np.ndarray | pd.Index | pd.api.extensions.ExtensionArray)
        series = pd.Series(values if typed else np.array(list(values), dtype=object))
    known = series.cat.categories if isinstance(series.dtype, pd.CategoricalDtype) else series
    kind = pd.api.types.infer_dtype(known, skipna=True)
    if kind not in LABELS:
        raise TypeError(f"labels of kind {kind}")
    return series


def _array(values: Any) -> npt.NDArray[Any]:
    if isinstance(values, str | bytes | Mapping | Set):
        raise TypeError("not an array")
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "biuf":
        return np.ma.filled(np.ma.asarray(values, np.float64), np.nan)
    if isinstance(values, Iterable) and not hasattr(values, "__array__"):
        values = list(values)
    return np.asarray(values)


def columns(subject: str, **given: object) -> tuple[Floats, ...]:
    """Each of ``given`` as a 1-D float array; missing entries (None, NA) become NaN.

    Raises
    ------
    InputError
        Not numbers, not one-dimensional, or of different lengths.
    """
    problems: list[Problem] = []
    read = {name: _column(name, values, problems) for name, values in given.items()}
    lengths = {name: len(values) for name, values in read.items() if values is not None}
    if len(set(lengths.values())) > 1:
        where = ", ".join(f"{name} has {length}" for name, length in lengths.items())
        problems.append(Problem("different lengths", where, "give one value an item in each"))
    refuse(subject, problems)
    return tuple(values for values in read.values() if values is not None)


def _column(name: str, values: object, problems: list[Problem]) -> Floats | None:
    try:
        read = numbers(values)
        if read.ndim == 1:
            return read
        where = f"{name} has shape {read.shape}"
    except (TypeError, ValueError, OverflowError) as error:
        where = f"{name} ({error})"
    remedy = "give a one-dimensional array of numbers"
    problems.append(Problem("not a list of numbers", where, remedy))
    return None


def names(subject: str, name: str, values: object, remedy: str) -> pd.Series:
    """Labels (whose row, which family) as a Series, every one of them there.

    Raises
    ------
    InputError
        Not a list of labels of one kind, or a label is missing.
    """
    try:
        series = labels(values)
    except (TypeError, ValueError) as error:
        problem = Problem("not a list of labels of one kind", f"{name} ({error})", remedy)
        raise InputError(subject, [problem]) from None
    refuse(
        subject,
        [
            Problem(f"missing {name}", f"{name}[{index}]", remedy)
            for index in np.flatnonzero(series.isna())
        ],
    )
    return series


def offending(name: str, values: Floats, bad: Bools, what: str, remedy: str) -> list[Problem]:
    """One problem for each entry of ``values`` that is ``bad``, with its position from 0."""
    return [
        Problem(what, f"{name}[{', '.join(map(str, place))}] = {values[tuple(place)]:g}", remedy)
        for place in np.argwhere(bad)
    ]


def refuse(subject: str, problems: Sequence[Problem]) -> None:
    """Raise an `InputError` where there are ``problems``."""
    if problems:
        raise InputError(subject, problems)


def immense(values: npt.ArrayLike) -> Bools:
    """Which entries are infinite, or too large to be squared; a missing one is not."""
    return np.asarray(np.abs(values) > LARGEST)


def finite(subject: str, **given: object) -> tuple[Floats, ...]:
    """Like `columns`, and every entry is there, finite, and at least one is given."""
    read = columns(subject, **given)
    problems = []
    for name, values in zip(given, read, strict=True):
        bad = np.isnan(values) | immense(values)
        what = f"missing, infinite, or beyond {LARGEST:g}"
        problems += offending(name, values, bad, what, "give a finite number")
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
    if not isinstance(value, Real) or not low < value < high:
        raise DesignError(
            f"{subject}: {name} is {value!r:.40}; it must lie between {low:g} and {high:g}"
        )


def at_least(subject: str, name: str, value: int, low: int) -> None:
    """Refuse a ``value`` that is not a whole number of ``low`` or more."""
    if not isinstance(value, Integral) or value < low:
        raise DesignError(f"{subject}: {name} is {value!r:.40}; at least {low} is needed")
