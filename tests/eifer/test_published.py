"""The source's figures: all of protocol section 11 is there, and can be joined with ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eifer import published
from eifer.tables.comparison import COMPARISON, CONTRASTS
from eifer.tables.evaluation import SUMMARY
from eifer.vocabulary import Condition, Dimension, Group

SECTION = "## 11."
METRICS = ("macro_f1", "accuracy", "roc_auc", "pr_auc")


@pytest.fixture
def section(shared: Path) -> str:
    text = (shared / "protocol.md").read_text(encoding="utf-8")
    return text[text.index(SECTION) :]


def test_performance_is_that_of_the_protocol(section: str) -> None:
    mine = published.performance().set_index(["task", "condition", "metric", "training_group"])
    rows = re.findall(r"^\| (\w+), (\w+) \|(.+)\|$", section, flags=re.MULTILINE)
    assert rows[0][:2] == ("task", "condition") and len(rows) == 7
    for task, condition, cells in rows[1:]:
        for metric, cell in zip(METRICS, cells.split("|"), strict=True):
            want = [float(number) for number in cell.split("/")]
            got = [mine.loc[(task, condition, metric, str(group)), "mean"] for group in Group]
            assert got == want, (task, condition, metric)


def test_every_contrast_figure_of_the_protocol_is_there(section: str) -> None:
    text = section[section.index("Baseline contrasts") :]
    wanted = {float(n) for n in re.findall(r"-?\d*\.\d{4}", text)}
    mine = published.contrasts()
    numbers = mine.select_dtypes("float64").stack().dropna()
    assert wanted == set(numbers)
    row = mine.set_index(["task", "condition", "contrast"]).loc[
        ("arousal", "baseline", "High-Total")
    ]
    assert row["pooled_delta"] == -0.0015 and row["fisher_q"] == "< 0.001"
    assert row["gee_odds_ratio"] == 0.8271
    assert (mine["pooled_ci_low"].dropna() < mine["pooled_ci_high"].dropna()).all()


def test_they_join_with_our_tables() -> None:
    scores, contrasts = published.performance(), published.contrasts()
    assert len(scores) == 2 * 3 * 3 * 4 and not scores.isna().any(axis=None)
    assert not scores.duplicated(["task", "condition", "training_group", "metric"]).any()
    assert len(contrasts) == 2 * 3 * 2
    assert set(contrasts["contrast"]) == set(CONTRASTS)
    for frame, table in ((scores, SUMMARY), (contrasts, COMPARISON)):
        ours = set(table.names) | {"place", "fisher_significant", "gee_significant"}
        assert set(frame) <= ours
        assert set(frame["task"]) == {str(d) for d in Dimension}
        assert set(frame["condition"]) == {str(c) for c in Condition}
        assert frame["place"].str.contains("Table").all()


def test_figures_are_plausible_as_printed() -> None:
    scores = published.performance()
    assert scores["mean"].between(0, 1).all() and scores["sd"].between(0, 0.1).all()
    for name in ("mean", "sd"):
        assert (scores[name].round(4) == scores[name]).all()
