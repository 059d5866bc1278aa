"""Many tests: the false discovery rate, or the family-wise error, within a family."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from eifer.errors import Problem
from eifer.inputs import Floats, names, p_values, refuse


def benjamini_hochberg(p: object, family: object = None) -> Floats:
    """q-values by Benjamini and Hochberg's step-up procedure, each family by itself.

    With the m p-values of a family in rising order, q_(i) = min over j >= i of
    min(1, m p_(j) / j). The false discovery rate is held where the tests of a family are
    independent or positively dependent.

    Parameters
    ----------
    p : array_like, shape (tests,)
        p-values. A missing one stays missing and does not count in m.
    family : array_like, shape (tests,), optional
        The family each test belongs to; without it all are one family.

    Returns
    -------
    ndarray, shape (tests,)
        q-values in the order given.

    Raises
    ------
    InputError
        A p-value outside 0..1, a test without family, different lengths.

    References
    ----------
    Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57:289.
    """
    from scipy.stats import false_discovery_control

    return _adjusted("benjamini_hochberg", p, family, false_discovery_control)


def holm(p: object, family: object = None) -> Floats:
    """Adjusted p-values by Holm's step-down procedure, each family by itself.

    With the m p-values of a family in rising order, the adjusted p_(i) = max over j <= i of
    min(1, (m - j + 1) p_(j)). Whatever the tests' dependence, below alpha they hold the chance
    that any of the family is a false claim.

    Parameters, returns and errors are those of `benjamini_hochberg`.

    References
    ----------
    Holm 1979, Scand. J. Stat. 6:65.
    """

    def from_the_smallest(rising: Floats) -> Floats:
        m = len(rising)
        return np.maximum.accumulate(np.minimum(1, rising * np.arange(m, 0, -1)))

    return _adjusted("holm", p, family, from_the_smallest)


def _adjusted(name: str, p: object, family: object, adjust: Callable[[Floats], Floats]) -> Floats:
    """Give each family's p-values, rising and without missing ones, to ``adjust``."""
    values = p_values(name, p)
    given = np.zeros(len(values)) if family is None else family
    of_test = names(name, "family", given, "name the family of every test")
    if len(of_test) != len(values):
        where = f"p has {len(values)}, family has {len(of_test)}"
        problem = Problem("different lengths", where, "name one family for each p-value")
        refuse(name, [problem])

    adjusted = np.full(len(values), np.nan)
    codes, labels = pd.factorize(of_test)
    for code in range(len(labels)):
        rows = np.flatnonzero((codes == code) & ~np.isnan(values))
        rising = rows[np.argsort(values[rows], kind="stable")]
        adjusted[rising] = adjust(values[rising])
    return adjusted
