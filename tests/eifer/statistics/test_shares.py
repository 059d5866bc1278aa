"""Intervals of shares, against statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from eifer.statistics.shares import wilson


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_wilson_is_that_of_statsmodels(level: float) -> None:
    n = np.repeat([1, 2, 7, 42, 1680], 5)
    k = np.array([n_ * part // 4 for n_, part in zip(n, [0, 1, 2, 3, 4] * 5, strict=True)])
    low, high = wilson(k, n, level)
    theirs = proportion_confint(k, n, 1 - level, method="wilson")
    np.testing.assert_allclose([low, high], theirs, rtol=0, atol=1e-14)
    assert (low[k == 0] == 0).all() and (high[k == n] == 1).all()
