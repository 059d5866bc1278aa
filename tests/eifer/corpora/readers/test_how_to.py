"""docs/how-to/add-a-corpus.md: its table names every form, and its code reads a corpus."""

import re
from pathlib import Path
from typing import Any

import pytest

from eifer.corpora.labelled import CorpusSpec
from eifer.corpora.readers import FORMS, open_corpus
from eifer.errors import InputError
from tests.eifer.corpora.readers.published import drawn, put

PAGE = (Path(__file__).parents[4] / "docs" / "how-to" / "add-a-corpus.md").read_text()
PARQUET, READER = re.findall(r"```python\n(.*?)```", PAGE, re.S)
ROWS = [("1.png", "happy", "p"), ("2.png", "Sadness", "q"), ("3.png", "fear", "q")]


def test_the_page_has_every_form() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.M) == list(FORMS)


def test_a_corpus_written_as_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine", "")
    exec(PARQUET, {})
    rows = open_corpus("mine", CorpusSpec("parquet", "mine.parquet", None)).rows
    assert rows["image_id"].tolist() == ["mine/1.png", "mine/2.png", "mine/3.png"]
    assert rows["label"].tolist() == ["happy", "sad", "fear"]
    assert rows["identity"].tolist() == ["p", "q", "q"]


def test_a_reader(tmp_path: Path) -> None:
    module: dict[str, Any] = {}
    exec(READER, module)
    write(tmp_path, "faces")
    spec = CorpusSpec("mine", str(tmp_path), None)
    labelled = module["read"]("mine", spec)
    assert labelled.rows["label"].tolist() == ["happy", "sad", "fear"]
    assert list(labelled.pictures()) == [drawn(k) for k in range(3)]
    put(tmp_path / "labels.csv", "file,feeling,person\n1.png,glad,p\n")
    with pytest.raises(InputError, match="unknown label"):
        module["read"]("mine", spec)


def write(folder: Path, faces: str) -> None:
    lines = [",".join(row) for row in [("file", "feeling", "person"), *ROWS]]
    put(folder / "labels.csv", "\n".join(lines))
    for k, (name, _, _) in enumerate(ROWS):
        put(folder / faces / name, drawn(k))
