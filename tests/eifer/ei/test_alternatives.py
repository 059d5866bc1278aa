"""What another scan would have chosen, against scans run by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from eifer.ei.alternatives import alternatives, kinds
from eifer.ei.cutoff import Scan, ScanSpec, observations, scan_hrv
from eifer.ei.groups import assign
from eifer.tables.ei import CUTOFF_ALTERNATIVES

EMOTIONS = ["HAHV", "HALV", "LAHV", "LALV"]
SPEC = ScanSpec(
    low=400,
    high=1100,
    step=10,
    model="between",
    alpha=0.05,
    max_imbalance_share=0.5,
    permutations=0,
    copies_from=0.95,
)


class Study:
    """Fifteen people; ``copies`` of a variable react above a score, ``others`` above another."""

    def __init__(self, copies: int, others: int) -> None:
        rng = np.random.default_rng(1)
        names = [f"sub-{i:02d}" for i in range(15)]
        score = 500 + 40 * np.arange(15)
        self.scores = pd.DataFrame({"participant_id": names, "ei_score": score})
        for index in ("self_awareness", "others_awareness", "emotion_discrimination"):
            self.scores[index] = score // 3
        self.videos = pd.DataFrame(
            {
                "participant_id": np.repeat(names, 4),
                "video_id": [f"{who}_run-{k}" for who in names for k in (1, 2, 3, 4)],
                "domain": np.tile(EMOTIONS, 15),
            }
        )
        happy = self.videos["domain"] == "HAHV"
        points = np.repeat(score, 4)

        def reacting(at: int) -> pd.Series[float]:
            people = np.repeat(rng.normal(0, 0.5, 15), 4)
            return people + 1.5 * (happy & (points > at)) + rng.normal(0, 0.6, 60)

        first = reacting(880)
        values = {f"copy_{k}": first * (k + 1) + rng.normal(0, 0.02, 60) for k in range(copies)}
        values |= {f"other_{k}": reacting(640) for k in range(others)}
        self.hrv = pd.concat(
            self.videos[["participant_id", "video_id"]].assign(variable=name, value=column)
            for name, column in values.items()
        )

    def scan(self, **choices: Any) -> Scan:
        return scan_hrv(self.hrv, self.videos, self.scores, replace(SPEC, **choices), seed=1)

    def alternatives(self, **choices: Any) -> pd.DataFrame:
        own, spec = self.scan(**choices), replace(SPEC, **choices)
        made = alternatives(own, self.hrv, self.videos, self.scores, spec)
        assert not self.broken(own, made)
        return made.set_index("scan")

    def broken(self, own: Scan, made: pd.DataFrame) -> set[str]:
        groups = assign(self.scores, own.cutoff, min_per_group=1)
        tables = {"cutoff_scan": own.table, "ei_scores": groups}
        return {r.name for r in CUTOFF_ALTERNATIVES.rules if len(r.broken(made, tables))}


def test_copies_that_carry_the_choice_count_once() -> None:
    study = Study(copies=5, others=2)
    chosen = study.scan()
    row = study.alternatives().loc["copies once"]
    # Without its copies the first variable is outvoted by the two others.
    alone = Study(copies=5, others=2)
    alone.hrv = alone.hrv[~alone.hrv["variable"].isin([f"copy_{k}" for k in range(1, 5)])]
    assert alone.scan().cutoff < chosen.cutoff
    assert (row["n_counted"], row["cutoff"]) == (3, alone.scan().cutoff)
    assert row["n_significant"] == alone.scan().n_significant
    score = study.scores["ei_score"]
    assert row["n_moved"] == ((score > row["cutoff"]) != (score > chosen.cutoff)).sum() > 0
    # Where there are no copies the scan is the study's.
    assert alone.alternatives().loc["copies once", "n_moved"] == 0


@pytest.mark.parametrize(("model", "other"), [("between", "mixed"), ("mixed", "between")])
def test_the_other_model_is_the_scan_with_it(model: str, other: str) -> None:
    study = Study(copies=2, others=2)
    row = study.alternatives(model=model).loc["other model"]
    wanted = study.scan(model=other)
    assert (row["model"], row["cutoff"]) == (other, wanted.cutoff)
    assert row["n_significant"] == wanted.n_significant
    assert pd.isna(row["reason"])


def test_a_model_that_cannot_choose_says_why() -> None:
    study = Study(copies=2, others=1)
    # Two recordings of one emotion: nothing to the model over recordings, too much for the other.
    again = study.videos[study.videos["video_id"].str.endswith("run-2")]
    again = again.assign(video_id=again["video_id"].str.replace("run-2", "run-5"))
    twice = study.hrv[study.hrv["video_id"].str.endswith("run-2")]
    twice = twice.assign(video_id=twice["video_id"].str.replace("run-2", "run-5"))
    study.hrv = pd.concat([study.hrv, twice])
    study.videos = pd.concat([study.videos, again])
    row = study.alternatives().loc["other model"]
    assert pd.isna(row["cutoff"]) and "repeated measures need one value" in row["reason"]


def test_kinds_are_of_ranks_and_need_people() -> None:
    study = Study(copies=2, others=1)
    values = observations(study.hrv.merge(study.videos[["video_id", "domain"]], on="video_id"))
    values["curved"] = -np.exp(values["other_0"].groupby(level="participant_id").transform("mean"))
    values["few"] = values["other_0"].where(np.arange(len(values)) < 16)
    values["nothing"] = np.nan
    found = kinds(values, 0.95)
    assert found["copy_0"] == found["copy_1"]
    assert found["curved"] == found["other_0"]
    assert found[["copy_0", "other_0", "few", "nothing"]].nunique() == 4


def test_the_rules_find_wrong_rows() -> None:
    study = Study(copies=3, others=1)
    own = study.scan()
    made = alternatives(own, study.hrv, study.videos, study.scores, SPEC)
    for column, value, name in (
        ("cutoff", 410, "one_of_the_acceptable"),
        ("n_moved", 9, "moved_as_scored"),
        ("n_moved", pd.NA, "cutoff_or_reason"),
        ("reason", "why", "cutoff_or_reason"),
        ("n_significant", 4, "significant_within_counted"),
        ("n_counted", 0, "significant_within_counted"),
    ):
        wrong = made.copy()
        wrong.loc[0, column] = value
        assert name in study.broken(own, wrong), column
