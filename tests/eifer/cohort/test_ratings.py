from __future__ import annotations

import pandas as pd
import pytest

from eifer.cohort.ratings import labelled
from eifer.errors import InputError
from eifer.vocabulary import Dimension, Domain


def rated(**columns: object) -> pd.DataFrame:
    table = {
        "participant_id": ["sub-01"] * 2,
        "video_id": ["sub-01_run-1", "sub-01_run-2"],
        "domain": ["HALV", "LAHV"],
        "arousal_rating": [4, 5],
        "valence_rating": [4, 3],
    }
    return pd.DataFrame(table | columns)


def test_neutral_ratings_take_the_letter_of_the_stimulus_and_others_their_own_side() -> None:
    scale = range(1, 8)
    rows = [("sub-01", f"{d}{a}{v}", d.value, a, v) for d in Domain for a in scale for v in scale]
    table = pd.DataFrame(rows, columns=list(rated()))
    out = labelled(table)
    assert len(out) == 4 * 49
    for row in out.to_dict("records"):
        for dimension, letter in zip(Dimension, row["domain"][::2], strict=True):
            rating = row[f"{dimension}_rating"]
            expected = (letter == "H", "stimulus") if rating == 4 else (rating > 4, "rating")
            assert (row[f"{dimension}_label"], row[f"{dimension}_label_source"]) == expected
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
        "rating that is not an integer from 1 to 7",
        "study.exclude",
    ):
        assert place in said


def test_an_unknown_domain_is_named() -> None:
    with pytest.raises(InputError, match=r"sub-01_run-1: 'HAVL'; did you mean"):
        labelled(rated(domain=["HAVL", "LAHV"]))
