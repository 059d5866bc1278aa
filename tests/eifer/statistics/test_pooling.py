"""Combined p-values and pooled differences against R, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eifer.errors import DesignError, InputError
from eifer.statistics import cauchy, fisher, pool_fixed, pool_random, stouffer
from tests.oracle import cases, oracle, same

POOLS = {
    "fixed_effect": pool_fixed,
    "random_DL": lambda d, se: pool_random(d, se, method="dl"),
    "random_REML": pool_random,
    "random_PM": lambda d, se: pool_random(d, se, method="pm"),
    "random_DL_knapp_hartung": lambda d, se: pool_random(d, se, "dl", knapp_hartung=True),
    "random_REML_knapp_hartung": lambda d, se: pool_random(d, se, "reml", knapp_hartung=True),
}
FIELDS = {
    "estimate": "pooled_delta",
    "se": "se",
    "statistic": "z_or_t",
    "p": "p",
    "ci_low": "ci95_low",
    "ci_high": "ci95_high",
    "q": "Q",
    "q_p": "Q_p",
    "i2": "I2_percent",
    "tau2": "tau2",
}


@pytest.mark.parametrize("stem", cases("fisher", 6))
def test_fisher_and_cauchy_are_what_r_says(stem) -> None:
    rows, answers = oracle(stem)
    got = fisher(rows["p_two_sided"])
    assert got.estimable
    assert (got.n_used, got.df) == (answers["n_used"], answers["fisher_df"])
    same(got.statistic, answers["fisher_chi2"], 1e-14, 1e-10)
    same(got.p, answers["fisher_p"], 1e-14, 1e-10)
    same(got.log_p, answers["fisher_log_p"], 1e-14, 1e-10)

    got, answer = cauchy(rows["p_two_sided"]), answers["cauchy"]
    assert got.n_used == answers["n_used"]
    same(got.p, answer["cauchy_p"], 0, 1e-10)
    if "cauchy_statistic" in answer:
        same(got.statistic, answer["cauchy_statistic"], 1e-14, 1e-10)
    assert (got.reason is None) == ("reason" not in answer)


def test_opposite_findings_add_up_in_fisher_and_cancel_in_stouffer() -> None:
    rows, answers = oracle("fisher__opposite_directions_significant")
    signed = stouffer(rows["z_signed"])
    answer = answers["signed_stouffer"]
    same(signed.statistic, answer["stouffer_z"], 1e-14, 1e-10)
    same(signed.p, answer["stouffer_p_two_sided"], 1e-14, 1e-10)
    same(signed.log_p, answer["stouffer_log_p"], 1e-14, 1e-10)
    assert fisher(rows["p_two_sided"]).p < 1e-20 and signed.p > 0.99


def test_log_p_is_finite_where_p_is_not() -> None:
    far = stouffer([60.0, 60.0])
    assert far.p == 0 and -4000 < far.log_p < -3000


@pytest.mark.parametrize("combine", [fisher, stouffer, cauchy])
@pytest.mark.parametrize("values", [[], [math.nan, None]])
def test_nothing_to_combine(combine, values) -> None:
    got = combine(values)
    assert not got.estimable and "missing" in got.reason and got.n_used == 0
    assert all(map(math.isnan, (got.statistic, got.df, got.p, got.log_p)))


@pytest.mark.parametrize("combine", [fisher, cauchy])
@pytest.mark.parametrize("bad", [1.5, -0.1, math.inf])
def test_what_is_no_p_value_is_named(combine, bad) -> None:
    with pytest.raises(InputError, match=r"p\[1\]"):
        combine([0.1, bad])


def test_stouffer_takes_infinite_z_but_not_in_both_directions() -> None:
    assert stouffer([math.inf, 1]).p == 0
    both = stouffer([math.inf, -math.inf])
    assert not both.estimable and math.isnan(both.p) and "both directions" in both.reason


def test_cauchy_of_zero_and_one_has_no_answer() -> None:
    got = cauchy([0, 1, 0.5])
    assert not got.estimable and math.isnan(got.p) and got.n_used == 3


@pytest.mark.parametrize("p", [0.5, 1e-12, 1e-15, 1e-16, 1e-300, 1e-309, 0.999999, 1 - 1e-15])
def test_cauchy_of_equal_p_is_that_p(p) -> None:
    got = cauchy([p] * 3)
    assert got.p == pytest.approx(p, rel=1e-12)
    assert got.log_p == pytest.approx(math.log(p), rel=1e-9, abs=1e-15)


def test_cauchy_holds_under_dependence() -> None:
    p = np.random.default_rng(2).random(2000)
    rejected = np.mean([cauchy([one] * 5).p < 0.05 for one in p])
    assert 0.035 < rejected < 0.065
    assert np.mean([fisher([one] * 5).p < 0.05 for one in p]) > 0.1


@pytest.mark.parametrize("stem", cases("pooling", 6))
@pytest.mark.parametrize("name", POOLS)
def test_pools_are_what_metafor_says(stem, name) -> None:
    rows, answers = oracle(stem)
    block = answers.get("after_dropping_se_zero_or_na", answers["all_rows"])
    answer = block[name]
    got = POOLS[name](rows["delta_auc"], rows["se_delta_auc"])
    assert got.estimable and got.n_used == answer["k"]
    exact = "REML" not in name and "PM" not in name
    for field, key in FIELDS.items():
        same(getattr(got, field), answer[key], *((1e-10, 1e-8) if exact else (1e-8, 1e-5)))
    assert got.mean == pytest.approx(rows["delta_auc"].mean())
    knapp = name.endswith("knapp_hartung") and answer["k"] > 1
    assert got.df == (answer["k"] - 1 if knapp else math.inf)


def test_a_missing_repetition_is_left_out_and_listed() -> None:
    got = pool_fixed([0.1, math.nan, 0.3, 0.2], [0.1, 0.1, None, 0.0])
    assert got.left_out == (1, 2, 3) and got.n_used == 1
    assert (got.estimate, got.mean) == pytest.approx((0.1, 0.2))


def test_the_sign_conflict_of_the_paper_is_seen() -> None:
    rows, _ = oracle("pooling__ceiling_sign_reversal_as_in_paper")
    got = pool_fixed(rows["delta_auc"], rows["se_delta_auc"])
    assert got.sign_conflict and got.estimate < 0 < got.mean
    assert not pool_random(rows["delta_auc"], rows["se_delta_auc"]).sign_conflict


def test_one_tiny_se_costs_no_digits() -> None:
    from fractions import Fraction

    d, se = [0.01, 0.012, -0.02, 0.03, 0.005], [0.004, 0.003, 1e-9, 0.006, 0.005]
    w = [1 / Fraction(s) ** 2 for s in se]
    total = sum(w)
    mean = sum(a * Fraction(b) for a, b in zip(w, d, strict=True)) / total
    q = sum(a * (Fraction(b) - mean) ** 2 for a, b in zip(w, d, strict=True))
    tau2 = (q - 4) / (total - sum(a * a for a in w) / total)
    got = pool_random(d, se, method="dl")
    assert got.q == pytest.approx(float(q), rel=1e-12)
    assert got.tau2 == pytest.approx(float(tau2), rel=1e-12)
    assert pool_fixed(d, se).estimate == pytest.approx(float(mean), rel=1e-12)
    assert pool_fixed(d, se).q == got.q


@pytest.mark.parametrize("seed", range(15))
def test_tau2_solves_its_equation(seed) -> None:
    rng = np.random.default_rng(seed)
    k = 2 + seed % 6
    se = np.exp(rng.normal(-4, 1, k))
    d = rng.normal(0, se + 0.03)

    def restricted(tau2: float) -> float:
        w = 1 / (se**2 + tau2)
        m = w @ d / w.sum()
        return float(np.log(w).sum() - np.log(w.sum()) - w @ (d - m) ** 2)

    reml, pm = (pool_random(d, se, method=method) for method in ("reml", "pm"))
    best = max(map(restricted, [0.0, *np.geomspace(1e-10, 1, 20_000)]))
    assert restricted(reml.tau2) >= best - 1e-9
    if pm.tau2:
        w = 1 / (se**2 + pm.tau2)
        assert w @ (d - w @ d / w.sum()) ** 2 == pytest.approx(k - 1)
    else:
        assert pm.q <= k - 1


def test_modified_knapp_hartung_never_shrinks_the_interval() -> None:
    rows, _ = oracle("pooling__homogeneous_5_reps")
    d, se = rows["delta_auc"], rows["se_delta_auc"]
    plain, hartung, modified = (pool_random(d, se, "dl", k) for k in (False, True, "modified"))
    assert hartung.se < plain.se == modified.se and modified.df == 4


# Also where they are the same but for round-off.
@pytest.mark.parametrize("d", [[0.3] * 3, [0.1 + 0.2, 0.3, 0.3]])
def test_identical_differences_have_no_knapp_hartung_se(d) -> None:
    se = [0.1, 0.2, 0.1]
    got = pool_random(d, se, "dl", knapp_hartung=True)
    assert not got.estimable and math.isnan(got.p) and got.mean == pytest.approx(0.3)
    assert pool_random(d, se).estimate == pytest.approx(0.3)
    assert pool_random(d, se, "dl", "modified").estimable


@pytest.mark.parametrize("pool", POOLS.values())
def test_all_left_out_is_not_estimable(pool) -> None:
    got = pool([0.0, 0.1], [0, math.nan])
    assert not got.estimable and "above 0" in got.reason
    assert got.left_out == (0, 1) and got.mean == 0.05 and not got.sign_conflict
    assert all(math.isnan(getattr(got, name)) for name in FIELDS)


@pytest.mark.parametrize(
    ("delta", "se", "error", "said"),
    [
        ([0.1], [-0.1], InputError, r"se\[0\] = -0.1"),
        ([0.1], [math.inf], InputError, r"se\[0\]"),
        ([math.inf], [0.1], InputError, r"delta\[0\]"),
        ([0.1, 0.2], [0.1, 1e160], InputError, r"beyond 1e\+50.*se\[1\] = 1e\+160"),
        ([1e160, 0.2], [0.1, 0.1], InputError, r"delta\[0\] = 1e\+160"),
        ([0.1, 0.2], [0.1], InputError, "delta has 2, se has 1"),
        ([], [], DesignError, "no repetition"),
    ],
)
def test_bad_input_is_named(delta, se, error, said) -> None:
    for pool in POOLS.values():
        with pytest.raises(error, match=said):
            pool(delta, se)


def test_unknown_choices_are_named() -> None:
    with pytest.raises(DesignError, match="did you mean 'reml'"):
        pool_random([0.1], [0.1], method="rml")
    with pytest.raises(DesignError, match="knapp_hartung"):
        pool_random([0.1], [0.1], knapp_hartung="yes")


@pytest.mark.parametrize("pool", POOLS.values())
@pytest.mark.parametrize("se", [1e-200, 1e-14, 0.0])
def test_a_se_of_round_off_is_one_of_0(pool, se) -> None:
    got = pool([0.1, 0.2, 0.4], [se, 0.1, 0.2])
    assert got.left_out == (0,) and got.estimable and got.p > 0
    assert not pool([0.1, 0.2], [se, se]).estimable
