"""The tables' rules hold for what the library makes, and break where they should."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eifer.ei.cutoff import scan
from eifer.ei.groups import assign
from eifer.tables.ei import CUTOFF_SCAN, CUTOFF_TESTS, EI_SCORES
from eifer.tables.schema import Table
from tests.rows import broken

Tables = dict[str, pd.DataFrame]


@pytest.fixture(scope="module")
def made() -> Tables:
    rng = np.random.default_rng(0)
    names = [f"sub-{i:02d}" for i in range(10)]
    indices = pd.DataFrame(
        10 * rng.integers(10, 40, (10, 3)),
        columns=["self_awareness", "others_awareness", "emotion_discrimination"],
    )
    scores = indices.assign(participant_id=names, ei_score=indices.sum(axis=1))
    values = rng.normal(size=(40, 3))
    values[:4, 1] = np.nan
    got = scan(
        values,
        np.repeat(names, 4).tolist(),
        ["HAHV", "HALV", "LAHV", "LALV"] * 10,
        scores.set_index("participant_id")["ei_score"],
        cutoffs=range(0, 1201, 50),
        model="between",
        alpha=0.3,
        max_imbalance_share=0.5,
        permutations=0,
        seed=0,
    )
    groups = assign(scores, got.cutoff, min_per_group=1)
    return {"ei_scores": groups, "cutoff_scan": got.table, "cutoff_tests": got.tests}


@pytest.mark.parametrize("table", [EI_SCORES, CUTOFF_SCAN, CUTOFF_TESTS], ids=lambda t: t.name)
def test_what_the_library_makes_keeps_every_rule(table: Table, made: Tables) -> None:
    frame = made[table.name]
    assert broken(table, frame, **made) == []
    assert frame.dtypes.astype(str).to_dict() == {c.name: c.dtype for c in table.columns}
    for column in table.columns:
        assert column.missing or frame[column.name].notna().all()
        if column.low is not None:
            assert (frame[column.name].dropna() >= column.low).all()


@pytest.mark.parametrize(
    ("table", "row", "column", "value", "rule"),
    [
        (EI_SCORES, 0, "ei_score", 0, "indices_sum_to_score"),
        (EI_SCORES, 0, "self_awareness", 15, "scores_are_tens"),
        (CUTOFF_SCAN, 0, "chosen", True, "one_chosen"),
        (CUTOFF_SCAN, 0, "imbalance", 1, "imbalance_is_difference"),
        (CUTOFF_SCAN, 3, "n_low", 5, "same_people_everywhere"),
        (CUTOFF_SCAN, 24, "n_high", 5, "higher_cutoff_fewer_high"),
        (CUTOFF_SCAN, 0, "n_significant", 1, "significant_within_estimable"),
        (CUTOFF_SCAN, 0, "chosen", True, "chosen_is_best"),
        (CUTOFF_TESTS, 0, "p", 0.01, "numbers_only_where_estimable"),
        (CUTOFF_TESTS, 0, "estimable", True, "tests_agree_with_scan"),
    ],
)
def test_a_rule_breaks(
    made: Tables, *, table: Table, row: int, column: str, value: object, rule: str
) -> None:
    tampered = made[table.name].copy()
    tampered.loc[row, column] = value
    assert rule in broken(table, tampered, **made)


def test_a_group_on_the_wrong_side_is_the_row_shown(made: Tables) -> None:
    frame = made["ei_scores"].copy()
    frame.loc[4, "group"] = "Low" if frame.loc[4, "group"] == "High" else "High"
    rule = next(rule for rule in EI_SCORES.rules if rule.name == "group_follows_cutoff")
    assert rule.broken(frame, made)["participant_id"].tolist() == ["sub-04"]


def test_no_cutoff_chosen_or_a_worse_one(made: Tables) -> None:
    table = made["cutoff_scan"].copy()
    best = table["chosen"].to_numpy()
    table["chosen"] = False
    assert "one_chosen" in broken(CUTOFF_SCAN, table)
    table["chosen"] = (np.cumsum(table["acceptable"] & ~best) == 1) & table["acceptable"] & ~best
    assert broken(CUTOFF_SCAN, table) == ["chosen_is_best"]
