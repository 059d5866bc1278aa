"""Many tests: the false discovery rate within a family."""

from __future__ import annotations

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
    values = p_values("benjamini_hochberg", p)
    given = np.zeros(len(values)) if family is None else family
    of_test = names("benjamini_hochberg", "family", given, "name the family of every test")
    if len(of_test) != len(values):
        where = f"p has {len(values)}, family has {len(of_test)}"
        problem = Problem("different lengths", where, "name one family for each p-value")
        refuse("benjamini_hochberg", [problem])

    q = np.full(len(values), np.nan)
    codes, labels = pd.factorize(of_test)
    for code in range(len(labels)):
        rows = np.flatnonzero(codes == code)
        rows = rows[~np.isnan(values[rows])]
        falling = rows[np.argsort(-values[rows], kind="stable")]
        ranks = np.arange(len(rows), 0, -1)
        # In this order of operations round-off cannot bring q below p: the factor is 1 or more.
        q[falling] = np.minimum.accumulate(np.minimum(1, values[falling] * (len(rows) / ranks)))
    return q
