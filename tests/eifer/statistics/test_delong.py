"""DeLong's test against pROC, against its definition, and where it must refuse."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from eifer.errors import DesignError, InputError
from eifer.statistics import delong
from tests.oracle import cases, oracle, same

EXACT = {
    "auc_a": "auc_model_a",
    "auc_b": "auc_model_b",
    "delta": "delta_auc_a_minus_b",
    "var_a": "pROC_var_auc_a",
    "var_b": "pROC_var_auc_b",
    "cov": "pROC_cov_auc_a_b",
    "se": "pROC_se_delta",
    "ci_low": "pROC_ci95_delta_low",
    "ci_high": "pROC_ci95_delta_high",
}
TESTS = {"z": "pROC_z", "p": "pROC_p_two_sided", "log_p": "log_p_two_sided"}


def naive(y: np.ndarray, *scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """AUCs and their covariance from all pairs, as defined."""
    wins = [
        np.where(s[y == 1][:, None] > s[y == 0], 1.0, 0.5 * (s[y == 1][:, None] == s[y == 0]))
        for s in scores
    ]
    v10, v01 = np.array([w.mean(1) for w in wins]), np.array([w.mean(0) for w in wins])
    return v10.mean(1), np.cov(v10) / v10.shape[1] + np.cov(v01) / v01.shape[1]


@pytest.mark.parametrize("stem", cases("delong", 9))
def test_what_proc_says(stem) -> None:
    rows, answers = oracle(stem)
    got = asdict(delong(rows["y_true"], rows["score_model_a"], rows["score_model_b"]))
    assert got["estimable"] and got["reason"] is None
    for name, key in EXACT.items():
        same(got[name], answers[key], 1e-12, 1e-10)
    for name, key in TESTS.items():
        same(got[name], answers[key], 1e-10, 1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_definition_with_ties_of_any_kind(seed) -> None:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.r_[np.ones(2 + seed % 5), np.zeros(2 + seed)])
    a, b = rng.integers(0, 4, (2, len(y))) + y * rng.integers(0, 2)
    auc, cov = naive(y, a, b)
    got = delong(y, a, b)
    assert np.allclose([got.auc_a, got.auc_b], auc, atol=1e-14)
    assert np.allclose([got.var_a, got.var_b, got.cov], [cov[0, 0], cov[1, 1], cov[0, 1]])
    assert math.isclose(got.se**2, cov[0, 0] + cov[1, 1] - 2 * cov[0, 1], abs_tol=1e-15)


def test_turning_the_models_round_turns_the_sign() -> None:
    y, a, b = [0, 0, 0, 1, 1, 1], [0.1, 0.4, 0.2, 0.3, 0.9, 0.8], [0.2, 0.9, 0.1, 0.3, 0.5, 0.7]
    one, other = delong(y, a, b), delong(y, b, a)
    assert one.delta > 0 and one.delta == -other.delta and one.z == -other.z and one.p == other.p
    assert one.ci_low == -other.ci_high


def test_same_ranks_are_exactly_no_difference() -> None:
    rng = np.random.default_rng(4)
    y, a = rng.integers(0, 2, 997), rng.random(997)
    got = delong(y, a, np.exp(7 * a))
    assert (got.delta, got.se, got.z, got.p, got.log_p) == (0, 0, 0, 1, 0)
    assert got.ci_low == got.ci_high == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_difference_without_variance_is_not_estimable(sign) -> None:
    y, a = np.array([0, 0, 0, 1, 1, 1]), np.array([1, 2, 3, 4, 5, 6]) * sign
    got = delong(y, a, -a)
    assert (got.delta, got.se) == (sign, 0) and not got.estimable
    assert got.auc_a - got.auc_b == sign and "every item shows the same" in got.reason
    assert all(map(math.isnan, (got.z, got.p, got.log_p, got.ci_low, got.ci_high)))


def test_chance_against_perfect_by_a_constant_has_no_round_off() -> None:
    y = np.r_[np.zeros(7), np.ones(3)]
    got = delong(y, np.arange(10), np.ones(10))
    assert got.delta == 0.5 and got.se == 0 and not got.estimable


def test_log_p_where_p_underflows() -> None:
    y = np.r_[np.zeros(3000), np.ones(3000)]
    noise = np.random.default_rng(0).random(6000)
    got = delong(y, y + 1.01 * noise, noise[::-1])
    assert got.p == 0 and -1e6 < got.log_p < -745


def test_infinite_scores_rank_like_any_other() -> None:
    y = [0, 1, 0, 1, 1]
    finite, infinite = [0, 3, 1, 2, 0.5], [-math.inf, math.inf, 1, 2, 0.5]
    assert delong(y, finite, finite[::-1]) == delong(y, infinite, finite[::-1])


@pytest.mark.parametrize("y", [[1, 0, 0, 0], [1, 1, 0, 1]])
def test_one_item_of_a_class_is_not_estimable(y) -> None:
    got = asdict(delong(y, [1, 2, 3, 4], [4, 3, 2, 1]))
    assert not got.pop("estimable") and "single" in got.pop("reason")
    assert all(math.isnan(value) for value in got.values())


@pytest.mark.parametrize("y", [[1, 1, 1], [0, 0, 0], []])
def test_a_class_without_items_is_refused(y) -> None:
    with pytest.raises(DesignError, match="both classes"):
        delong(y, y, y)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(InputError) as refused:
        delong([0, 1, 2, math.nan], [0.1, math.nan, 0.3, 0.4], [0.1, 0.2, None, 0.4])
    said = str(refused.value)
    for place in ("y_true[2] = 2", "y_true[3]", "score_a[1]", "score_b[2]", "4 problems"):
        assert place in said


def test_different_lengths_are_named() -> None:
    with pytest.raises(InputError, match="score_a has 3, score_b has 2"):
        delong([0, 1, 1], [0.1, 0.2, 0.3], [0.1, 0.2])


def test_labels_may_be_booleans_and_inputs_lists_or_series() -> None:
    a, b = [0.1, 0.4, 0.35, 0.8], [0.2, 0.1, 0.6, 0.7]
    plain = delong([0, 0, 1, 1], a, b)
    assert plain == delong(np.array([False, False, True, True]), np.array(a), pd.Series(b))
    assert plain == delong(pd.Series([0, 0, 1, 1], index=list("wxyz")), pd.Series(a), tuple(b))


def test_memory_is_linear() -> None:
    import tracemalloc

    n = 20_000
    y = np.arange(n) % 2
    score = np.random.default_rng(0).random(n)
    tracemalloc.start()
    delong(y, score, score[::-1].copy())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * n  # bytes; all pairs would take 100 million
