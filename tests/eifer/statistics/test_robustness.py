"""Participants as the unit: t, equivalence, sign flips, resampled clusters."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from eifer.errors import DesignError, InputError
from eifer.statistics import cluster_bootstrap, sign_flip, t_paired, tost_paired

D = np.array([0.02, -0.01, 0.03, 0.015, 0.004, -0.002])


def test_t_is_scipys() -> None:
    got, want = t_paired(D), stats.ttest_1samp(D, 0)
    interval = want.confidence_interval()
    assert (got.statistic, got.p) == pytest.approx((want.statistic, want.pvalue), rel=1e-12)
    assert (got.ci_low, got.ci_high) == pytest.approx((interval.low, interval.high), rel=1e-12)
    assert (got.df, got.n) == (5, 6) and got.mean > 0


def test_tost_is_two_one_sided_tests() -> None:
    got = tost_paired(D, margin=0.03, alpha=0.05)
    low = stats.ttest_1samp(D, -0.03, alternative="greater").pvalue
    high = stats.ttest_1samp(D, 0.03, alternative="less").pvalue
    assert (got.p_low, got.p_high) == pytest.approx((low, high), rel=1e-10)
    assert got.p == max(got.p_low, got.p_high) and got.equivalent


@pytest.mark.parametrize("margin", np.linspace(0.001, 0.05, 12))
def test_equivalent_is_an_interval_within_the_margin(margin) -> None:
    got = tost_paired(D, margin, 0.05)
    assert got.equivalent == (-margin < got.ci_low and got.ci_high < margin)


@pytest.mark.parametrize("test", [t_paired, lambda d: tost_paired(d, 0.1, 0.05)])
@pytest.mark.parametrize(("d", "said"), [([0.1], "single"), ([0.1] * 3, "the same")])
def test_no_spread_is_not_estimable(test, d, said) -> None:
    got = test(d)
    assert not got.estimable and said in got.reason and math.isnan(got.p) and got.n == len(d)


def test_sign_flip_counts_every_assignment() -> None:
    sums = [abs(np.dot(s, D)) for s in itertools.product([1, -1], repeat=len(D))]
    want = np.mean(np.array(sums) >= abs(D.sum()) - 1e-15)
    got = sign_flip(D, resamples=10, seed=1)
    assert got.p == want and got.exact and got.n_flips == 64 and got.smallest_p == 2 / 64


def test_round_off_does_not_split_equal_sums() -> None:
    assert sign_flip([0.1, 0.2, 0.3, -0.6], resamples=1, seed=1).p == 1


def test_many_participants_are_sampled_and_close_to_t() -> None:
    d = np.random.default_rng(1).normal(0.4, 1, 44)
    got = sign_flip(d, resamples=9999, seed=3)
    assert not got.exact and got.n_flips == 9999 and got.smallest_p == 1e-4
    assert got.p == pytest.approx(t_paired(d).p, abs=0.01)
    assert got == sign_flip(d, resamples=9999, seed=3) != sign_flip(d, resamples=9999, seed=4)


def test_participant_tests_hold_their_level() -> None:
    draws = np.random.default_rng(0).normal(size=(2000, 12))
    assert 0.035 < np.mean([t_paired(d).p < 0.05 for d in draws]) < 0.065
    assert 0.03 < np.mean([sign_flip(d, 1, 1).p < 0.05 for d in draws[:800]]) < 0.07


def test_bootstrap_keeps_clusters_together() -> None:
    cluster = np.repeat(["a", "b", "c"], [2, 3, 4])
    seen: list[np.ndarray] = []

    def statistic(rows: np.ndarray) -> float:
        seen.append(rows)
        return float(len(rows))

    got = cluster_bootstrap(cluster, statistic, resamples=50, level=0.95, seed=1)
    assert got.estimate == 9 and got.n_clusters == 3 and len(seen) == 51
    for rows in seen:
        counts = np.bincount(rows, minlength=9)
        assert all(len(set(counts[cluster == name])) == 1 for name in "abc")
        assert sum(counts[cluster == name][0] for name in "abc") == 3


def test_bootstrap_of_correlated_rows_is_wider_than_of_rows() -> None:
    rng = np.random.default_rng(2)
    people = rng.normal(size=30)
    values = np.repeat(people, 20) + 0.1 * rng.normal(size=600)
    clusters = np.repeat(np.arange(30), 20)
    choices = {"resamples": 400, "level": 0.95, "seed": 5}
    whole = cluster_bootstrap(clusters, lambda rows: values[rows].mean(), **choices)
    apart = cluster_bootstrap(np.arange(600), lambda rows: values[rows].mean(), **choices)
    assert whole.se == pytest.approx(people.std(ddof=1) / math.sqrt(30), rel=0.2)
    assert whole.se > 3 * apart.se
    assert whole.ci_low < whole.estimate < whole.ci_high
    assert whole == cluster_bootstrap(clusters, lambda rows: values[rows].mean(), **choices)


def test_resamples_without_a_value_are_counted() -> None:
    clusters, y = [0, 0, 1, 1, 2, 2], np.array([0, 0, 0, 0, 1, 1])

    def needs_both(rows: np.ndarray) -> float:
        return y[rows].mean() if 0 < y[rows].mean() < 1 else math.nan

    got = cluster_bootstrap(clusters, needs_both, resamples=300, level=0.9, seed=1)
    assert got.estimable and 50 < got.n_undefined < 150 and math.isfinite(got.ci_low)


@pytest.mark.parametrize(
    ("cluster", "statistic", "said"),
    [
        (["a", "a"], lambda rows: 1.0, "single cluster"),
        (["a", "b"], lambda rows: math.nan, "no value on the rows"),
        (["a", "b"], lambda rows: 1.0 if rows.tolist() == [0, 1] else math.nan, "resamples"),
    ],
)
def test_bootstrap_without_an_answer(cluster, statistic, said) -> None:
    got = cluster_bootstrap(cluster, statistic, resamples=40, level=0.95, seed=1)
    assert not got.estimable and said in got.reason and math.isnan(got.ci_low)


@pytest.mark.parametrize(
    "test",
    [t_paired, lambda d: tost_paired(d, 0.1, 0.05), lambda d: sign_flip(d, resamples=9, seed=1)],
)
def test_bad_differences_are_named(test) -> None:
    with pytest.raises(InputError, match=r"difference\[1\] = nan"):
        test([0.1, math.nan, 0.2])
    with pytest.raises(DesignError, match="nothing was given"):
        test([])


def test_bad_choices_are_named() -> None:
    with pytest.raises(DesignError, match="margin is 0"):
        tost_paired(D, 0, 0.05)
    with pytest.raises(DesignError, match=r"alpha is 0\.7"):
        tost_paired(D, 0.1, 0.7)
    with pytest.raises(DesignError, match="resamples is 0"):
        sign_flip(D, resamples=0, seed=1)
    with pytest.raises(DesignError, match="level is 95"):
        cluster_bootstrap([1, 2], len, resamples=9, level=95, seed=1)
    with pytest.raises(InputError, match=r"cluster\[1\]"):
        cluster_bootstrap([1, None], len, resamples=9, level=0.95, seed=1)
    with pytest.raises(DesignError, match="no row"):
        cluster_bootstrap([], len, resamples=9, level=0.95, seed=1)


def rounded(value: float) -> list[float]:
    """Some ways to arrive at ``value`` in floats, which differ in the last bit."""
    return [value, value / 3 * 3, sum([value / 10] * 10), (value + 0.7) - 0.7, value * 1.1 / 1.1]


@pytest.mark.parametrize(
    "d", [[0.1 + 0.2, 0.3, 0.3], *(rounded(v) for v in (0.3, 0.07, 1 / 3)), [1e-17, -2e-17, 5e-18]]
)
def test_round_off_is_no_spread(d) -> None:
    assert len(set(d)) > 1
    for got in (t_paired(d), tost_paired(d, 0.1, 0.05)):
        assert not got.estimable and "the same" in got.reason and math.isnan(got.p)


def test_round_off_has_no_sign_to_turn() -> None:
    # Eight people whose differences cancel over repetitions: 0 but for the last bit.
    cancel = [0.1 + 0.2 - 0.3, 0.7 - 0.4 - 0.3, *[0.0] * 6]
    got = sign_flip(cancel, 99, 1)
    assert any(cancel) and (got.p, got.smallest_p) == (1, 1)
    both = sign_flip([*cancel, 0.2, 0.3], 99, 1)
    assert (both.p, both.smallest_p, both.n) == (0.5, 0.5, 10)


def test_ties_of_sampled_signs_count_as_equal() -> None:
    even = sign_flip([0.25] * 9 + [-0.25] * 9, 999, 1)
    odd = sign_flip([0.1 + 0.2, *[0.3] * 8, *[-0.3] * 9], 999, 1)
    assert even.p == odd.p == 1 and not odd.exact


@pytest.mark.parametrize("value", ["x", None, math.nan, [1], 0.5])
def test_choices_that_are_no_numbers_are_named(value) -> None:
    with pytest.raises(DesignError, match="resamples"):
        sign_flip(D, value, 1)
    with pytest.raises(DesignError, match="margin"):
        tost_paired(D, value if value != 0.5 else -1, 0.05)


@pytest.mark.parametrize("zeros", [5, 9, 40])
def test_few_differences_among_many_of_0_show_no_equivalence(zeros) -> None:
    """Near the ceiling: equivalent in 28 to 40 % of cohorts at a difference of the margin."""
    d = [*[0.0] * zeros, 0.001, -0.001, 0.002, 1e-3]
    got = tost_paired(d, 0.005, 0.05)
    assert not got.estimable and not got.equivalent and math.isnan(got.p)
    assert f"{zeros} of {zeros + 4} differences are 0" in got.reason
    assert tost_paired(d[zeros - 4 :], 0.005, 0.05).equivalent
