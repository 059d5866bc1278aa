"""The published comparison against R, and what it says where it must not be believed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.comparison import ComparisonSpec, as_published
from eifer.errors import DesignError, InputError
from eifer.tables.comparison import COMPARISON, DELONG
from eifer.tables.evaluation import PREDICTIONS
from tests.oracle import oracle, same
from tests.rows import broken

SPEC = ComparisonSpec(alpha=0.05, family=("condition",), few_participants=40)
GROUPS = ("High", "Low", "Total")


@pytest.fixture(scope="module")
def pipeline() -> tuple[pd.DataFrame, dict[str, Any]]:
    """R's end-to-end case as a table of predictions, and R's answers."""
    rows, answers = oracle("pipeline__4_participants_4_videos_6_frames_5_reps")
    rows = rows.rename(columns={"y_true": "label"})
    rows = rows.assign(task="arousal", condition="baseline", rotation="1")
    for name in ("participant_id", "video_id"):
        rows[name] = rows[name].astype(str)
    return PREDICTIONS.conform(rows), answers


@pytest.fixture(scope="module")
def compared(pipeline: tuple[pd.DataFrame, Any]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return as_published(pipeline[0], SPEC)


def simulated(
    scores: dict[str, list[np.ndarray]],
    labels: np.ndarray,
    *,
    participants: int = 4,
    task: str = "arousal",
    condition: str = "baseline",
) -> pd.DataFrame:
    """Predictions of each group's repetitions, given their scores of the same items."""
    items = np.arange(len(labels))
    parts = [
        pd.DataFrame(
            {
                "rotation": "1",
                "item_id": [f"item-{i:03d}" for i in items],
                "participant_id": [f"sub-{i % participants:02d}" for i in items],
                "video_id": [f"sub-{i % participants:02d}_run-1" for i in items],
                "task": task,
                "condition": condition,
                "training_group": group,
                "repetition": repetition,
                "score": values,
                "threshold": 0.5,
                "label": labels,
            }
        )
        for group, models in scores.items()
        for repetition, values in enumerate(models, 1)
    ]
    return PREDICTIONS.conform(pd.concat(parts))


LABELS = np.tile([0, 1], 30)


