"""The words of the study, as they stand in tables and file names."""

from __future__ import annotations

import pandas as pd
import pytest

from eifer.vocabulary import Dimension, Domain, Group, item_id, video_id


@pytest.mark.parametrize(
    ("domain", "arousal", "valence"),
    [("HAHV", 1, 1), ("HALV", 1, 0), ("LAHV", 0, 1), ("LALV", 0, 0)],
)
def test_a_domain_is_high_or_low_on_each_dimension(domain: str, arousal: int, valence: int) -> None:
    assert Domain(domain).label(Dimension.AROUSAL) == arousal
    assert Domain(domain).label(Dimension.VALENCE) == valence


def test_identifiers_follow_the_recording() -> None:
    assert video_id("sub-01", 3) == "sub-01_run-3"
    assert item_id("sub-01_run-3", 7) == "sub-01_run-3_frame-000007"


def test_items_of_a_video_sort_as_its_frames_do() -> None:
    frames = [0, 9, 10, 99, 10_800, 999_999]
    items = [item_id("sub-01_run-1", frame) for frame in frames]
    assert sorted(items) == items


def test_a_word_is_its_text_in_tables_and_files() -> None:
    assert f"{Group.HIGH}" == "High"
    column = pd.Series(["High", "Low"])
    assert (column == Group.HIGH).tolist() == [True, False]
