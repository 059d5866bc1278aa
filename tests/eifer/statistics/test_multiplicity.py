"""q-values against R's p.adjust."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from eifer.errors import InputError
from eifer.statistics import benjamini_hochberg, holm


@pytest.mark.parametrize("case", ["twelve_p_one_family", "two_families", "with_na_and_ties"])
def test_what_r_says(case, oracle, same) -> None:
    rows, answers = oracle(f"bh__{case}")
    got = benjamini_hochberg(rows["p_value"], rows["family"])
    assert len(got) == len(rows)
    for q, answer in zip(got, answers["q_bh"], strict=True):
        same(q, answer, 1e-14, 1e-10)
    rejected = [bool(q < 0.05) for q in got]
    assert rejected == answers["reject_bh_05"]


def test_one_family_is_not_two(oracle) -> None:
    rows, _ = oracle("bh__two_families")
    together = benjamini_hochberg(rows["p_value"])
    assert not np.allclose(together, benjamini_hochberg(rows["p_value"], rows["family"]))


def test_a_family_of_one_keeps_its_p() -> None:
    assert benjamini_hochberg([0.03, 0.2], ["a", "b"]).tolist() == [0.03, 0.2]


def test_the_order_given_is_kept() -> None:
    p = np.array([0.04, 0.001, 0.5, 0.02, 0.3])
    order = np.array([3, 0, 4, 2, 1])
    assert np.array_equal(benjamini_hochberg(p)[order], benjamini_hochberg(p[order]))


def test_missing_stays_missing_and_uncounted() -> None:
    got = benjamini_hochberg([0.01, None, 0.04, np.nan])
    assert np.isnan(got[[1, 3]]).all()
    assert np.allclose(got[[0, 2]], [0.02, 0.04])


@pytest.mark.parametrize("p", [[], [np.nan, np.nan]])
def test_nothing_to_correct(p) -> None:
    assert np.array_equal(benjamini_hochberg(p), p, equal_nan=True)


def test_the_index_of_a_series_does_not_matter() -> None:
    p, family = (
        pd.Series([0.01, 0.02, 0.03], index=[7, 7, 1]),
        pd.Series(list("aab"), index=[2, 1, 0]),
    )
    assert benjamini_hochberg(p, family).tolist() == [0.02, 0.02, 0.03]


def test_never_above_one_nor_below_p() -> None:
    p = np.random.default_rng(1).random(50) ** 0.1
    q = benjamini_hochberg(p)
    assert (q <= 1).all() and (q >= p - 1e-15).all()


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


def test_round_off_brings_no_q_below_its_p() -> None:
    p = np.random.default_rng(0).random((200, 3))
    assert all((benjamini_hochberg(row) >= row).all() for row in p)


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
