"""Differences within participants, and with participants left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from eifer.errors import DesignError, InputError
from eifer.statistics import jackknife_deltas, participant_deltas, t_paired

K, EACH, REPETITIONS = 5, 24, 3
WHO = np.repeat([f"sub-{k:02d}" for k in range(K)], EACH)


@pytest.fixture(scope="module")
def items() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Five people, unequal classes, scores with ties."""
    rng = np.random.default_rng(4)
    y = (rng.random(len(WHO)) < 0.4).astype(int)
    a, b = (
        (y[:, None] * strength + rng.normal(size=(len(WHO), REPETITIONS))).round(1)
        for strength in (1.5, 0.5)
    )
    return WHO, y, a, b


def test_each_area_is_sklearns(items) -> None:
    found = participant_deltas(*items)
    who, y, a, b = items
    for k, name in enumerate(found.participants):
        mine = who == name
        for r in range(REPETITIONS):
            assert found.auc_a[k, r] == pytest.approx(roc_auc_score(y[mine], a[mine, r]), abs=1e-12)
            assert found.auc_b[k, r] == pytest.approx(roc_auc_score(y[mine], b[mine, r]), abs=1e-12)
        assert (found.n_items[k], found.n_positive[k]) == (EACH, y[mine].sum())
    assert found.mean == pytest.approx((found.auc_a - found.auc_b).mean(axis=1))
    assert found.estimable and not found.reasons and found.mean.mean() > 0


def test_order_of_items_changes_nothing_and_swapping_the_models_turns_the_sign(items) -> None:
    found = participant_deltas(*items)
    order = np.random.default_rng(0).permutation(len(WHO))
    again = participant_deltas(*(values[order] for values in items))
    assert again.participants == found.participants
    np.testing.assert_array_equal(again.delta, found.delta)
    who, y, a, b = items
    np.testing.assert_array_equal(participant_deltas(who, y, b, a).mean, -found.mean)


def test_one_class_is_listed_and_not_counted(items) -> None:
    who, y, a, b = items
    y = np.where(who == "sub-01", 1, np.where(who == "sub-03", 0, y))
    found = participant_deltas(who, y, a, b)
    assert found.reasons == {
        "sub-01": "all 24 items are of class 1",
        "sub-03": "all 24 items are of class 0",
    }
    assert np.isnan(found.mean[[1, 3]]).all() and len(found.usable) == 3
    assert t_paired(found.usable).df == 2
    nobody = participant_deltas(who, np.ones(len(y)), a, b)
    assert not nobody.estimable and "both classes" in str(nobody.reason)


def test_a_single_repetition_may_be_a_plain_list(items) -> None:
    who, y, a, b = items
    found = participant_deltas(who, y, list(a[:, 0]), list(b[:, 0]))
    np.testing.assert_array_equal(found.delta, participant_deltas(*items).delta[:, :1])


def test_pseudo_values_are_those_of_leaving_out(items) -> None:
    who, y, a, b = items

    def difference(rows: np.ndarray) -> float:
        return float(
            np.mean(
                [
                    roc_auc_score(y[rows], a[rows, r]) - roc_auc_score(y[rows], b[rows, r])
                    for r in range(REPETITIONS)
                ]
            )
        )

    found = jackknife_deltas(*items)
    every = difference(np.full(len(y), True))
    want = [K * every - (K - 1) * difference(who != name) for name in sorted(set(who))]
    assert found.delta == pytest.approx(every, abs=1e-12)
    assert found.pseudo == pytest.approx(want, abs=1e-12)


def test_the_jackknife_keeps_people_of_one_class_unless_they_alone_show_it(items) -> None:
    who, y, a, b = items
    found = jackknife_deltas(who, np.where(who == "sub-01", 1, y), a, b)
    assert found.estimable and not np.isnan(found.pseudo).any()
    alone = jackknife_deltas(who, np.where(who == "sub-01", y, 1), a, b)
    assert not alone.estimable and "sub-01" in str(alone.reason) and not math.isnan(alone.delta)
    for few in (jackknife_deltas(["a"] * 4, [0, 1, 0, 1], range(4), range(4)),):
        assert not few.estimable and few.reason == "a single participant"


@pytest.mark.parametrize("function", [participant_deltas, jackknife_deltas])
def test_bad_input_is_named(function) -> None:
    who, y, a = ["s1", "s1", "s2", "s2"], [0, 1, 0, 1], np.ones((4, 2))
    holed = a.copy()
    holed[2, 1] = np.nan
    with pytest.raises(InputError, match=r"missing score.*score_b\[2, 1\]"):
        function(who, y, a, holed)
    with pytest.raises(InputError, match="different lengths or repetitions"):
        function(who, y, a, a[:, :1])
    with pytest.raises(InputError, match="different lengths or repetitions"):
        function(who[:3], y, a, a)
    with pytest.raises(InputError, match=r"not 0 or 1.*y_true\[0\] = 2"):
        function(who, [2, 1, 0, 1], a, a)
    with pytest.raises(InputError, match=r"missing participant.*participant\[1\]"):
        function(["s1", None, "s2", "s2"], y, a, a)
    with pytest.raises(DesignError, match="no item"):
        function([], [], np.ones((0, 2)), np.ones((0, 2)))


def test_differences_that_cancel_are_exactly_0_and_equal_ones_are_equal() -> None:
    """Averages of floats gave eight people t = 7, q = .0002 from 1e-17."""
    rng = np.random.default_rng(5)
    who, y = np.repeat(list("abcdefgh"), 14), np.tile([0, 1], 56)
    a = rng.random((112, 6))
    # Model b has model a's repetitions in another order: the same on average, in everybody.
    got = participant_deltas(who, y, a, a[:, [3, 0, 5, 1, 2, 4]])
    assert got.delta.any() and (got.mean == 0).all()
    assert not t_paired(got.usable).estimable
    pseudo = jackknife_deltas(who, y, a, a[:, [3, 0, 5, 1, 2, 4]]).pseudo
    assert not t_paired(pseudo).estimable
    # A third of the pairs won, of 3 and of 12.
    few = participant_deltas(
        ["a"] * 4 + ["b"] * 8,
        [1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0],
        [[1], [0], [2], [2], [1], [1], [0], [0], [2], [2], [2], [2]],
        np.zeros((12, 1)),
    )
    assert few.mean[0] == few.mean[1]
