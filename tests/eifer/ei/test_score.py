"""Scores from answers, and the answers that give none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eifer.ei.score import ANSWERS, scores
from eifer.errors import InputError


def items(*people: str) -> pd.DataFrame:
    frames = [ANSWERS.to_frame(index=False).assign(participant_id=name) for name in people]
    return pd.concat(frames, ignore_index=True).assign(correct=0)


def test_ten_points_for_each_correct_answer() -> None:
    table = items("sub-02", "sub-01")
    one = table["participant_id"] == "sub-01"
    table.loc[one, "correct"] = 1
    table.loc[
        ~one & (table["index"] == "others_awareness") & (table["category"] == 2), "correct"
    ] = 1
    table.loc[~one & (table["index"] == "self_awareness") & (table["stimulus"] == 7), "correct"] = 1
    got = scores(table.sample(frac=1, random_state=0)).set_index("participant_id")
    assert got.index.tolist() == ["sub-01", "sub-02"]
    assert got.loc["sub-01"].tolist() == [1200, 400, 400, 400]
    assert got.loc["sub-02"].to_dict() == {
        "ei_score": 140,
        "self_awareness": 40,
        "others_awareness": 100,
        "emotion_discrimination": 0,
    }


def test_partial_assessments_are_refused_all_at_once() -> None:
    table = items("sub-01", "sub-02", "sub-03", "sub-04")
    table["correct"] = table["correct"].astype(float)
    table.loc[130, "correct"] = np.nan
    table.loc[131, "correct"] = 2
    table = pd.concat([table.drop(index=[0, 1]), table.iloc[[300]]])
    table.loc[400, "category"] = 5
    with pytest.raises(InputError) as caught:
        scores(table)
    said = str(caught.value)
    assert "sub-01 has 2, first self_awareness 1 1" in said
    assert "correct is neither 0 nor 1 (2): sub-02 self_awareness 2 1: nan" in said
    assert "items answered twice (1): sub-03 has 1" in said
    assert "items unknown (1): sub-04 has 1" in said
    assert len(caught.value.problems) == 6
