"""Pages of the data checks: replaced by each execution, whole without a network, with the rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from eifer.errors import ContractError
from eifer.tables.schema import Column, Table
from flows.graph import ROOT
from stages._runtime import data_docs
from stages._runtime.artifacts import write_table
from stages._runtime.contracts import Checked, check
from stages._runtime.places import Folder, Given
from stages._runtime.stage import Outcome, Report, Run, stage

WORDS = Table(
    "words",
    "Words.",
    ("word",),
    (
        Column("word", "string", "one"),
        Column("n", "int 0..9", "how often", remedy="Count again."),
        Column("kind", "string", "which", values=("noun", "verb")),
        Column("picture", "bytes", "how it looks"),
    ),
)
GIVEN = Given("in.parquet", WORDS)
FOLDER = Folder("speak", wave="${study.waves}")
SPOKEN = FOLDER.shards("words", WORDS)
ADDRESS = re.compile(r"""(?:src|href)=["']?([^"'\s>]*)|@import|url\(""")


@stage(FOLDER, params=("study.seed",), given=(GIVEN,))
def speak(run: Run) -> Outcome:
    frame = run.read(GIVEN)
    return Outcome({SPOKEN: [(word, frame) for word in frame["word"]]}, Report("Said."))


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EIFER_WORKERS", "1")
    monkeypatch.delenv("DVC_STAGE", raising=False)
    Path("params.yaml").write_text((ROOT / "presets/demo.yaml").read_text())
    given()
    return tmp_path


def words(**values: object) -> pd.DataFrame:
    rows = [{"word": word, "n": 1, "kind": "noun", "picture": b"seen"} for word in "abc"]
    return pd.DataFrame([*rows[:2], rows[2] | values])


def given(**values: object) -> None:
    write_table(Path("in.parquet"), words(**values))


def page(wave: str = "1") -> str:
    return (data_docs.PAGES / f"speak@{wave}/words.html").read_text()


def test_an_execution_leaves_a_page_a_table_and_an_index() -> None:
    speak({"wave": "1"})
    speak({"wave": "2"})
    text = page()
    assert "Checked by <code>speak@1</code>" in text and "Great Expectations 1." in text
    (record,) = Path("runs/provenance").glob("*speak@1.json")
    assert f"<code>{record}</code>" in text
    # Read once, and written in three parts.
    assert "It was checked 4 times" in text and "broken</h2>" not in text
    index = data_docs.INDEX.read_text()
    for wave in "12":
        assert f'<a href="speak@{wave}/words.html">words</a>' in index
    state = data_docs.read(Path())
    assert state["speak@1"]["record"] == record.name
    assert state["speak@1"]["tables"] == {"words": {"promises": 9, "broken": 0, "times": 4}}


def test_a_broken_promise_shows_its_rows_and_is_named_in_the_error() -> None:
    speak({"wave": "1"})
    given(n=77)
    with pytest.raises(ContractError, match=f"as a page: {data_docs.PAGES}/speak@1/words.html"):
        speak({"wave": "1"})
    text = page()
    assert "1 broken</h2>" in text and "Count again." in text and "(it failed)" in text
    cells = re.findall(r"<td>(.*?)</td>", text.split("Every promise")[0])
    assert cells == ["2", "c", "77", "noun"]  # its picture is not shown
    assert data_docs.read(Path())["speak@1"]["record"] is None
    assert "<b>1</b>" in data_docs.INDEX.read_text() and ", failed" in data_docs.INDEX.read_text()
    given()
    speak({"wave": "1"})
    assert "<td>77</td>" not in page() and "<b>" not in data_docs.INDEX.read_text()


def test_other_columns_than_promised_are_no_page() -> None:
    checked: dict[str, Checked] = {}
    with pytest.raises(ContractError, match="columns missing"):
        check(WORDS, words().drop(columns="n"), checked=checked)
    assert not checked


def test_a_failure_without_a_broken_promise_leaves_the_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    speak({"wave": "1"})
    before = page()

    def stop(run: Run) -> Outcome:
        run.read(GIVEN)
        raise KeyboardInterrupt

    monkeypatch.setattr(speak, "function", stop)
    with pytest.raises(KeyboardInterrupt):
        speak({"wave": "1"})
    assert page() == before


def test_pages_need_nothing_from_elsewhere_whatever_the_data_say() -> None:
    given(kind='<img src="https://example.org/x.png">', n=77)
    with pytest.raises(ContractError):
        speak({"wave": "1"})
    text = page() + data_docs.INDEX.read_text()
    assert "&lt;img src=" in text and "<img" not in text and "<script" not in text
    found = {match[1] for match in ADDRESS.finditer(text.replace("&lt;img src=", ""))}
    assert {place for place in found if not place.startswith("#")} <= {
        "../index.html", "speak@1/words.html",
    }  # fmt: skip
    assert "default-src 'none'" in text


def test_what_is_forgotten_leaves_the_index() -> None:
    data_docs.forget(Path(), {"speak"})  # there is none
    speak({"wave": "1"})
    data_docs.forget(Path(), {"hear"})
    assert list(data_docs.read(Path())) == ["speak@1"]
    data_docs.forget(Path(), {"speak"})
    assert json.loads(data_docs.STATE.read_text()) == {}
    assert "words.html" not in data_docs.INDEX.read_text()
