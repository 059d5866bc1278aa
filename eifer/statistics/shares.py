"""Intervals of shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from eifer.inputs import Floats


def wilson(
    k: npt.NDArray[np.int64], n: npt.NDArray[np.int64], level: float
) -> tuple[Floats, Floats]:
    """Wilson's interval of each share ``k / n`` at ``level``.

    Parameters
    ----------
    k, n : ndarray, shape (shares,)
        How many of how many.
    level : float
        The share of such intervals that hold the truth, such as .95.

    Returns
    -------
    low, high : ndarray, shape (shares,)
        The ends; exactly 0 where k is 0, exactly 1 where k is n, and NaN where n is 0.

    References
    ----------
    Wilson 1927, J. Am. Stat. Assoc. 22:209.
    """
    z = float(ndtri((1 + level) / 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = k / n
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # Round-off would leave the ends a last digit inside or outside.
    return np.where(k == 0, 0.0 * share, middle - half), np.where(k == n, share, middle + half)
