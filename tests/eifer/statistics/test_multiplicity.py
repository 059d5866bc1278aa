"""q-values against R's p.adjust."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from eifer.errors import InputError
from eifer.statistics import benjamini_hochberg, holm
from tests.oracle import cases, oracle, same


@pytest.mark.parametrize("case", cases("bh", 3))
def test_what_r_says(case) -> None:
    rows, answers = oracle(case)
    got = benjamini_hochberg(rows["p_value"], rows["family"])
    assert len(got) == len(rows)
    for q, answer in zip(got, answers["q_bh"], strict=True):
        same(q, answer, 1e-14, 1e-10)
    rejected = [bool(q < 0.05) for q in got]
    assert rejected == answers["reject_bh_05"]


def test_a_family_of_one_keeps_its_p() -> None:
    assert benjamini_hochberg([0.03, 0.2], ["a", "b"]).tolist() == [0.03, 0.2]


def test_the_order_given_is_kept() -> None:
    p = np.array([0.04, 0.001, 0.5, 0.02, 0.3])
    order = np.array([3, 0, 4, 2, 1])
    assert np.array_equal(benjamini_hochberg(p)[order], benjamini_hochberg(p[order]))


@pytest.mark.parametrize("p", [[], [np.nan, np.nan]])
def test_nothing_to_correct(p) -> None:
    assert np.array_equal(benjamini_hochberg(p), p, equal_nan=True)


def test_the_index_of_a_series_does_not_matter() -> None:
    p, family = (
        pd.Series([0.01, 0.02, 0.03], index=[7, 7, 1]),
        pd.Series(list("aab"), index=[2, 1, 0]),
    )
    assert benjamini_hochberg(p, family).tolist() == [0.02, 0.02, 0.03]


@pytest.mark.parametrize(
    ("p", "family", "said"),
    [
        ([0.1, 1.2], None, r"p\[1\] = 1.2"),
        ([0.1, -0.1], None, r"p\[1\] = -0.1"),
        ([0.1, 0.2], ["a"], "p has 2, family has 1"),
        ([0.1, 0.2], ["a", None], r"family\[1\]"),
    ],
)
def test_bad_input_is_named(p, family, said) -> None:
    with pytest.raises(InputError, match=said):
        benjamini_hochberg(p, family)


def test_round_off_brings_no_q_below_its_p_nor_above_one() -> None:
    p = np.random.default_rng(0).random((200, 3))
    for row in p:
        q = benjamini_hochberg(row)
        assert (q >= row).all() and (q <= 1).all()


def test_holm_is_that_of_statsmodels_in_each_family() -> None:
    n = 3  # statsmodels takes .6 s for each
    p = np.random.default_rng(0).random((n, 7)) ** 3
    p[:, 3] = p[:, 5]  # ties
    family = np.tile(["a", "b"], (n, 1)).repeat([4, 3], axis=1)
    for row, of_test in zip(p, family, strict=True):
        apart = [multipletests(row[of_test == name], method="holm")[1] for name in ("a", "b")]
        np.testing.assert_allclose(holm(row, of_test), np.concatenate(apart), rtol=1e-14)
    # A missing p counts in no family.
    np.testing.assert_allclose(holm([0.01, np.nan, 0.04]), [0.02, np.nan, 0.04])
    assert (holm(p[0]) >= benjamini_hochberg(p[0])).all()
