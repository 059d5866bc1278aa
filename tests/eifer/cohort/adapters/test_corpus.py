from __future__ import annotations

from pathlib import Path

import pytest

from eifer.cohort.adapters.corpus import Corpus, Ecg, Person, Plan, Trial, plan, rating
from eifer.cohort.layout import Exclusion
from eifer.errors import InputError
from eifer.vocabulary import Dimension, Domain

FACE = Path("face.avi")


def shown(film: str, arousal: float, valence: float, who: str = "sub-01", **other: object) -> Trial:
    ratings = {Dimension.AROUSAL: arousal, Dimension.VALENCE: valence}
    fields: dict[str, object] = {"order": 1, "ratings": ratings, "video": FACE} | other
    return Trial(who, stimulus=film, **fields)  # type: ignore[arg-type]


FOUR = (shown("a", 8, 8), shown("b", 8, 2), shown("c", 2, 8), shown("d", 2, 2))


def planned(*trials: Trial, no_ecg: str | None = None) -> Plan:
    people = [Person(name) for name in sorted({trial.participant for trial in trials})]
    return plan(Corpus("Tiny", people, trials, no_ecg))


def films(found: Plan, who: str = "sub-01") -> list[str]:
    return [trial.stimulus for trial in found.runs[who].values()]


def test_integers_keep_their_side_and_5_alone_is_neutral() -> None:
    assert [rating(value) for value in range(1, 10)] == [1, 2, 2, 3, 4, 5, 6, 6, 7]


@pytest.mark.parametrize(
    ("value", "mapped"),
    [(1.0, 1), (4.3, 3), (4.34, 4), (5.66, 4), (5.7, 5), (8.9, 7), (3.0, 2), (7.0, 6)],
)
def test_ratings_between_integers_go_to_the_nearest(value: float, mapped: int) -> None:
    assert rating(value) == mapped


def test_the_clearest_film_of_each_domain_is_taken_in_the_order_shown() -> None:
    late = shown("e", 9, 6, order=2)  # farther on one scale, but near the middle on the other
    clear = shown("f", 8.5, 8.5, order=0)
    assert films(planned(late, *FOUR, clear)) == ["f", "b", "c", "d"]


def test_a_film_with_an_ecg_goes_before_a_clearer_one() -> None:
    ecg = Ecg(250, 0, lambda: pytest.fail("not read yet"))
    assert films(planned(*FOUR, shown("f", 6, 6, ecg=ecg)))[:2] == ["b", "c"]
    assert "f" in films(planned(*FOUR, shown("f", 6, 6, ecg=ecg)))


def test_domains_follow_the_mean_of_all_ratings_even_of_those_without_faces() -> None:
    other = [shown("a", 1, 8, f"sub-{k:02d}", video=None) for k in range(2, 6)]
    found = planned(*FOUR, shown("g", 7, 7), *other)
    assert found.domains["g"] is Domain.HAHV and "a" not in films(found)
    assert [exclusion.participant for exclusion in found.exclude if exclusion.whole] == [
        f"sub-{k:02d}" for k in range(2, 6)
    ]


def test_domains_may_be_given() -> None:
    corpus = Corpus("Tiny", [Person("sub-01")], [*FOUR, shown("g", 5, 5)])
    given = {"g": Domain.HAHV, "b": Domain.HALV, "c": Domain.LAHV, "d": Domain.LALV}
    assert films(plan(corpus, given)) == ["b", "c", "d", "g"]
    with pytest.raises(InputError, match="no film of the domain LALV"):
        plan(corpus, {name: domain for name, domain in given.items() if name != "d"})


def test_what_is_lacking_is_excluded_by_run_and_recording() -> None:
    ecg = Ecg(250, 0, lambda: pytest.fail("not read yet"))
    found = planned(
        shown("a", 8, 8, ecg=ecg), shown("b", 8, 2), shown("c", 2, 8, video=None),
        shown("d", 2, 2, ratings=None), shown("c", 2, 8, "sub-02"), shown("d", 2, 2, "sub-02"),
    )  # fmt: skip
    assert [e for e in found.exclude if e.participant == "sub-01"] == [
        Exclusion("sub-01", "Tiny has no face video with ratings of a LAHV film", 3),
        Exclusion("sub-01", "Tiny has no face video with ratings of a LALV film", 4),
        Exclusion("sub-01", "Tiny has no whole ECG of this film", 2, "ecg"),
    ]
    none = planned(*FOUR, no_ecg="none was recorded").exclude
    assert none == [Exclusion("sub-01", "none was recorded", None, "ecg")]


def test_a_domain_without_a_film_is_named_with_what_was_rated() -> None:
    with pytest.raises(InputError) as caught:
        planned(*FOUR[:3])
    assert "no film of the domain LALV" in str(caught.value)
    assert "a (arousal 8.0, valence 8.0), b (" in str(caught.value)
    assert "--stimuli" in str(caught.value)


def test_a_rating_off_the_scale_is_named() -> None:
    with pytest.raises(InputError, match=r"from 1 to 9 \(2\): sub-01 g: arousal 0, .*valence 10"):
        planned(*FOUR, shown("g", 0, 10))
