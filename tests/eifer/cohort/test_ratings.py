from __future__ import annotations

import pandas as pd
import pytest

from eifer.cohort.ratings import label, labelled
from eifer.errors import InputError
from eifer.vocabulary import Dimension, Domain, LabelSource

A, V = Dimension.AROUSAL, Dimension.VALENCE


@pytest.mark.parametrize("rating", [1, 2, 3])
@pytest.mark.parametrize("domain", list(Domain))
def test_low_ratings_are_low_whatever_the_stimulus(rating: int, domain: Domain) -> None:
    assert label(rating, domain, A) == (0, LabelSource.RATING)
    assert label(rating, domain, V) == (0, LabelSource.RATING)


@pytest.mark.parametrize("rating", [5, 6, 7])
@pytest.mark.parametrize("domain", list(Domain))
def test_high_ratings_are_high_whatever_the_stimulus(rating: int, domain: Domain) -> None:
    assert label(rating, domain, A) == (1, LabelSource.RATING)
    assert label(rating, domain, V) == (1, LabelSource.RATING)


@pytest.mark.parametrize(
    ("domain", "arousal", "valence"),
    [("HAHV", 1, 1), ("HALV", 1, 0), ("LAHV", 0, 1), ("LALV", 0, 0)],
)
def test_a_neutral_rating_takes_the_stimulus_letter(
    domain: str, arousal: int, valence: int
) -> None:
    assert label(4, Domain(domain), A) == (arousal, LabelSource.STIMULUS)
    assert label(4, Domain(domain), V) == (valence, LabelSource.STIMULUS)


@pytest.mark.parametrize("rating", [0, 8, -1, 3.5, float("nan")])
def test_any_other_rating_is_refused(rating: float) -> None:
    with pytest.raises(InputError, match="not an integer from 1 to 7") as caught:
        label(rating, Domain.HAHV, A)  # type: ignore[arg-type]
    assert repr(rating) in str(caught.value)


def rated(**columns: object) -> pd.DataFrame:
    table = {
        "participant_id": ["sub-01"] * 2,
        "video_id": ["sub-01_run-1", "sub-01_run-2"],
        "domain": ["HALV", "LAHV"],
        "arousal_rating": [4, 5],
        "valence_rating": [4, 3],
    }
    return pd.DataFrame(table | columns)


def test_the_table_form_agrees_with_the_scalar_form() -> None:
    ratings = list(range(1, 8))
    table = pd.DataFrame(
        [
            {
                "participant_id": "sub-01",
                "video_id": f"{domain}{a}{v}",
                "domain": domain.value,
                "arousal_rating": a,
                "valence_rating": v,
            }
            for domain in Domain
            for a in ratings
            for v in ratings
        ]
    )
    out = labelled(table)
    assert len(out) == 4 * 49
    for row in out.to_dict("records"):
        for d in Dimension:
            expected = label(row[f"{d}_rating"], Domain(row["domain"]), d)
            assert (row[f"{d}_label"], row[f"{d}_label_source"]) == expected
    assert "arousal_label" not in table


def test_ratings_as_text_become_integers() -> None:
    out = labelled(rated(arousal_rating=["4", "5"]))
    assert out["arousal_rating"].tolist() == [4, 5]
    assert out["arousal_label"].tolist() == [1, 1]
    assert out["arousal_label"].dtype == "int64"


def test_every_illegal_rating_is_named_with_participant_video_and_value() -> None:
    with pytest.raises(InputError) as caught:
        labelled(rated(arousal_rating=[3.5, 0], valence_rating=[8, None]))
    said = str(caught.value)
    assert len(caught.value.problems) == 4
    for place in (
        "sub-01 sub-01_run-1 arousal 3.5",
        "sub-01 sub-01_run-2 arousal 0.0",
        "sub-01 sub-01_run-1 valence 8.0",
        "sub-01 sub-01_run-2 valence nan",
        "study.exclude",
    ):
        assert place in said


def test_an_unknown_domain_is_named() -> None:
    with pytest.raises(InputError, match=r"sub-01_run-1: 'HAVL'; did you mean"):
        labelled(rated(domain=["HAVL", "LAHV"]))
