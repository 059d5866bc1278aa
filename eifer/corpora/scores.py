"""Scores of answers in several classes, from counts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from eifer.inputs import Floats


def macro_f1(right: npt.ArrayLike, answered: npt.ArrayLike, support: npt.ArrayLike) -> Floats:
    """Mean F1 of the classes that are there, of counts by class along the last axis.

    F1 = 2 right / (answered + support), which is 0 for a class that is never answered.
    """
    hit, said, there = (np.asarray(counts, np.float64) for counts in (right, answered, support))
    f1 = 2 * hit / np.maximum(said + there, 1)
    known = there > 0
    return np.asarray((f1 * known).sum(axis=-1) / known.sum(axis=-1))
