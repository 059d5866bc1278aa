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


def test_wilson_has_its_known_values() -> None:
    # Newcombe 1998, Stat. Med. 17:857, table I: 81/263 and 0/20.
    low, high = wilson(np.array([81, 0, 20, 0]), np.array([263, 20, 20, 0]), 0.95)
    assert low[:3] == pytest.approx([0.2553, 0, 0.8389], abs=5e-5)
    assert high[:3] == pytest.approx([0.3662, 0.1611, 1], abs=5e-5)
    assert np.isnan([low[3], high[3]]).all()
