"""The primary analysis: what it counts, what it declares, and what it dares to say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.comparison import (
    Claim,
    ComparisonSpec,
    ParticipantComparison,
    ParticipantSpec,
    as_published,
    by_participant,
    findings,
    numbers,
)
from eifer.errors import DesignError
from eifer.statistics import (
    benjamini_hochberg,
    gee_odds_ratios,
    participant_deltas,
    pool_random,
    t_paired,
    tost_paired,
)
from eifer.tables.comparison import (
    BY_ASSIGNMENT,
    BY_PARTICIPANT,
    DECLARED,
    FINE_TUNED,
    PARTICIPANT_DELTAS,
)
from eifer.tables.evaluation import PREDICTIONS
from stages._runtime.contracts import check

PUBLISHED = ComparisonSpec(alpha=0.05, family=("condition",), few_participants=40)
SPEC = ParticipantSpec(
    confirmatory=(Claim("fine-tuned", "arousal", "baseline", "High-Low"),),
    test="t",
    alpha=0.05,
    family=(),
    margin=0.05,
    flips=999,
)


def simulated(
    strengths: dict[str, float],
    people: int,
    *,
    seed: int = 0,
    each: int = 24,
    noise: float = 1.0,
    tasks: tuple[str, ...] = ("arousal", "valence"),
) -> pd.DataFrame:
    """Predictions of ``people`` with as many frames of either class, two repetitions a group."""
    rng = np.random.default_rng(seed)
    label = np.tile([0, 1], people * each // 2)
    who = np.repeat([f"sub-{k:02d}" for k in range(people)], each)
    # What all models find hard alike, so that the models' differences are small beside it.
    shared = rng.normal(size=len(label))
    parts = []
    for task in tasks:
        for group, strength in strengths.items():
            for repetition in (1, 2):
                own = noise * rng.normal(size=len(label))
                logit = strength * (label - 0.5) + shared + own
                parts.append(
                    pd.DataFrame(
                        {
                            "rotation": "1",
                            "item_id": [f"{name}-{i:03d}" for i, name in enumerate(who)],
                            "participant_id": who,
                            "video_id": [f"{name}_run-1" for name in who],
                            "task": task,
                            "condition": "baseline",
                            "training_group": group,
                            "repetition": repetition,
                            "score": 1 / (1 + np.exp(-logit)),
                            "threshold": 0.5,
                            "label": label,
                        }
                    )
                )
    return PREDICTIONS.conform(pd.concat(parts))


ALIKE = {"High": 2.0, "Low": 2.0, "Total": 2.0}


def compare(
    predictions: pd.DataFrame,
    spec: ParticipantSpec = SPEC,
    by_assignment: pd.DataFrame | None = None,
) -> ParticipantComparison:
    tests, _ = as_published(predictions, PUBLISHED)
    tested = {FINE_TUNED: tests}
    return by_participant({FINE_TUNED: predictions}, tested, spec, 1, by_assignment)


def beside(made: ParticipantComparison) -> dict[str, pd.DataFrame]:
    """The tables that the promises of ``BY_PARTICIPANT`` look at; no other labels were trained."""
    return {
        "participant_deltas": made.deltas,
        "declared": made.declared,
        "by_assignment": BY_ASSIGNMENT.empty(),
    }


@pytest.fixture(scope="module")
def four() -> pd.DataFrame:
    return simulated(ALIKE, 4)


@pytest.fixture(scope="module")
def found(four: pd.DataFrame) -> ParticipantComparison:
    return compare(four)


@pytest.fixture(scope="module")
def better() -> ParticipantComparison:
    return compare(simulated({"High": 4.0, "Low": 1.0, "Total": 4.0}, 8, noise=0.3))


def row(made: ParticipantComparison, task: str = "arousal", contrast: str = "High-Low") -> Any:
    table = made.compared.set_index(["task", "contrast"])
    return table.loc[(task, contrast)]


def test_numbers_are_those_of_the_library(four, found) -> None:
    part = four[four["task"] == "arousal"]
    scores = part.pivot(index="item_id", columns=["training_group", "repetition"], values="score")
    items = part.drop_duplicates("item_id").set_index("item_id").loc[scores.index]
    deltas = participant_deltas(
        items["participant_id"], items["label"], scores["High"], scores["Low"]
    )
    mine, t = row(found), t_paired(deltas.mean)
    assert (mine["delta"], mine["se"], mine["t"], mine["t_p"]) == pytest.approx(
        (t.mean, t.se, t.statistic, t.p), rel=1e-12
    )
    assert (mine["ci_low"], mine["ci_high"]) == pytest.approx((t.ci_low, t.ci_high), rel=1e-12)
    same = tost_paired(deltas.mean, 0.05, 0.05)
    assert mine["equivalence_p"] == pytest.approx(same.p, rel=1e-12)
    right = ((part["score"] >= 0.5) == (part["label"] == 1)).astype(int)
    gee = gee_odds_ratios(
        part.assign(correct=right), cluster="participant_id", small_sample="mancl-derouen"
    ).table.loc["Low"]
    assert (mine["gee_odds_ratio"], mine["gee_p"], mine["gee_df"]) == pytest.approx(
        (gee["odds_ratio"], gee["p"], 3)
    )
    tests, _ = as_published(four, PUBLISHED)
    pair = tests[(tests["task"] == "arousal") & (tests["contrast"] == "High-Low")]
    pooled = pool_random(pair["delta"], pair["se"], "reml", knapp_hartung=True)
    assert (mine["random_delta"], mine["tau2"], mine["i2_pct"]) == pytest.approx(
        (pooled.estimate, pooled.tau2, pooled.i2)
    )


def test_tables_keep_their_promises(found, better) -> None:
    for made in (found, better):
        check(DECLARED, made.declared)
        check(PARTICIPANT_DELTAS, made.deltas)
        check(BY_PARTICIPANT, made.compared, beside(made))


@pytest.mark.parametrize(
    ("harm", "rule"),
    [
        (lambda t: t.assign(t_q=t["t_p"] / 2), "q_is_not_below_p"),
        (lambda t: t.assign(sign_flip_p=0.05), "p_is_possible"),
        (lambda t: t.assign(smallest_p=0.01), "p_is_possible"),
        (lambda t: t.assign(gee_odds_ratio=math.nan), "missing_with_reason"),
        (lambda t: t.assign(ci_low=-1.0, ci_high=-0.5), "interval_agrees_with_p"),
        (lambda t: t.assign(t_p=0.01, t_q=0.01), "interval_agrees_with_p"),
        (lambda t: t.assign(verdict="High better within this training"), "verdict_is_earned"),
        (lambda t: t.assign(verdict="High better"), "verdict_is_earned"),
        (lambda t: t.assign(verdict="equivalent: less than 0.05 apart"), "verdict_is_earned"),
        (lambda t: t.assign(verdict="no difference"), "verdict_is_earned"),
        (lambda t: t.assign(role="confirmatory"), "role_as_declared"),
        (lambda t: t.assign(role="exploratory"), "role_as_declared"),
        (lambda t: t.assign(delta=t["delta"] + 1e-6), "rests_on_its_participants"),
        (lambda t: t.assign(n_used=3), "rests_on_its_participants"),
    ],
)
def test_a_wrong_table_is_caught(found, harm, rule: str) -> None:
    wrong = harm(found.compared)
    assert rule in [r.name for r in BY_PARTICIPANT.rules if len(r.broken(wrong, beside(found)))]


def test_wrong_lists_are_caught(found) -> None:
    claimed = found.declared.assign(role="confirmatory")
    assert len(DECLARED.rules[0].broken(claimed, {}))
    deltas = found.deltas
    silent = deltas.assign(delta=math.nan)
    assert len(PARTICIPANT_DELTAS.rules[0].broken(silent, {})) == len(deltas)
    turned = deltas.assign(delta=-deltas["delta"])
    assert len(PARTICIPANT_DELTAS.rules[1].broken(turned, {}))


def test_order_of_rows_and_the_affect_network_change_nothing(four, found) -> None:
    affect = four[(four["training_group"] == "High") & (four["repetition"] == 1)]
    affect = affect.assign(training_group="Affect", repetition=0)
    again = compare(pd.concat([four, affect]).sample(frac=1, random_state=0))
    pd.testing.assert_frame_equal(again.compared, found.compared)
    pd.testing.assert_frame_equal(again.deltas, found.deltas)


def test_roles_are_what_was_declared_test_by_test(found) -> None:
    confirmatory = found.declared[found.declared["role"] == "confirmatory"]
    names = ["models", "task", "condition", "contrast", "block", "method"]
    where = confirmatory[names].to_numpy().tolist()
    assert where == [["fine-tuned", "arousal", "baseline", "High-Low", "participants", "t"]]
    assert len(found.declared) == 4 * (7 + 3)
    assert row(found)["role"] == "confirmatory"
    assert (found.compared["role"] == "confirmatory").sum() == 1


def test_confirmatory_tests_are_corrected_apart(found) -> None:
    table = found.compared
    assert row(found)["t_q"] == row(found)["t_p"]
    rest = table[table["role"] == "exploratory"]
    np.testing.assert_allclose(rest["t_q"], benjamini_hochberg(rest["t_p"]))
    assert set(rest["family"]) == {"exploratory"}
    apart = compare(simulated(ALIKE, 4), replace(SPEC, family=("task",))).compared
    assert set(apart["family"]) == {"confirmatory", "arousal", "valence"}
    of_valence = apart[apart["family"] == "valence"]
    np.testing.assert_allclose(of_valence["t_q"], benjamini_hochberg(of_valence["t_p"]))


def test_confirmatory_tests_keep_the_family_wise_error() -> None:
    two = tuple(
        Claim("fine-tuned", task, "baseline", "High-Low") for task in ("arousal", "valence")
    )
    # Whatever splits the exploratory ones: what may confirm is one family.
    table = compare(simulated(ALIKE, 4), replace(SPEC, confirmatory=two, family=("task",))).compared
    declared = table[table["role"] == "confirmatory"]
    assert declared["family"].tolist() == ["confirmatory"] * 2
    low, high = sorted(declared["t_p"])
    assert sorted(declared["t_q"]) == sorted([min(1, 2 * low), max(min(1, 2 * low), high)])


def test_a_claim_that_was_not_tested_is_refused(four) -> None:
    spec = replace(SPEC, confirmatory=(Claim("fine-tuned", "arousal", "ambiguos", "High-Low"),))
    with pytest.raises(DesignError, match="not tested: fine-tuned arousal ambiguos High-Low"):
        compare(four, spec)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"confirmatory": (Claim("fine-tuned", "arousal", "baseline", "High-Low"),) * 2},
            "names fine-tuned arousal .*twice",
        ),
        ({"family": ("taks",)}, "did you mean 'task'"),
        ({"family": ("task", "task")}, "family names task twice"),
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(SPEC, **change)


def test_names_of_a_claim_are_known() -> None:
    with pytest.raises(ValueError, match=r"no task 'arousel'.*did you mean 'arousal'"):
        Claim("fine-tuned", "arousel", "baseline", "High-Low")
    with pytest.raises(ValueError, match=r"no contrast 'High-Lo'.*did you mean 'High-Low'"):
        Claim("fine-tuned", "arousal", "baseline", "High-Lo")
    with pytest.raises(ValueError, match=r"no models 'fine_tuned'.*did you mean 'fine-tuned'"):
        Claim("fine_tuned", "arousal", "baseline", "High-Low")


def test_four_participants_show_nothing_however_good_a_model_is() -> None:
    table = compare(simulated({"High": 5.0, "Low": 0.5, "Total": 5.0}, 4, noise=0.3))
    mine = row(table)
    assert mine["t_q"] < 0.05 and mine["sign_flip_p"] == mine["smallest_p"] == 0.125
    assert mine["verdict"] == "inconclusive: 4 participants allow no p below 0.125"


def test_enough_people_show_a_difference_and_only_a_declared_one_is_confirmed(better) -> None:
    assert row(better)["verdict"] == "High better within this training"
    doubt = "High better within this training (exploratory: to be confirmed on others)"
    assert row(better, "valence")["verdict"] == doubt
    assert row(better)["smallest_p"] == 2 / 2**8
    turned = compare(simulated({"High": 1.0, "Low": 4.0, "Total": 1.0}, 8, noise=0.3))
    assert row(turned)["verdict"] == "Low better within this training"


def test_random_labels_must_suffice_for_every_declared_contrast() -> None:
    """20 of them allow p .048 for one contrast, and by Holm .095 for the first of two."""
    predictions = simulated({"High": 4.0, "Low": 1.0, "Total": 4.0}, 8, noise=0.3)
    places = [
        {"models": FINE_TUNED, "task": task, "condition": "baseline", "contrast": "High-Low"}
        for task in ("arousal", "valence")
    ]
    names = ["ei", *(f"null{k:02d}" for k in range(1, 21))]
    counts = {"n_participants": 8, "n_used": 8}
    trained = BY_ASSIGNMENT.frame(
        [
            {"assignment": name, **place, **counts, "delta": 0.2 if name == "ei" else 0.001 * k}
            for place in places
            for k, name in enumerate(names)
        ]
    )
    assert row(compare(predictions, by_assignment=trained))["verdict"] == "High better"
    both = replace(SPEC, confirmatory=tuple(Claim(**place) for place in places))
    made = compare(predictions, both, trained)
    said = "inconclusive: 20 random assignments of labels allow no corrected p below 0.0952"
    assert {row(made, task)["verdict"] for task in ("arousal", "valence")} == {said}


def test_people_in_whom_the_models_are_alike_show_no_difference() -> None:
    predictions = simulated({"High": 3.0, "Low": 0.0, "Total": 3.0}, 12)
    who = predictions["participant_id"] < "sub-07"
    high = predictions["training_group"] == "High"
    alike = predictions[who & high]
    same = pd.concat([predictions[~who], *(alike.assign(training_group=g) for g in ALIKE)])
    made = compare(PREDICTIONS.conform(same))
    mine = row(made)
    assert (mine["n_used"], mine["n_differ"], mine["smallest_p"]) == (12, 5, 0.0625)
    assert mine["t_q"] < 0.05
    said = "inconclusive: 5 participants in whom the models differ allow no p below 0.0625"
    assert mine["verdict"] == said
    check(BY_PARTICIPANT, made.compared, beside(made))


def test_one_repetition_that_is_left_is_no_mean_over_repetitions(four) -> None:
    """At the ceiling a repetition's difference has a standard error of 0, and no weight."""
    ceiling = four["repetition"] == 1
    made = compare(four.assign(score=four["score"].mask(ceiling, 0.1 + 0.8 * four["label"])))
    mine = row(made)
    assert (mine["random_n_used"], mine["random_left_out"]) == (1, "1")
    assert mine[["random_delta", "random_ci_low", "random_p", "tau2", "i2_pct"]].isna().all()
    assert mine["random_reason"] == "one repetition alone has a standard error above 0"
    check(BY_PARTICIPANT, made.compared, beside(made))


