"""Sample sizes against G*Power and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eifer.errors import DesignError
from eifer.statistics import power_paired


@pytest.mark.parametrize(
    ("dz", "alpha", "power", "n"),
    # G*Power 3.1, t tests, difference between two dependent means, two-sided.
    [(0.6, 0.05, 0.8, 24), (0.5, 0.05, 0.8, 34), (0.2, 0.05, 0.8, 199), (0.5, 0.05, 0.95, 54)],
)
def test_what_gpower_says(dz, alpha, power, n) -> None:
    got = power_paired(dz, alpha, power)
    assert got == n and isinstance(got, int)
    assert power_paired(-dz, alpha, power) == n


def test_the_power_is_the_one_asked_for() -> None:
    n = power_paired(0.8, 0.05, 0.9)
    d = np.random.default_rng(1).normal(0.8, 1, (40_000, n))
    t = d.mean(1) / (d.std(1, ddof=1) / math.sqrt(n))
    from scipy.stats import t as student

    assert np.mean(abs(t) > student.ppf(0.975, n - 1)) == pytest.approx(0.91, abs=0.015)


def test_extremes() -> None:
    assert power_paired(50, 0.05, 0.8) == 2
    assert power_paired(0.01, 0.05, 0.8) == 78_491


@pytest.mark.parametrize(
    ("dz", "alpha", "power"),
    [(0, 0.05, 0.8), (math.nan, 0.05, 0.8), (0.5, 0, 0.8), (0.5, 1, 0.8), (0.5, 0.05, 1),
     (0.5, 0.05, 0.01), (1e-9, 0.05, 0.8)],
)  # fmt: skip
def test_questions_without_answer_are_refused(dz, alpha, power) -> None:
    with pytest.raises(DesignError, match="power_paired"):
        power_paired(dz, alpha, power)
