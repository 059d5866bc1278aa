"""How many participants a paired comparison needs."""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import partial

from scipy.special import nctdtr, stdtrit

from eifer.errors import DesignError
from eifer.inputs import LARGEST, between

MOST = 10_000_000
"""Beyond this many participants the question is not a practical one."""


def power_paired(dz: float, alpha: float, power: float) -> int:
    """The fewest participants for a two-sided paired t-test of the given power.

    The t statistic of n paired differences is noncentral t with n - 1 degrees of freedom and
    noncentrality dz sqrt(n); the smallest n whose chance of |t| > t(1 - alpha/2) is at least
    ``power``. The same n as G*Power's "difference between two dependent means".

    Parameters
    ----------
    dz : float
        Mean of the differences over their standard deviation; the sign does not matter.
    alpha : float
        Two-sided level, between 0 and 1.
    power : float
        Wanted power, between ``alpha`` and 1.

    Raises
    ------
    DesignError
        dz is 0 or so small that ten million participants do not suffice; alpha or power out of
        range.

    References
    ----------
    Cohen 1988, Statistical Power Analysis, 2nd ed., ch. 2; Faul et al. 2007 (G*Power 3).
    """
    between("power_paired", "alpha", alpha, 0, 1)
    between("power_paired", "power", power, alpha, 1)
    between("power_paired", "dz", dz, -LARGEST, LARGEST)
    if dz == 0:
        raise DesignError("power_paired: dz is 0; no number of participants shows no effect")
    high = 2
    while _power(dz, alpha, high) < power:
        high *= 2
        if high > MOST:
            raise DesignError(f"power_paired: dz = {dz:g} needs more than {MOST} participants")
    return bisect_left(range(high), power, max(2, high // 2), key=partial(_power, dz, alpha))


def _power(dz: float, alpha: float, n: int) -> float:
    """The chance that ``n`` differences of effect ``dz`` are significant, on either side."""
    limit, shift = float(stdtrit(n - 1, 1 - alpha / 2)), abs(dz) * math.sqrt(n)
    # P(t(shift) > limit) = P(t(-shift) < -limit), which keeps its digits in the tail.
    return float(nctdtr(n - 1, -shift, -limit) + nctdtr(n - 1, shift, -limit))