def noisy(strength: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    logit = strength * (LABELS - 0.5) + rng.normal(size=len(LABELS))
    return 1 / (1 + np.exp(-logit))


def three_groups(strengths: dict[str, list[float]]) -> dict[str, list[np.ndarray]]:
    return {
        group: [noisy(strength, 10 * place + i) for i, strength in enumerate(strengths[group])]
        for place, group in enumerate(GROUPS)
    }


@pytest.fixture(scope="module")
def plain() -> pd.DataFrame:
    return simulated(three_groups({group: [2.0, 2.0, 2.0] for group in GROUPS}), LABELS)


@pytest.mark.parametrize("other", ["low", "total"])
def test_every_number_of_the_pipeline_is_that_of_r(other: str, pipeline, compared) -> None:
    tests, table = compared
    answer = pipeline[1]["comparisons"][f"high_minus_{other}"]
    contrast = f"High-{other.capitalize()}"
    mine = tests[tests["contrast"] == contrast]
    names = {"auc_a": "auc_high", "auc_b": "auc_other"}
    for got, want in zip(mine.to_dict("records"), answer["per_repetition"], strict=True):
        for name in ("auc_a", "auc_b", "delta", "se", "ci_low", "ci_high", "z", "p"):
            same(got[name], want[names.get(name, name)], 1e-10, 1e-9)
    row = table.set_index("contrast").loc[contrast]
    pooled, effect = answer["fixed_effect"], pipeline[1]["gee_item_cluster_exchangeable"]
    odds = effect["effects"][f"{other}_vs_high"]
    q = pipeline[1]["q_bh_within_family"]
    for name, want in {
        "fisher_statistic": answer["fisher_chi2"],
        "fisher_df": answer["fisher_df"],
        "fisher_p": answer["fisher_p"],
        "fisher_log_p": answer["fisher_log_p"],
        "fisher_q": q[f"delong_high_vs_{other}"],
        "mean_delta": answer["mean_delta"],
        "pooled_delta": pooled["delta"],
        "pooled_se": pooled["se"],
        "pooled_ci_low": pooled["ci_low"],
        "pooled_ci_high": pooled["ci_high"],
        "pooled_p": pooled["p"],
        "heterogeneity_q": pooled["Q"],
        "heterogeneity_p": pooled["Q_p"],
        "i2_pct": pooled["I2"],
        "gee_coef": odds["coef"],
        "gee_se": odds["robust_se"],
        "gee_odds_ratio": odds["odds_ratio"],
        "gee_ci_low": odds["ci_low"],
        "gee_ci_high": odds["ci_high"],
        "gee_p": odds["p"],
        "gee_q": q[f"gee_{other}_vs_high"],
        "gee_alpha": effect["alpha"],
    }.items():
        same(row[name], want, 1e-8, 1e-8)
    sizes = row[["n_items", "n_positive", "n_participants", "n_repetitions"]]
    assert sizes.tolist() == [96, len(pipeline[0].query("label == 1")) // 15, 4, 5]


def test_tables_keep_their_promises(compared) -> None:
    tests, table = compared
    assert broken(DELONG, tests) == []
    assert broken(COMPARISON, table, delong=tests) == []
    flipped = table.assign(fisher_q=table["fisher_p"] / 2)
    assert "q_is_not_below_p" in broken(COMPARISON, flipped, delong=tests)
    silent = table.assign(gee_odds_ratio=math.nan)
    assert "missing_with_reason" in broken(COMPARISON, silent, delong=tests)
    assert "rests_on_its_tests" in broken(COMPARISON, table, delong=tests[1:])
    assert "delta_is_the_difference" in broken(DELONG, tests.assign(delta=-tests["delta"]))


def test_order_of_rows_and_the_affect_network_change_nothing(pipeline, compared) -> None:
    rows = pipeline[0]
    affect = rows[(rows["training_group"] == "High") & (rows["repetition"] == 1)]
    affect = affect.assign(training_group="Affect", repetition=0)
    mixed = pd.concat([rows, affect]).sample(frac=1, random_state=0)
    for got, want in zip(as_published(mixed, SPEC), compared, strict=True):
        pd.testing.assert_frame_equal(got, want)


def test_families_are_what_params_say(plain) -> None:
    both = pd.concat([plain, plain.assign(task="valence"), plain.assign(condition="ambiguous")])
    sizes = {"baseline": 4, "ambiguous": 2}
    _, table = as_published(both, SPEC)
    assert table["family"].value_counts().to_dict() == sizes
    _, apart = as_published(
        both, ComparisonSpec(alpha=0.05, family=("condition", "task"), few_participants=40)
    )
    assert set(apart["family"]) == {"baseline arousal", "baseline valence", "ambiguous arousal"}
    _, one = as_published(both, ComparisonSpec(alpha=0.05, family=(), few_participants=40))
    assert set(one["family"]) == {"all"}
    # Identical tests twice in a family leave q where one pair of them would have it.
    assert table.loc[table["family"] == "ambiguous", "fisher_q"].max() == pytest.approx(
        one["fisher_q"].max()
    )
    with pytest.raises(ValueError, match="colour"):
        ComparisonSpec(alpha=0.05, family=("colour",), few_participants=40)


def test_a_class_with_one_frame_has_no_area_but_its_odds_ratio(plain) -> None:
    one = plain["item_id"] == "item-000"
    tests, table = as_published(plain.assign(label=one.astype(int)), SPEC)
    assert not tests["estimable"].any()
    assert tests["reason"].str.contains("a class has a single item").all()
    assert tests[["delta", "p"]].isna().all(axis=None)
    assert table["fisher_reason"].str.contains("single item").all()
    assert table["pooled_delta"].isna().all()
    assert table["gee_odds_ratio"].notna().all()


def test_a_group_that_never_errs_has_a_reason_and_the_other_a_number(plain) -> None:
    perfect = plain["training_group"] == "Low"
    scores = plain["score"].where(~perfect, 0.1 + 0.8 * plain["label"])
    _, table = as_published(plain.assign(score=scores), SPEC)
    rows = table.set_index("contrast")
    assert "always right" in rows.loc["High-Low", "gee_reason"]
    assert math.isnan(rows.loc["High-Low", "gee_odds_ratio"])
    assert rows.loc["High-Total", "gee_odds_ratio"] > 0
    assert pd.isna(rows.loc["High-Total", "gee_reason"])
    # The missing p does not count in its family.
    assert rows.loc["High-Total", "gee_q"] == rows.loc["High-Total", "gee_p"]


def warned(scores: dict[str, list[np.ndarray]], contrast: str = "High-Low", **kwargs: Any) -> str:
    _, table = as_published(simulated(scores, LABELS, **kwargs), SPEC)
    text = table.set_index("contrast").loc[contrast, "warnings"]
    return "" if pd.isna(text) else text


def test_a_shared_test_set_and_few_people_are_always_said(plain) -> None:
    _, table = as_published(plain, SPEC)
    assert table["warnings"].str.contains("share one test set of 60 frames").all()
    assert table["warnings"].str.contains("show 4 people").all()
    many = simulated(three_groups({group: [2.0] * 3 for group in GROUPS}), LABELS, participants=50)
    _, table = as_published(many, SPEC)
    assert not table["warnings"].str.contains("people; DeLong").any()


def test_contradictions_are_said() -> None:
    # One repetition near the ceiling, where the SE is small, against two far from it.
    ceiling = np.where(LABELS == 1, 0.9, 0.1) + np.linspace(-0.05, 0.05, len(LABELS))
    slip = ceiling.copy()
    slip[[0, 1]] = 0.5, 0.45
    high = [slip, noisy(3.0, 1), noisy(3.0, 2)]
    low = [ceiling, noisy(0.5, 3), noisy(0.5, 4)]
    text = warned({"High": high, "Low": low, "Total": low})
    assert "opposite directions" in text
    assert "holds 0" in text and "Fisher's q is below 0.05" in text
    assert "more than sampling error" in text
    assert "significantly in both directions" not in text

    swapped = {"High": [high[1], low[1]], "Low": [low[1], high[1]], "Total": [low[1], high[1]]}
    text = warned(swapped)
    assert "significantly in both directions (1 for High, 1 against)" in text

    agreeing = three_groups({group: [2.0] * 3 for group in GROUPS})
    assert "opposite" not in warned(agreeing) and "holds 0" not in warned(agreeing)


def test_chance_and_repetitions_without_weight_are_said() -> None:
    same = noisy(2.0, 5)
    scores = {
        "High": [same, noisy(2.0, 6)],
        "Low": [same, noisy(2.0, 7)],
        "Total": [np.full(len(LABELS), 0.4), noisy(0.0, 8)],
    }
    assert "Repetition 1 has a standard error of 0" in warned(scores)
    assert "at chance" not in warned(scores)
    text = warned(scores, "High-Total")
    assert "Total is at chance in 2 of 2 repetitions" in text and "High is at" not in text


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda p: p.drop(index=p[p["training_group"] == "Low"].index[0]), r"Low 1 item-000"),
        (lambda p: pd.concat([p, p.iloc[[5]]]), r"duplicate row \(1\).*item-005"),
        (lambda p: p.assign(score=p["score"].mask(p.index == 3)), r"not in 0..1 \(1\).*item-003"),
        (lambda p: p.assign(label=p["label"].where(p.index != 0, 1)), r"same label.*item-000"),
        (
            lambda p: p[(p["training_group"] != "Total") | (p["repetition"] < 3)],
            r"same repetitions.*(High|Low) 3",
        ),
        (lambda p: p.assign(label=1), r"one class.*arousal baseline \(all 60 items are high\)"),
        (
            lambda p: p[p["repetition"] == 2],
            r"fewer than two repetitions.*arousal baseline \(repetition 2\)",
        ),
        (
            lambda p: p.assign(participant_id=p["participant_id"].mask(p.index == 0, "sub-09")),
            r"two participants.*item-000",
        ),
    ],
    ids=["items", "duplicate", "nan", "label", "repetitions", "class", "one", "participants"],
)
def test_what_cannot_be_compared_is_refused_by_name(plain, harm, said: str) -> None:
    with pytest.raises(InputError, match=r"(?s)" + said):
        as_published(harm(plain), SPEC)


