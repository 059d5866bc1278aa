"""The page read as a person reads it: what differs is named by table, row and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.audit.links import audited
from flows.audit.page import Page, compared, stored
from flows.audit.study import Recorded

PAGE = """<h2>Scores</h2><section id="scores"><p>Of 4 people.</p>
<figure id="table-table_3"><figcaption>Table 3.</figcaption><table>
<thead><tr><th>Model</th><th>AUC</th></tr></thead><tbody>
<tr><td>High</td><td>0.9300<small>0.9843</small></td></tr>
<tr><td><span class="same">High</span></td><td>−0.1</td></tr></tbody></table></figure>
<figure id="figure-roc"><img src="data:a"></figure></section>"""


def test_a_page_is_read_by_where_things_stand() -> None:
    shown = Page(PAGE).shown
    assert shown["table table_3, row 1, AUC"] == "0.9300 / 0.9843"
    assert shown["table table_3, row 2, Model"] == "High"
    assert shown["scores, p 1"] == "Of 4 people."
    assert shown["figure roc, image"] == "data:a"


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("0.9300", "0.9900", "table table_3, row 1, AUC: 0.9900 / 0.9843; by the tables 0.9300 /"),
        ("0.9843", "0.9943", "table table_3, row 1, AUC: 0.9300 / 0.9943; by the tables 0.9300 /"),
        ("Of 4", "Of 40", "scores, p 1: Of 40 people.; by the tables Of 4 people."),
        ("data:a", "data:b", "figure roc, image: data:b; by the tables data:a"),
        ("<tr><td>High", "<tr> <td>High", f"character {PAGE.index('<td>High') + 1}"),
    ],
)
def test_what_differs_is_named_where_it_stands(
    tmp_path: Path, old: str, new: str, place: str
) -> None:
    for name, text in (("is", PAGE.replace(old, new, 1)), ("should", PAGE)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (where,) = compared(tmp_path / "is", tmp_path / "should")
    assert where.startswith(place)
    assert list(compared(tmp_path / "should", tmp_path / "should")) == []


def test_whole_numbers_stay_whole_where_some_are_missing(tmp_path: Path) -> None:
    tables = tmp_path / "data/report/tables"
    tables.mkdir(parents=True)
    (tables / "counts.csv").write_text("label,n,share,none\nhappy,3,1.0,\nsad,,0.5,\n")
    item = {"table": "counts", "columns": {"n": "{n}", "Share": "{share}", "None": "{none}"}}
    found = stored(tmp_path, item)
    assert [str(found.at[0, name]) for name in ("n", "share")] == ["3", "1.0"]
    assert found["n"].isna().tolist() == [False, True] and found["none"].isna().all()


@pytest.mark.parametrize("protocol", ["", "protocol: expressions\n"])
@pytest.mark.parametrize("link", ["scores", "statistics", "partitions"])
def test_where_there_is_nothing_no_link_is_well(tmp_path: Path, link: str, protocol: str) -> None:
    (tmp_path / "params.yaml").write_text(f"{protocol}study: {{name: a}}\n")
    (verdict,) = audited(Recorded(tmp_path), (link,))
    assert verdict.state == "differs"