def test_the_gee_speaks_by_its_odds_ratio() -> None:
    predictions = simulated({"High": 3.0, "Low": 1.0, "Total": 3.0}, 8)
    made = compare(predictions, replace(SPEC, test="gee"))
    assert row(made)["gee_q"] < 0.05 and row(made)["gee_odds_ratio"] < 1
    assert row(made)["verdict"].startswith("High better")
    said = made.declared[made.declared["role"] == "confirmatory"]["method"].tolist()
    assert said == ["gee"]


def test_no_difference_is_said_only_where_equivalence_is_shown(better) -> None:
    alike = compare(simulated(ALIKE, 8, seed=2, noise=0.3))
    assert row(alike, "valence", "High-Low")["verdict"] == "equivalent: less than 0.05 apart"
    # Most people have no difference at all: their spread says nothing.
    few = "inconclusive: 2 participants in whom the models differ allow no p below 0.5"
    assert row(better, "valence", "High-Total")["verdict"] == few
    noisy = compare(simulated(ALIKE, 8, seed=3, noise=3.0))
    open_ = noisy.compared[noisy.compared["t_q"] > 0.05]
    assert len(open_) and set(open_["verdict"]) == {"inconclusive"}


def test_a_difference_too_small_to_matter_is_said_to_be_one() -> None:
    predictions = simulated({"High": 4.0, "Low": 1.0, "Total": 4.0}, 8, noise=0.3)
    wide = compare(predictions, replace(SPEC, margin=0.9))
    assert row(wide)["verdict"] == "High better within this training, by less than 0.9"


