"""The ANOVAs against R, against each other, and where they must refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from eifer.ei.anova import factor, interactions, matrix, mixed_interaction, type3
from eifer.errors import DesignError
from tests.oracle import cases, oracle

CASES = cases("anova", 6)
VARIABLES = ["rmssd_ms", "sdnn_ms", "hf_ms2", "lf_hf_ratio"]
EMOTIONS = ["HAHV", "HALV", "LAHV", "LALV"]


def design(people: int = 6) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    participant = [f"sub-{i:02d}" for i in range(people) for _ in EMOTIONS]
    group = ["High" if i % 2 else "Low" for i in range(people) for _ in EMOTIONS]
    values = np.random.default_rng(5).normal(50, 10, len(participant))
    return values, participant, group, EMOTIONS * people


def close(got: object, want: object) -> bool:
    return bool(np.allclose(np.asarray(got, float), np.asarray(want, float), rtol=1e-8, atol=1e-9))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("variable", VARIABLES)
def test_type3_is_what_r_says(case: str, variable: str) -> None:
    rows, answers = oracle(case)
    answer = answers["variables"][variable]
    got = type3(rows[variable], rows["ei_group"], rows["emotion_label"])
    assert got.n_used == answer["n_obs"]
    r = answer["type3_sum_to_zero"]
    if "error" in r:
        assert not got.estimable
        assert got.reason == "1 of 8 cells empty (High x LALV)"
        assert got.table.isna().all(axis=None)
        return
    assert got.estimable
    assert got.reason is None
    for term, name in (("group", "ei_group"), ("emotion", "emotion_label"), ("interaction",) * 2):
        want = [r[name][key] for key in ("sum_sq", "df", "F", "p")]
        assert close(got.table.loc[term, ["sum_sq", "df", "f", "p"]], want)
    assert close(
        got.table.loc["residual", ["sum_sq", "df"]], [r["residual"][k] for k in ("sum_sq", "df")]
    )


@pytest.mark.parametrize("case", CASES)
def test_all_variables_at_once_are_the_same(case: str) -> None:
    rows, _ = oracle(case)
    got = interactions(
        matrix(rows[VARIABLES]),
        factor("group", rows["ei_group"], len(rows)),
        factor("emotion", rows["emotion_label"], len(rows)),
    )
    for i, variable in enumerate(VARIABLES):
        one = type3(rows[variable], rows["ei_group"], rows["emotion_label"])
        assert got.reason[i] == one.reason
        numbers = [got.sum_sq[i], got.df1[i], got.f[i], got.p[i]]
        np.testing.assert_allclose(numbers, one.table.loc["interaction"], rtol=1e-12)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.startswith(("anova__balanced", "anova__unbalanced"))]
)
@pytest.mark.parametrize("variable", VARIABLES)
def test_repeated_measures_are_what_r_says(case: str, variable: str) -> None:
    rows, answers = oracle(case)
    r = answers["repeated_measures_mixed_anova_type3"][variable]
    got = mixed_interaction(
        rows[variable], rows["participant_id"], rows["ei_group"], rows["emotion_label"]
    )
    keys = ("sum_sq", "num_df", "error_ss", "den_df", "F", "p")
    numbers = [got.sum_sq, got.df1, got.error_sum_sq, got.df2, got.f, got.p]
    assert close(numbers, [r["interaction"][key] for key in keys])
    assert close([got.epsilon, got.p_gg], [r["gg_epsilon"], r["interaction_p_greenhouse_geisser"]])
    assert got.n_participants == r["n_participants"]
    assert got.estimable


def test_two_emotions_are_a_t_test_of_differences() -> None:
    rng = np.random.default_rng(2)
    high, low = rng.normal(size=(7, 2)), rng.normal(size=(12, 2))
    values = np.vstack([high, low]).ravel()
    participant = np.repeat(np.arange(19), 2)
    group = np.repeat(["High"] * 7 + ["Low"] * 12, 2)
    got = mixed_interaction(values, participant, group, ["a", "b"] * 19)
    t, p = stats.ttest_ind(high @ [1, -1], low @ [1, -1])
    assert np.allclose([got.f, got.p, got.p_gg, got.epsilon], [t**2, p, p, 1])


def test_people_who_differ_drown_only_the_between_model() -> None:
    values, participant, group, emotion = design(20)
    level = np.repeat(np.random.default_rng(1).normal(0, 1000, 20), 4)
    still = mixed_interaction(values, participant, group, emotion)
    moved = mixed_interaction(values + level, participant, group, emotion)
    assert moved.f == pytest.approx(still.f, rel=1e-9)
    assert type3(values + level, group, emotion).table.loc["interaction", "p"] > 0.999


def test_incomplete_participants_are_left_out_and_named() -> None:
    values, participant, group, emotion = design(8)
    values[5] = np.nan
    got = mixed_interaction(values, participant, group, emotion)
    others = [i for i, who in enumerate(participant) if who != "sub-01"]
    want = mixed_interaction(
        values[others], *([part[i] for i in others] for part in (participant, group, emotion))
    )
    assert got.left_out == ("sub-01",)
    assert got.n_participants == 7
    assert (got.f, got.p) == pytest.approx((want.f, want.p))


def test_a_far_origin_costs_no_digits() -> None:
    values, participant, group, emotion = design()
    values = np.round(values, 3) * 1024 // 1 / 1024
    near, far = (type3(values + shift, group, emotion).table for shift in (0, 2.0**20))
    np.testing.assert_allclose(far.loc["interaction"], near.loc["interaction"], rtol=1e-10)
    near_f, far_f = (
        mixed_interaction(values + shift, participant, group, emotion).f for shift in (0, 2.0**20)
    )
    assert far_f == pytest.approx(near_f, rel=1e-10)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda v, g, e: np.full_like(v, 0.1), "constant"),
        (lambda v, g, e: np.zeros_like(v), "constant"),
        (lambda v, g, e: (g == "High") * (e == "LALV") + 0.3, "fitted perfectly"),
        (lambda v, g, e: np.where(e == "LALV", np.nan, v), "2 of 8 cells empty"),
        (lambda v, g, e: np.where(np.arange(len(v)) < 8, v, np.nan), "8 values for 8 cells"),
        (lambda v, g, e: np.full_like(v, np.nan), "8 of 8 cells empty"),
    ],
)
def test_no_number_where_the_design_cannot_answer(spoil: Any, reason: str) -> None:
    values, participant, group, emotion = design()
    spoilt = spoil(values, np.array(group), np.array(emotion))
    got = type3(spoilt, group, emotion)
    assert not got.estimable
    assert reason in str(got.reason)
    assert got.table.isna().all(axis=None)
    mixed = mixed_interaction(spoilt, participant, group, emotion)
    assert not mixed.estimable
    assert mixed.reason
    assert np.isnan([mixed.f, mixed.p, mixed.df2, mixed.epsilon, mixed.p_gg, mixed.sum_sq]).all()


def test_one_group_or_one_emotion_is_no_design() -> None:
    values, participant, group, emotion = design()
    same = ["x"] * len(values)
    assert type3(values, same, emotion).reason == "only one group (x)"
    assert type3(values, group, same).reason == "only one emotion (x)"
    assert mixed_interaction(values, participant, same, emotion).reason == "only one group (x)"


def test_one_person_a_group_leaves_no_error() -> None:
    values, participant, group, emotion = design(2)
    got = mixed_interaction(values, participant, group, emotion)
    assert "no residual" in str(got.reason)
    assert "no residual" in str(type3(values, group, emotion).reason)


def test_wrong_rows_are_named() -> None:
    values, participant, group, emotion = design()
    with pytest.raises(DesignError, match="group has 3 entries for 24"):
        type3(values, group[:3], emotion)
    with pytest.raises(DesignError, match=r"1 of 24 rows have no emotion \(rows 2\)"):
        type3(values, group, [*emotion[:2], None, *emotion[3:]])
    with pytest.raises(DesignError, match=r"1 values are infinite or beyond 1e\+50 \(row 1 of"):
        type3([1.0, np.inf, *values[2:]], group, emotion)
    with pytest.raises(DesignError, match=r"more than one row.*sub-00 HAHV"):
        mixed_interaction(values, participant, group, ["HAHV", *emotion[:-1]])
    with pytest.raises(DesignError, match=r"in two groups.*sub-00"):
        mixed_interaction(values, participant, ["High", *group[1:]], emotion)


@pytest.mark.parametrize("mean", [0.0, 800.0, 1e6])
@pytest.mark.parametrize("sd", [1e-4, 1.0])
def test_a_large_mean_is_no_perfect_fit(mean: float, sd: float) -> None:
    """A variable of mean 800 and SD 1e-4 was "fitted perfectly"."""
    values, participant, group, emotion = design()
    plain = (values - 50) / 10
    moved = mean + sd * plain
    digits = 1e-3 if mean > 1e5 * sd else 1e-6
    one, other = type3(plain, group, emotion), type3(moved, group, emotion)
    assert other.estimable
    assert np.allclose(one.table["f"][:3], other.table["f"][:3], rtol=digits)
    one, other = (mixed_interaction(y, participant, group, emotion) for y in (plain, moved))
    assert other.estimable and other.f == pytest.approx(one.f, rel=digits)


@pytest.mark.parametrize("mean", [0.3, 800.1, 1e6 + 0.1])
def test_last_digits_are_no_residual(mean: float) -> None:
    values, participant, group, emotion = design()
    last = mean * (1 + 1e-16 * np.round(values % 4))
    assert len(set(last)) > 1
    assert type3(last, group, emotion).reason == "constant"
    fitted = last + 5.0 * (np.asarray(emotion) == "HAHV")
    assert "perfectly" in (type3(fitted, group, emotion).reason or "")
    assert not mixed_interaction(fitted, participant, group, emotion).estimable
