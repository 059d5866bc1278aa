"""Pages of data checks that may name who withdraws are found, and no others."""

from __future__ import annotations

from pathlib import Path

from flows.withdraw.found import Derived, lying
from stages._runtime import data_docs


def test_pages_of_what_came_of_the_person_are_found(tmp_path: Path) -> None:
    for place in ("intake/videos", "extract@1/frames", "extract@2/frames", "corpus@drawn/faces"):
        path = tmp_path / data_docs.PAGES / f"{place}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("sub-07")
    (tmp_path / data_docs.INDEX).write_text("all of them")
    found = [
        path.parent.name for path in lying(tmp_path, Derived(stages={"intake", "extract"}), ())
    ]
    # Of an instance that others alone are in, pages may be of former params.
    assert found == ["extract@1", "extract@2", "intake"]
