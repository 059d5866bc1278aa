"""From scores to q-values, as published, against R."""

from __future__ import annotations

import pandas as pd
import pytest

from eifer.statistics import (
    benjamini_hochberg,
    delong,
    fisher,
    gee_odds_ratios,
    pool_fixed,
    pool_random,
    t_paired,
)

STEM = "pipeline__4_participants_4_videos_6_frames_5_reps"
OTHERS = {"Low": "low", "Total": "total"}


@pytest.fixture
def tests(oracle):
    rows, answers = oracle(STEM)
    by_model = {
        key: part.set_index("item_id").sort_index()
        for key, part in rows.groupby(["training_group", "repetition"])
    }
    deltas = {}
    for other in OTHERS:
        deltas[other] = [
            delong(
                by_model["High", r]["y_true"],
                by_model["High", r]["score"],
                by_model[other, r]["score"],
            )
            for r in range(1, 6)
        ]
    predicted = rows["score"] >= rows["threshold"]
    gee = gee_odds_ratios(rows.assign(correct=predicted == rows["y_true"].astype(bool)))
    return deltas, gee, answers


@pytest.mark.parametrize("other", OTHERS)
def test_every_number_of_a_contrast(other, tests, same) -> None:
    deltas, _, answers = tests
    answer = answers["comparisons"][f"high_minus_{OTHERS[other]}"]
    names = {"auc_a": "auc_high", "auc_b": "auc_other"}
    for got, want in zip(deltas[other], answer["per_repetition"], strict=True):
        for name in ("auc_a", "auc_b", "delta", "se", "ci_low", "ci_high", "z", "p"):
            same(getattr(got, name), want[names.get(name, name)], 1e-10, 1e-9)
    table = pd.DataFrame(map(vars, deltas[other]))
    combined = fisher(table["p"])
    same(combined.statistic, answer["fisher_chi2"], 1e-10, 1e-9)
    same(combined.p, answer["fisher_p"], 1e-10, 1e-9)
    same(combined.log_p, answer["fisher_log_p"], 1e-10, 1e-9)
    pools = {
        "fixed_effect": pool_fixed(table["delta"], table["se"]),
        "random_DL_knapp_hartung": pool_random(
            table["delta"], table["se"], method="dl", knapp_hartung=True
        ),
    }
    for key, got in pools.items():
        fields = {"delta": "estimate", "Q": "q", "Q_p": "q_p", "I2": "i2"}
        for name, want in answer[key].items():
            same(getattr(got, fields.get(name, name)), want, 1e-9, 1e-8)
        same(got.mean, answer["mean_delta"], 1e-12, 1e-10)
    same(t_paired(table["delta"]).p, answer["t_test_over_repetitions_p"], 1e-10, 1e-8)


def test_gee_and_families(tests, same) -> None:
    deltas, gee, answers = tests
    answer = answers["gee_item_cluster_exchangeable"]
    same(gee.alpha, answer["alpha"], 1e-8, 1e-8)
    names = {"se": "robust_se"}
    p, family, order = [], [], []
    for other, word in OTHERS.items():
        for name in ("coef", "se", "p", "odds_ratio", "ci_low", "ci_high"):
            want = answer["effects"][f"{word}_vs_high"][names.get(name, name)]
            same(gee.table.loc[other, name], want, 1e-8, 1e-8)
        p += [fisher([one.p for one in deltas[other]]).p, gee.table.loc[other, "p"]]
        family += ["delong", "gee"]
        order += [f"delong_high_vs_{word}", f"gee_{word}_vs_high"]
    for q, key in zip(benjamini_hochberg(p, family), order, strict=True):
        same(q, answers["q_bh_within_family"][key], 1e-8, 1e-8)
