from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from eifer.comparison.beside import interaction, stability
from eifer.summaries import sensitivity
from eifer.summaries.sensitivity import left_out_in_turn
from eifer.tables.comparison import BY_ASSIGNMENT, PARTICIPANT_DELTAS


def deltas(values: dict[str, list[float]], seed: int = 0) -> pd.DataFrame:
    """Rows of PARTICIPANT_DELTAS with these differences, by condition; NaN for one class alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for condition, differences in values.items():
        for k, delta in enumerate(differences):
            one_class = np.isnan(delta)
            auc_b = np.nan if one_class else rng.uniform(0.5, 0.8)
            rows.append(
                {
                    "models": "pretrained", "task": "valence", "condition": condition,
                    "contrast": "High-Low", "participant_id": f"sub-{k:02d}", "n_items": 8,
                    "n_positive": 0 if one_class else 4, "auc_a": auc_b + delta, "auc_b": auc_b,
                    "auc_a_sd": rng.uniform(0.01, 0.02), "auc_b_sd": rng.uniform(0.02, 0.04),
                    "delta": delta, "delta_sd": 0.01, "reason": "one class" if one_class else None,
                }
            )  # fmt: skip
    return PARTICIPANT_DELTAS.frame(rows)


def test_an_interaction_is_the_difference_of_differences_within_people() -> None:
    a, b = [0.1, 0.2, 0.15, 0.05, np.nan], [0.02, 0.01, 0.06, np.nan, 0.03]
    (row,) = interaction(deltas({"ambiguous": b, "baseline": a})).to_dict("records")
    assert (row["condition"], row["other_condition"]) == ("baseline", "ambiguous")
    known = scipy_stats.ttest_rel(a[:3], b[:3])
    assert row["n_used"] == 3
    assert row["estimate"] == pytest.approx(np.mean(np.subtract(a[:3], b[:3])))
    assert row["p"] == pytest.approx(known.pvalue)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx(known.confidence_interval())
    assert row["q"] == row["p"]


def test_people_without_both_conditions_leave_no_test_but_a_reason() -> None:
    nan = float("nan")
    (row,) = interaction(deltas({"baseline": [0.1, nan], "ambiguous": [nan, 0.1]})).to_dict(
        "records"
    )
    assert (row["n_used"], row["reason"]) == (0, "nobody has both")
    assert np.isnan(row["p"])


def test_stability_over_trainings_and_over_people() -> None:
    table = deltas({"baseline": list(np.random.default_rng(3).normal(0, 0.1, 12))})
    (row,) = stability(table).to_dict("records")
    over = scipy_stats.ttest_rel(table["auc_a_sd"], table["auc_b_sd"])
    assert row["p"] == pytest.approx(over.pvalue)
    assert row["estimate"] < 0  # High varies less
    total, difference = table["auc_a"] + table["auc_b"], table["auc_a"] - table["auc_b"]
    assert row["people_p"] == pytest.approx(scipy_stats.pearsonr(total, difference).pvalue)
    assert row["over_people_sd_a"] == pytest.approx(table["auc_a"].std())


def test_equal_variances_are_called_different_at_the_level() -> None:
    """Pitman and Morgan's test under its null: both models' AUCs vary alike, and together."""
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(300):
        shared, own = rng.normal(0, 1, 10), rng.normal(0, 1, (2, 10))
        table = deltas({"baseline": [0.0] * 10})
        table["auc_a"], table["auc_b"] = (0.6 + 0.05 * (shared + part) for part in own)
        rejected += stability(table)["people_p"].iloc[0] < 0.05
    assert 0.01 < rejected / 300 < 0.09


def test_the_ends_without_each_participant() -> None:
    (row,) = left_out_in_turn(deltas({"baseline": [0.1, -0.02, 0.04]}))
    assert row["delta"] == pytest.approx(0.04)
    assert (row["low"], row["high"]) == pytest.approx((0.01, 0.07))


def test_every_assignment_but_the_random_ones_is_another_choice_in_words() -> None:
    known = {"models": "pretrained", "task": "valence", "condition": "baseline"}
    known |= {"contrast": "High-Low", "n_used": 3, "n_participants": 3}
    given = {"ei": 0.04, "own": 0.02, "clear": -0.01, "final": 0.05, "above820": 0.1, "null01": 0.3}
    given["blendshapes"] = -0.02
    rows = [known | {"assignment": name, "delta": delta} for name, delta in given.items()]
    score = {"task": "valence", "condition": "baseline", "macro_f1": 0.5}
    metrics = pd.DataFrame(
        score | {"training_group": group, "threshold_kind": kind}
        for group in ("High", "Low")
        for kind in ("searched", "half")
    )
    made, _ = sensitivity.table(
        deltas({"baseline": [0.1, -0.02, 0.04]}), BY_ASSIGNMENT.frame(rows), metrics
    )
    survives = made[made["of"] == "ΔAUC"].set_index("choice")["survives"].to_dict()
    ends = made.set_index("choice")["otherwise"]
    assert ends["each participant left out in turn"] == "+0.0100 to +0.0700"
    assert ends["no neutral ratings in training"] == "−0.0100"
    assert survives == {
        "each participant left out in turn": "yes",
        "each task's own frames in training": "yes",
        "no neutral ratings in training": "no",
        "last epoch kept": "yes",
        "cutoff 820": "yes",
        "training frames chosen by blendshapes": "no",
    }