def test_everything_wrong_is_said_at_once(plain) -> None:
    bad = plain[plain["repetition"] == 1].assign(label=0)
    bad = pd.concat([bad, bad.iloc[[3]]])
    with pytest.raises(InputError) as refused:
        as_published(bad, SPEC)
    for said in ("duplicate row (1)", "one class", "fewer than two repetitions"):
        assert said in str(refused.value)


def test_a_missing_group_is_refused(plain) -> None:
    with pytest.raises(DesignError, match="Total in arousal baseline"):
        as_published(plain[plain["training_group"] != "Total"], SPEC)
    with pytest.raises(DesignError, match="no predictions of High, Low, Total"):
        as_published(plain[:0], SPEC)


def test_a_difference_without_variance_is_no_finding_and_is_said() -> None:
    """A perfect model against a constant one gave q = 0 without a word."""
    perfect, constant = 0.1 + 0.8 * LABELS, np.full(len(LABELS), 0.3)
    noisy = np.random.default_rng(1).random(len(LABELS))
    scores = {"High": [perfect] * 3, "Low": [constant] * 3, "Total": [constant, noisy, noisy]}
    tests, table = as_published(simulated(scores, LABELS), SPEC)
    rows = table.set_index("contrast")
    low = rows.loc["High-Low"]
    assert math.isnan(low["fisher_p"]) and math.isnan(low["fisher_q"])
    assert "every item shows the same difference" in low["fisher_reason"]
    assert low["mean_delta"] == 0.5 and math.isnan(low["pooled_delta"])
    total = rows.loc["High-Total"]
    assert total["fisher_n_used"] == 2 and total["fisher_p"] > 0
    assert "Repetition 1 has no DeLong test (every item shows the same" in total["warnings"]
    assert tests["delta"].notna().all() and not broken(DELONG, tests)
    assert not broken(COMPARISON, table, delong=tests)


def test_a_p_value_of_0_is_said() -> None:
    labels = np.r_[np.zeros(3000), np.ones(3000)].astype(int)
    noise = np.random.default_rng(0).random(6000)
    near, far = (labels + 1.01 * noise) / 2.01, noise[::-1]
    scores = {"High": [near] * 2, "Low": [far] * 2, "Total": [far] * 2}
    _, table = as_published(simulated(scores, labels), SPEC)
    assert (table["fisher_p"] == 0).all()
    assert table["warnings"].str.contains("A p-value is 0 to the last digit").all()
