"""Groups follow score and cutoff."""

from __future__ import annotations

import pandas as pd
import pytest

from eifer.ei.groups import assign
from eifer.errors import DesignError

SCORES = pd.DataFrame(
    {
        "participant_id": ["sub-03", "sub-01", "sub-02"],
        "ei_score": [830, 840, 600],
        "self_awareness": [400, 400, 200],
        "others_awareness": [400, 400, 200],
        "emotion_discrimination": [30, 40, 200],
    }
)


def test_high_is_above_the_cutoff_and_the_cutoff_itself_is_low() -> None:
    got = assign(SCORES, 830, min_per_group=1)
    assert got["participant_id"].tolist() == ["sub-01", "sub-02", "sub-03"]
    assert got["group"].tolist() == ["High", "Low", "Low"]


def test_a_group_that_is_too_small_is_refused_with_both_counts() -> None:
    with pytest.raises(DesignError, match="1 of 3 participants in group High and 2 in Low"):
        assign(SCORES, 830, min_per_group=2)


@pytest.mark.parametrize(
    "broken",
    [
        SCORES.assign(ei_score=[830, None, 600]),
        pd.concat([SCORES, SCORES.iloc[[1]]], ignore_index=True),
    ],
)
def test_who_has_no_score_or_two_is_named_and_not_low(broken: pd.DataFrame) -> None:
    with pytest.raises(DesignError, match=r"1 participants have no score, or several \(sub-01\)"):
        assign(broken, 600, min_per_group=1)