def test_participants_of_one_class_are_counted_listed_and_left_out(four) -> None:
    one = four["participant_id"] == "sub-02"
    made = compare(four.assign(label=four["label"].mask(one, 1)))
    mine = row(made)
    assert (mine["n_participants"], mine["n_used"], mine["df"]) == (4, 3, 2)
    assert mine["left_out"] == "sub-02: all 24 items are of class 1"
    assert mine["smallest_p"] == 0.25 and mine["gee_df"] == 3 and mine["pooled_p"] > 0
    listed = made.deltas[made.deltas["delta"].isna()]
    assert set(listed["participant_id"]) == {"sub-02"} and listed["reason"].notna().all()
    check(BY_PARTICIPANT, made.compared, beside(made))


def test_nobody_with_both_classes_leaves_reasons_and_no_numbers(four) -> None:
    odd = four["participant_id"].isin(["sub-01", "sub-03"]).astype(int)
    made = compare(four.assign(label=odd))
    mine = row(made)
    assert mine["n_used"] == 0 and math.isnan(mine["delta"]) and math.isnan(mine["sign_flip_p"])
    assert mine["verdict"] == "not estimable: no participant has frames of both classes"
    assert mine["pooled_p"] > 0
    check(BY_PARTICIPANT, made.compared, beside(made))


