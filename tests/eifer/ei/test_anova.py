"""The ANOVAs against R, against each other, and where they must refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from eifer.ei.anova import Interactions, factor, interactions, matrix, split_plot, to_profiles
from eifer.errors import DesignError

REFERENCE = Path(__file__).parents[2] / "reference"
CASES = sorted(path.name.split("__")[1] for path in REFERENCE.glob("anova__*__input.csv"))
VARIABLES = ["rmssd_ms", "sdnn_ms", "hf_ms2", "lf_hf_ratio"]
EMOTIONS = ["HAHV", "HALV", "LAHV", "LALV"]


def reference(case: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = pd.read_csv(REFERENCE / f"anova__{case}__input.csv")
    return rows, json.loads((REFERENCE / f"anova__{case}__reference.json").read_text())


def design(people: int = 6) -> tuple[np.ndarray, list[str], list[str], list[str]]:
    participant = [f"sub-{i:02d}" for i in range(people) for _ in EMOTIONS]
    group = ["High" if i % 2 else "Low" for i in range(people) for _ in EMOTIONS]
    values = np.random.default_rng(5).normal(50, 10, len(participant))
    return values, participant, group, EMOTIONS * people


def between(values, group, emotion) -> Interactions:
    y = matrix(values)
    return interactions(y, factor("group", group, len(y)), factor("emotion", emotion, len(y)))


def mixed(values, participant, group, emotion) -> Interactions:
    people = dict(sorted(zip(map(str, participant), group, strict=True)))
    profiles = to_profiles(matrix(values), participant, emotion)
    return split_plot(profiles, factor("group", list(people.values()), len(people)))


def close(got: object, want: object) -> bool:
    return bool(np.allclose(np.asarray(got, float), np.asarray(want, float), rtol=1e-8, atol=1e-9))


def test_there_are_six_cases() -> None:
    assert len(CASES) == 6


@pytest.mark.parametrize("case", CASES)
def test_interactions_are_what_r_says_all_at_once_and_each_alone(case: str) -> None:
    rows, answers = reference(case)
    got = between(rows[VARIABLES], rows["ei_group"], rows["emotion_label"])
    for i, variable in enumerate(VARIABLES):
        answer = answers["variables"][variable]
        r = answer["type3_sum_to_zero"]
        alone = between(rows[variable], rows["ei_group"], rows["emotion_label"])
        assert rows[variable].notna().sum() == answer["n_obs"]
        assert got.reason[i] == alone.reason[0]
        numbers = [got.sum_sq[i], got.df1[i], got.f[i], got.p[i], got.error_sum_sq[i], got.df2[i]]
        each = [alone.sum_sq, alone.df1, alone.f, alone.p, alone.error_sum_sq, alone.df2]
        np.testing.assert_allclose(numbers, np.concatenate(each), rtol=1e-12)
        if "error" in r:
            assert got.reason[i] == "1 of 8 cells empty (High x LALV)"
            assert np.isnan(numbers).all()
            continue
        assert got.reason[i] is None
        want = [r["interaction"][key] for key in ("sum_sq", "df", "F", "p")]
        assert close(numbers, want + [r["residual"][key] for key in ("sum_sq", "df")])


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.startswith(("balanced", "unbalanced"))]
)
@pytest.mark.parametrize("variable", VARIABLES)
def test_repeated_measures_are_what_r_says(case: str, variable: str) -> None:
    rows, answers = reference(case)
    r = answers["repeated_measures_mixed_anova_type3"][variable]["interaction"]
    got = mixed(rows[variable], rows["participant_id"], rows["ei_group"], rows["emotion_label"])
    keys = ("sum_sq", "num_df", "error_ss", "den_df", "F", "p")
    numbers = [got.sum_sq, got.df1, got.error_sum_sq, got.df2, got.f, got.p]
    assert close(np.concatenate(numbers), [r[key] for key in keys])
    assert got.reason == (None,)


def test_two_emotions_are_a_t_test_of_differences() -> None:
    rng = np.random.default_rng(2)
    high, low = rng.normal(size=(7, 2)), rng.normal(size=(12, 2))
    values = np.vstack([high, low]).ravel()
    participant = np.repeat(np.arange(19), 2)
    group = np.repeat(["High"] * 7 + ["Low"] * 12, 2)
    got = mixed(values, participant, group, ["a", "b"] * 19)
    t, p = stats.ttest_ind(high @ [1, -1], low @ [1, -1])
    assert np.allclose([got.f[0], got.p[0]], [t**2, p])


def test_people_who_differ_drown_only_the_between_model() -> None:
    values, participant, group, emotion = design(20)
    level = np.repeat(np.random.default_rng(1).normal(0, 1000, 20), 4)
    still = mixed(values, participant, group, emotion)
    moved = mixed(values + level, participant, group, emotion)
    assert moved.f == pytest.approx(still.f, rel=1e-9)
    assert between(values + level, group, emotion).p > 0.999


def test_incomplete_participants_are_left_out() -> None:
    values, participant, group, emotion = design(8)
    values[5] = np.nan
    got = mixed(values, participant, group, emotion)
    others = [i for i, who in enumerate(participant) if who != "sub-01"]
    want = mixed(
        values[others], *([part[i] for i in others] for part in (participant, group, emotion))
    )
    assert got.df2 == want.df2
    assert (got.f, got.p) == (pytest.approx(want.f), pytest.approx(want.p))


def test_a_far_origin_costs_no_digits() -> None:
    values, participant, group, emotion = design()
    values = np.round(values, 3) * 1024 // 1 / 1024
    near, far = (between(values + shift, group, emotion).f for shift in (0, 2.0**20))
    assert far == pytest.approx(near, rel=1e-10)
    near, far = (mixed(values + shift, participant, group, emotion).f for shift in (0, 2.0**20))
    assert far == pytest.approx(near, rel=1e-10)


def test_order_of_rows_does_not_matter() -> None:
    values, _, group, emotion = design()
    order = np.random.default_rng(0).permutation(len(values))
    turned = between(values[order], np.array(group)[order], np.array(emotion)[order])
    assert turned.f == pytest.approx(between(values, group, emotion).f, rel=1e-10)


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
    got, repeated = between(spoilt, group, emotion), mixed(spoilt, participant, group, emotion)
    assert reason in str(got.reason[0])
    assert repeated.reason[0]
    for test in (got, repeated):
        assert np.isnan([test.f, test.p, test.df1, test.df2, test.sum_sq]).all()


def test_one_group_or_one_emotion_is_no_design() -> None:
    values, participant, group, emotion = design()
    same = ["x"] * len(values)
    assert between(values, same, emotion).reason[0] == "only one group (x)"
    assert between(values, group, same).reason[0] == "only one emotion (x)"
    assert mixed(values, participant, same, emotion).reason[0] == "only one group (x)"


def test_one_person_a_group_leaves_no_error() -> None:
    values, participant, group, emotion = design(2)
    got = mixed(values, participant, group, emotion)
    assert "no residual" in str(got.reason)
    assert "no residual" in str(between(values, group, emotion).reason)


def test_wrong_rows_are_named() -> None:
    values, participant, group, emotion = design()
    with pytest.raises(DesignError, match="group has 3 entries for 24"):
        between(values, group[:3], emotion)
    with pytest.raises(DesignError, match=r"1 of 24 rows have no emotion \(rows 2\)"):
        between(values, group, [*emotion[:2], None, *emotion[3:]])
    with pytest.raises(DesignError, match=r"1 values are infinite or beyond 1e\+50 \(row 1 of"):
        between([1.0, np.inf, *values[2:]], group, emotion)
    with pytest.raises(DesignError, match=r"more than one row.*sub-00 HAHV"):
        mixed(values, participant, group, ["HAHV", *emotion[:-1]])


@pytest.mark.parametrize("mean", [0.0, 800.0, 1e6])
@pytest.mark.parametrize("sd", [1e-4, 1.0])
def test_a_large_mean_is_no_perfect_fit(mean: float, sd: float) -> None:
    """A variable of mean 800 and SD 1e-4 was "fitted perfectly"."""
    values, participant, group, emotion = design()
    plain = (values - 50) / 10
    moved = mean + sd * plain
    digits = 1e-3 if mean > 1e5 * sd else 1e-6
    one, other = between(plain, group, emotion), between(moved, group, emotion)
    assert other.f == pytest.approx(one.f, rel=digits)
    one, other = (mixed(y, participant, group, emotion) for y in (plain, moved))
    assert other.f == pytest.approx(one.f, rel=digits)


@pytest.mark.parametrize("mean", [0.3, 800.1, 1e6 + 0.1])
def test_last_digits_are_no_residual(mean: float) -> None:
    values, participant, group, emotion = design()
    last = mean * (1 + 1e-16 * np.round(values % 4))
    assert len(set(last)) > 1
    assert between(last, group, emotion).reason == ("constant",)
    fitted = last + 5.0 * (np.asarray(emotion) == "HAHV")
    assert "perfectly" in str(between(fitted, group, emotion).reason[0])
    assert mixed(fitted, participant, group, emotion).reason[0]
