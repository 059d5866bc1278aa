"""The latent people: what EI shifts, and that nothing else knows of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eifer.cohort.simulation import people
from eifer.cohort.simulation.people import CohortSpec, Person
from eifer.seeding import generator
from eifer.vocabulary import Dimension, Domain, Planted

MANY = 300


def _crowd(plan: CohortSpec, effect: float) -> list[Person]:
    spec = replace(plan, effect=effect)
    return [people.person(spec, number, seed=3) for number in range(1, MANY + 1)]


@pytest.fixture(scope="module")
def crowd(plan: CohortSpec) -> list[Person]:
    return _crowd(plan, 1.0)


@pytest.fixture(scope="module")
def null_crowd(plan: CohortSpec) -> list[Person]:
    return _crowd(plan, 0.0)


def _errors(someone: Person) -> float:
    """How far the ratings are from what is felt, on average."""
    return float(
        np.mean([abs(v.rating[d] - 4 - 3 * v.felt[d]) for v in someone.viewings for d in Dimension])
    )


def _vagal_contrast(someone: Person) -> float:
    """Vagal activity while calm and pleased against excited and displeased (log)."""
    by = {v.domain: np.log(v.vagal_ms) for v in someone.viewings}
    return float(by[Domain.LAHV] - by[Domain.HALV])


def _rating_four(someone: Person) -> float:
    return float(np.mean([v.rating[d] == 4 for v in someone.viewings for d in Dimension]))


def _wrong_labels(crowd: list[Person], d: Dimension) -> float:
    """The share of ratings on the other side of 4 than what was felt; 4 takes the stimulus's."""
    rated = [(v.rating[d], v.felt[d]) for p in crowd for v in p.viewings]
    return float(np.mean([(rating - 4) * felt < 0 for rating, felt in rated]))


def _halves(crowd: list[Person]) -> tuple[list[Person], list[Person]]:
    """Those above the mean ability, and the others."""
    return [p for p in crowd if p.ability > 0], [p for p in crowd if p.ability <= 0]


def _correlation(crowd: list[Person], measure: object) -> float:
    values = [measure(p) for p in crowd]  # type: ignore[operator]
    return float(np.corrcoef([p.ability for p in crowd], values)[0, 1])


def test_ei_scores_lie_around_the_asked_mean_and_follow_ability(crowd: list[Person]) -> None:
    scores = np.array([p.ei_score for p in crowd])
    assert abs(scores.mean() - 830) < 20
    assert 90 < scores.std() < 150
    assert _correlation(crowd, lambda p: p.ei_score) > 0.8
    assert all(len(p.items) == 120 for p in crowd[:5])
    assert not crowd[0].items.duplicated(["index", "category", "stimulus"]).any()


def test_each_pair_has_one_able_and_one_less_able_person(crowd: list[Person]) -> None:
    signs = np.sign([p.ability for p in crowd]).reshape(-1, 2)
    assert (signs.sum(axis=1) == 0).all()
    assert 0.35 < (signs[:, 0] > 0).mean() < 0.65


def test_the_planted_effects_are_there(crowd: list[Person]) -> None:
    assert _correlation(crowd, lambda p: p.coupling) > 0.9
    assert _correlation(crowd, _errors) < -0.3
    assert _correlation(crowd, _vagal_contrast) > 0.7
    assert _correlation(crowd, _rating_four) < -0.15


def _reversed(crowd: list[Person]) -> float:
    return float(np.mean([Dimension.AROUSAL in p.reverses for p in crowd]))


def test_people_of_low_ei_reverse_the_scale_of_arousal(crowd: list[Person]) -> None:
    able, less_able = map(_reversed, _halves(crowd))
    assert able < 0.15 and less_able > 0.5
    assert all(p.reverses <= {Dimension.AROUSAL} for p in crowd)


def test_who_reverses_a_scale_is_wrong_in_it_alone(crowd: list[Person]) -> None:
    reversing = [p for p in crowd if p.reverses]
    assert _wrong_labels(reversing, Dimension.AROUSAL) > 0.6
    assert _wrong_labels(reversing, Dimension.VALENCE) < 0.1


def test_without_effect_as_many_reverse_it_in_each_half(null_crowd: list[Person]) -> None:
    for half in _halves(null_crowd):
        assert _reversed(half) == pytest.approx(0.2, abs=0.08)


