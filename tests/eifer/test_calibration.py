"""Drawn cohorts have the effect asked for, and the tests applied are those of the stats stage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eifer import calibration as mine
from eifer.calibration import CalibrationSpec, Comparison, Design, Plan, Spread
from eifer.comparison import ComparisonSpec, ParticipantSpec
from eifer.statistics import participant_deltas
from eifer.tables.calibration import CALIBRATION, POWER

SPREAD = Spread(0.5, 0.5, 0.3, 0.45, 0.7, 0.5)
HOW = Comparison(
    ComparisonSpec(0.05, ("condition",), 40),
    ParticipantSpec((), "t", 0.05, ("condition",), 0.005, 99),
    seed=7,
)


def plan(people: int, frames: int, effects: tuple[float, ...], simulations: int) -> Plan:
    return Plan((people,), 4, frames, 2, 0.0, 0.9, 0.0, effects, simulations)


def spec(
    tests: tuple[Plan, ...] = (), people: tuple[Plan, ...] = (), found: tuple[Plan, ...] = ()
) -> CalibrationSpec:
    return CalibrationSpec(SPREAD, tests, people, 99, found, 0.8)


def claimed(what: CalibrationSpec) -> pd.DataFrame:
    return pd.concat([mine.claims(chunk, what, HOW) for chunk in mine.chunks(what, 1)])


@pytest.mark.parametrize(("training", "ease"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.5)])
def test_the_mean_difference_within_people_is_the_effect_asked_for(
    training: float, ease: float
) -> None:
    # 40 trainings, so that their luck averages out too; people differ more where some are easy.
    number = 300 if ease else 60
    design = Design(number, 4, 5, 40, training, 0.9, ease)
    items = mine._frames(design).iloc[: number * 4 * 5]
    high, low, total = (
        scores.reshape(40, -1).T for scores in mine.draw(design, SPREAD, 0.08, 3, 0)
    )
    people, labels = items["participant_id"], items["label"]
    found = participant_deltas(people, labels, high, low)
    assert found.auc_a.mean() == pytest.approx(0.94, abs=0.015)
    assert found.mean.mean() == pytest.approx(0.08, abs=0.015)
    null = participant_deltas(people, labels, low, total)
    assert null.mean.mean() == pytest.approx(0, abs=0.015)


def test_frames_of_a_video_and_a_person_are_alike() -> None:
    scores = mine.draw(Design(200, 4, 6, 2, 0.0, 0.9, 0.0), SPREAD, 0.0, 1, 0)
    one, other = scores[0, 0, :, 1, 0], scores[0, 0, :, 1, 1]
    within = np.corrcoef(one, other)[0, 1]
    people = np.corrcoef(one, scores[0, 0, :, 3, 0])[0, 1]
    strangers = np.corrcoef(one[:-1], one[1:])[0, 1]
    # From the components: (.25 + .25 + .0225 + .2025) / 1.465 and .2725 / 1.465, n = 200.
    assert within == pytest.approx(0.49, abs=0.17)
    assert people == pytest.approx(0.19, abs=0.2)
    assert abs(strangers) < 0.2 < within


def test_published_tests_claim_what_is_not_there_and_participant_level_tests_do_not() -> None:
    made = mine.calibration(claimed(spec((plan(4, 32, (0.0,), 6),))), HOW)
    rates = made.set_index("test")["rate"]
    assert rates["fisher"] >= 0.6 and rates["fixed_effect"] >= 0.3
    assert rates["t"] <= 0.2 and rates["gee_participants"] <= 0.2
    reasons = made.set_index("test")["reason"]
    for name in ("sign_flip", "verdict"):
        assert rates[name] == 0 and ".125" in reasons[name]
    assert pd.isna(reasons["t"])


def test_an_effect_that_is_there_is_found_in_both_ways_of_counting() -> None:
    both = (plan(8, 6, (0.15,), 4),)
    one = claimed(spec(tests=both))
    rates = mine.calibration(one, HOW).set_index("test")["rate"]
    assert rates[["fisher", "t", "sign_flip", "gee_participants", "verdict"]].min() >= 0.75
    other = claimed(spec(people=both))
    key = ["number", "test"]
    shared = one.merge(other, on=key)
    assert len(shared) == 4 * 3
    assert (shared["rejected_x"] == shared["rejected_y"]).all()


def test_a_cohort_counts_once_and_hangs_on_its_number_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = plan(4, 2, (0.0, 0.1), 5), plan(4, 2, (0.0,), 9)
    at_once = claimed(spec(people=(few, many), found=(few,)))
    monkeypatch.setattr(mine, "ITEMS", 1)
    assert len(mine.chunks(spec(people=(many,)), 1)) == 9
    one_by_one = claimed(spec(people=(few, many), found=(few,)))
    pd.testing.assert_frame_equal(at_once.reset_index(drop=True), one_by_one.reset_index(drop=True))
    made = mine.calibration(at_once, HOW)
    sizes = made.groupby("true_effect")["n_simulations"].unique()
    assert sizes[0.0].tolist() == [9] and sizes[0.1].tolist() == [5]
    design = Design(4, 4, 2, 2, 0.0, 0.9, 0.0)
    drawn = [mine.draw(design, SPREAD, 0.0, *of)[0, 0, 0, 0, 0] for of in ((1, 0), (2, 0), (1, 1))]
    assert len(set(drawn)) == 3


def test_power_rises_and_names_the_smallest_difference_found() -> None:
    grid = (0.01, 0.05, 0.15)
    made = mine.power(claimed(spec(found=(plan(10, 4, grid, 25),))), HOW, 0.8)
    t = made[made["test"] == "t"].sort_values("true_effect")
    assert t["rate"].is_monotonic_increasing and t["rate"].iloc[-1] >= 0.8
    rates = mine.calibration(claimed(spec(people=(plan(10, 4, (0.0,), 5),))), HOW)
    smallest = mine.findings(rates, made)["smallest_found"]["10 people"]
    assert smallest == t.loc[t["found"], "true_effect"].min()
    assert mine.findings(rates, made)["null_published"] is None
    none = made.assign(found=False)
    assert mine.findings(rates, none)["smallest_found"] == {"10 people": None}


def test_what_has_no_answer_is_counted_with_its_reason() -> None:
    rows = claimed(spec(people=(plan(4, 2, (0.0,), 4),)))
    rows["rejected"] = True
    rows.loc[rows["number"] < 1, "missing"] = "all differences are the same"
    rows.loc[rows["test"] == "t", "missing"] = "nothing"
    made = mine.calibration(rows, HOW).set_index("test")
    assert made.loc["sign_flip", ["n_estimable", "n_rejected"]].tolist() == [3, 3]
    assert made.loc["sign_flip", "reason"].startswith("no answer in 1 of 4, such as: all differ")
    assert made.loc["t", "n_estimable"] == 0 and np.isnan(made.loc["t", "rate"])
    assert np.isnan(made.loc["t", "ci_low"])


def test_draws_are_the_same_at_every_effect() -> None:
    design = Design(3, 2, 2, 2, 0.0, 0.9, 0.0)
    none, some = (mine.draw(design, SPREAD, effect, 1, 0) for effect in (0.0, 0.1))
    moved = some - none
    # High's classes move apart, the others' together, all frames of a class by the same.
    assert np.ptp(moved[0][:, :, 1]) == pytest.approx(0, abs=1e-12)
    assert moved[0, 0, 0, 1, 0] > 0 > moved[1, 0, 0, 1, 0]
    assert moved[0, 0, 0, 0, 0] == pytest.approx(-moved[0, 0, 0, 1, 0])


def test_impossible_effects_are_refused() -> None:
    with pytest.raises(ValueError, match="both must lie between"):
        spec(found=(plan(4, 6, (0.25,), 5),))
    with pytest.raises(ValueError, match="both must lie between"):
        spec(found=(replace(plan(4, 6, (0.05,), 5), auc=0.99),))


def test_contracts_catch_what_cannot_be() -> None:
    what = (plan(4, 2, (0.0,), 6),)
    rows = claimed(spec(people=what, found=what))
    rates, found = mine.calibration(rows, HOW), mine.power(rows, HOW, 0.8)
    for table, made in ((CALIBRATION, rates), (POWER, found)):
        assert all(rule.broken(made, {}).empty for rule in table.rules)
        broken = {
            "counts_add_up": made.assign(n_rejected=made["n_estimable"] + 1),
            "rate_is_the_share": made.assign(rate=0.5, n_rejected=0),
            "test_in_its_block": made.assign(block="as published"),
            "found_where_it_reaches": made.assign(found=True, rate=0.1),
        }
        for rule in table.rules:
            assert len(rule.broken(broken[rule.name], {})), rule.name


def test_errors_of_uneven_people_sit_in_few() -> None:
    """The source's ceiling: an AUC of .99 within a person and an accuracy of .98."""
    design = Design(400, 4, 6, 2, 0.0, 0.99, 3.0)
    scores = mine.draw(design, SPREAD, 0.0, 1, 0)
    wrong = (scores > 0) != (np.arange(4) % 2 == 1)[:, None]
    assert 1 - wrong.mean() == pytest.approx(0.98, abs=0.01)
    held = np.sort(wrong.sum(axis=(0, 1, 3, 4)))[::-1]
    assert held[:80].sum() > 0.9 * held.sum()
    even = mine.draw(replace(design, ease=0.0), SPREAD, 0.0, 1, 0)
    moved = (scores - even)[0, 0]
    # Apart from the mean distance, a person's classes move apart or together in every model.
    assert np.allclose(scores - even, moved)
