"""No count of few people can be read from a table, nor subtracted from its other counts."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from eifer.errors import StudyError
from eifer.report.exhibits import lines
from eifer.report.few import Few

FEW = Few(5, frozenset(["sub-01", "sub-02"]))
SEXES = "{women:people of n}, {men:people of n}, {unknown:people of n}"
GROUPS = {"columns": {"Group": "{group}", "n": "{n:people}", "Sex": SEXES, "Age": "{age:.1f}"}}


def groups(high: tuple[int, int, int], low: tuple[int, int, int]) -> pd.DataFrame:
    rows = {"High": high, "Low": low, "Total": tuple(map(sum, zip(high, low, strict=True)))}
    return pd.DataFrame(
        [
            {"group": group, "n": sum(of), "age": 20.5}
            | dict(zip(("women", "men", "unknown"), of, strict=True))
            for group, of in rows.items()
        ]
    )


def shown(frame: pd.DataFrame, item: dict[str, object]) -> list[list[str]]:
    made, _ = FEW.withheld(frame, item)
    return [[line for (line,) in row] for row in lines(made, item["columns"])]  # type: ignore[arg-type]


def test_large_counts_are_shown_as_they_are() -> None:
    frame = groups((20, 5, 0), (9, 7, 0))
    made, words = FEW.withheld(frame, GROUPS)
    assert words == "" and made.astype(frame.dtypes).equals(frame)
    assert shown(frame, GROUPS)[0] == ["High", "25", "20, 5, 0", "20.5"]
    assert Few(1).withheld(groups((1, 1, 0), (1, 0, 0)), GROUPS)[1] == ""


def test_a_small_count_takes_along_what_it_would_follow_from() -> None:
    # Of one group alone it is few; of the other and of both it is not.
    rows = shown(groups((20, 2, 0), (9, 7, 0)), GROUPS)
    assert [row[2] for row in rows] == ["<5*, <5*, 0"] * 3
    assert [row[1] for row in rows] == ["22", "16", "38"]
    # Neither 21 nor 4 of 25 is told, though 21 is many: what is left of 25 is few.
    only = {"columns": {"Women": "{women:people of n}"}}
    assert {row[0] for row in shown(groups((21, 4, 0), (9, 0, 7)), only)} == {"<5*"}
    _, words = FEW.withheld(groups((20, 2, 0), (9, 7, 0)), GROUPS)
    assert words == " <5*: fewer than 5 people, or a count from which so few follow."


@pytest.mark.parametrize("n", [6, 7, 25])
def test_what_is_shown_fits_several_divisions(n: int) -> None:
    """With everything else known, each withheld count of few can still be two numbers."""
    divisions = [
        of for of in itertools.product(range(1, n), repeat=2) if sum(of) == n and min(of) < 5
    ]
    seen: dict[str, set[tuple[int, int]]] = {}
    for women, men in divisions:
        text = shown(groups((women, men, 0), (30, 30, 0)), GROUPS)[0][2]
        seen.setdefault(text, set()).add((women, men))
    assert [len({women for women, _ in of}) > 1 for of in seen.values()] == [True] * len(seen)


def test_rows_of_few_people_show_no_numbers_and_those_beside_them_neither() -> None:
    frame = pd.DataFrame(
        {
            "stage": ["intake", "intake", "extract", "extract"],
            "reason": ["withdrew", "moved away", "no face", "occluded"],
            "n": [1, 7, 300, 40],
            "participants": [1, 7, 12, 9],
        }
    )
    columns = {"Why": "{reason}", "n": "{n:d}", "People": "{participants:people}"}
    item = {"together": ["stage"], "columns": columns}
    assert shown(frame, item) == [
        ["withdrew", "–", "<5*"],
        ["moved away", "–", "<5*"],
        ["no face", "300", "12"],
        ["occluded", "40", "9"],
    ]
    made, words = FEW.withheld(frame, item)
    assert words.endswith("so few follow; other numbers beside it are withheld.")
    assert made["n"].isna().tolist() == [True, True, False, False]


def test_a_cell_that_names_somebody_is_empty() -> None:
    columns = {"Why": "{why}", "Who": "{who:names}", "Round": "{round}"}
    frame = pd.DataFrame(
        {
            "why": ["sub-01_run-1 is short", "sub-010 is nobody"],
            "who": ["01, 02", "1"],
            "round": "1",
        }
    )
    assert shown(frame, {"columns": columns}) == [["–", "–", "1"], ["sub-010 is nobody", "–", "1"]]


def test_a_study_with_a_small_group_is_refused() -> None:
    scores = pd.Series(["High"] * 4 + ["Low"] * 9)
    assert Few.of(4, scores, []).least == 4
    with pytest.raises(StudyError, match=r"an EI group has fewer \(High 4\).*min_per_group"):
        Few.of(5, scores, [])