def test_the_same_model_twice_is_not_called_equivalent(four) -> None:
    high = four[four["training_group"] == "High"]
    made = compare(pd.concat([high.assign(training_group=group) for group in ALIKE]))
    mine = row(made)
    assert mine["delta"] == 0 and mine["sign_flip_p"] == 1
    assert mine["verdict"].startswith("not estimable: no participant's difference")
    assert "right equally often in every participant_id" in mine["gee_reason"]
    check(BY_PARTICIPANT, made.compared, beside(made))


def test_what_is_shown_and_recorded(four, found) -> None:
    _, published = as_published(four, PUBLISHED)
    recorded = numbers(found.compared, published)
    assert recorded["arousal baseline High-Low/participants/delta"] == row(found)["delta"]
    assert "arousal baseline High-Low/pooled_delta" in recorded
    said = findings(found.compared)
    assert said["smallest_p"] == 0.125
    assert said["confirmatory"] == ["fine-tuned arousal baseline High-Low"]
    assert sum(said["verdicts"].values()) == 4


@pytest.mark.parametrize("people", [4, 8, 12])
def test_with_the_gee_no_verdict_rests_on_one_person(people) -> None:
    """All errors in one person: OR .66 [.659, .670], p = 4e-18, "Low better" before."""
    predictions = simulated({"High": 8.0, "Low": 8.0, "Total": 8.0}, people, noise=0.05)
    hard = predictions["participant_id"] == "sub-01"
    wrong = predictions["training_group"].map({"High": 9, "Low": 6, "Total": 5})
    place = predictions.groupby(["training_group", "repetition", "participant_id", "task"])
    turned = hard & (place.cumcount() < wrong)
    predictions["score"] = predictions["score"].where(~turned, 1 - predictions["score"])
    made = compare(predictions, replace(SPEC, test="gee"))
    for contrast in ("High-Low", "High-Total"):
        mine = row(made, contrast=contrast)
        assert math.isnan(mine["gee_p"]) and math.isnan(mine["gee_q"])
        other = contrast.removeprefix("High-")
        assert mine["gee_reason"] == f"only one participant_id tells {other} from High"
        assert mine["verdict"] == f"not estimable: {mine['gee_reason']}"
        assert mine["gee_n_used"] == 1


def test_a_verdict_of_the_gee_needs_people_who_tell_the_models_apart(better) -> None:
    few = better.compared.assign(
        test="gee",
        verdict="High better within this training",
        gee_n_used=5,
        gee_q=0.001,
        equivalence_q=1.0,
    )
    (rule,) = (rule for rule in BY_PARTICIPANT.rules if rule.name == "verdict_is_earned")
    assert len(rule.broken(few, {})) == len(few)
    assert rule.broken(few.assign(gee_n_used=6), {}).empty