def test_reversing_leaves_the_other_answers_as_they_were(plan: CohortSpec) -> None:
    none = dict.fromkeys(Dimension, 0.0)
    sure = replace(plan, ratings=replace(plan.ratings, reversed=none))
    changed = 0
    for number in range(1, 60):
        one, other = (people.person(spec, number, seed=3) for spec in (sure, plan))
        for a, b in zip(one.viewings, other.viewings, strict=True):
            turned = Dimension.AROUSAL in other.reverses
            assert b.rating[Dimension.VALENCE] == a.rating[Dimension.VALENCE]
            kept = a.rating[Dimension.AROUSAL]
            assert b.rating[Dimension.AROUSAL] == (8 - kept if turned else kept)
            changed += turned
    assert changed > 0


def test_without_effect_nothing_but_the_answers_knows_of_ei(
    plan: CohortSpec, null_crowd: list[Person]
) -> None:
    for someone in null_crowd:
        own = (someone.coupling, someone.rating_noise, someone.neutral_share)
        same = (plan.expression.coupling, plan.ratings.noise, plan.ratings.neutral)
        assert own == pytest.approx(same)
    limit = 3.3 / np.sqrt(MANY)
    for measure in (_errors, _rating_four, _vagal_contrast, lambda p: p.viewings[0].rate_bpm):
        assert abs(_correlation(null_crowd, measure)) < limit
    assert _correlation(null_crowd, lambda p: p.ei_score) > 0.8


def test_the_effect_leaves_the_other_draws_alone(
    crowd: list[Person], null_crowd: list[Person]
) -> None:
    for one, other in zip(crowd[:20], null_crowd[:20], strict=True):
        assert one.items.equals(other.items)
        assert [v.domain for v in one.viewings] == [v.domain for v in other.viewings]
        assert [v.felt for v in one.viewings] == [v.felt for v in other.viewings]


def test_ratings_are_whole_from_one_to_seven_and_follow_the_domain(crowd: list[Person]) -> None:
    ratings = [
        (v.rating[d], v.domain.label(d))
        for p in _halves(crowd)[0]
        for v in p.viewings
        for d in Dimension
    ]
    assert {r for r, _ in ratings} == set(range(1, 8))
    high = np.mean([r for r, label in ratings if label])
    low = np.mean([r for r, label in ratings if not label])
    assert high > 5.2 and low < 2.8


def test_the_order_of_presentation_varies(crowd: list[Person]) -> None:
    orders = {tuple(v.domain for v in p.viewings) for p in crowd}
    assert len(orders) == 24
    assert all([v.run for v in p.viewings] == [1, 2, 3, 4] for p in crowd)


def test_a_person_does_not_depend_on_the_others(plan: CohortSpec) -> None:
    larger = replace(plan, participants_per_wave=(8, 9))
    one, other = people.person(plan, 2, seed=1), people.person(larger, 2, seed=1)
    assert one.viewings == other.viewings and one.items.equals(other.items)


def test_expression_stays_near_its_level_and_crosses_over_now_and_then(plan: CohortSpec) -> None:
    levels = {Dimension.AROUSAL: 0.5, Dimension.VALENCE: -0.25}
    both = people.expressed(plan.expression, levels, 20_000, 15, generator(1, "test"))
    shown = both[Dimension.AROUSAL]
    inside = np.abs(shown) < 1
    np.testing.assert_allclose(both[Dimension.VALENCE][inside], -0.5 * shown[inside])
    assert np.abs(shown).max() <= 1
    assert 0.3 < shown.mean() < 0.5
    assert 0.01 < (shown < 0).mean() < 0.3
    steps = np.diff(shown)
    assert np.abs(steps).mean() < 0.1  # smooth


def test_events_come_at_their_shares(plan: CohortSpec) -> None:
    planted = people.events(plan.events, 200_000, 15, generator(2, "test"))
    assert len(planted) == 200_000
    for what, share in (
        (Planted.NO_FACE, 0.04),
        (Planted.EYES_CLOSED, 0.05),
        (Planted.OCCLUDED, 0.05),
        (Planted.TWO_FACES, 0.04),
    ):
        assert planted.count(what) / len(planted) == pytest.approx(share, rel=0.15)


def test_no_events_where_none_are_asked_for(plan: CohortSpec) -> None:
    none = replace(plan.events, no_face=0, eyes_closed=0, occluded=0, two_faces=0)
    assert set(people.events(none, 1000, 15, generator(2, "test"))) == {Planted.FACE}
