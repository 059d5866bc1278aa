"""The stage corpora of the expressions study with corpora that are not as they should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from eifer.errors import InputError
from flows.graph import ROOT
from stages._runtime.stage import Run
from stages.expressions.corpora import corpora
from tests.eifer.corpora.readers.published import drawn

FOLDER = Path("data/draw/corpora")
SPEC: dict[str, Any] = {"form": "parquet", "votes": None}


@pytest.fixture(autouse=True)
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params of two corpora, which lie where the demo's do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EIFER_WORKERS", "1")
    monkeypatch.delenv("DVC_STAGE", raising=False)
    # What the tables promise is checked elsewhere; Great Expectations takes 5 s to import.
    monkeypatch.setattr(Run, "_check", lambda self, table, frame: None)
    name_corpora("one", "two")
    FOLDER.mkdir(parents=True)
    for name in ("one", "two"):
        write(name, corpus(name))
    return tmp_path


def name_corpora(*names: str) -> None:
    params = yaml.safe_load((ROOT / "presets/expressions.yaml").read_text())
    params["corpora"] = {name: SPEC | {"path": f"{name}.parquet"} for name in names}
    params["train"]["data"] = list(names[:1])
    Path("params.yaml").write_text(yaml.safe_dump(params))


def corpus(name: str) -> pd.DataFrame:
    """Six pictures of two classes, which no other corpus has."""
    first = 10 * ("one", "two", "good").index(name)
    return pd.DataFrame(
        {
            "image_id": [f"{k}" for k in range(6)],
            "label": ["happy", "sad"] * 3,
            "image": [drawn(first + k) for k in range(6)],
        }
    )


def write(name: str, table: pd.DataFrame) -> None:
    table.to_parquet(FOLDER / f"{name}.parquet", index=False)


def left_out() -> dict[Any, int]:
    table = pd.read_parquet("data/corpora/attrition.parquet")
    return table.set_index(["what", "reason"])["n"].to_dict()


def test_corpora_as_they_should_be_are_read_whole() -> None:
    corpora({})
    images = pd.read_parquet("data/corpora/images.parquet")
    assert images.groupby("corpus").size().to_dict() == {"one": 6, "two": 6}
    assert left_out() == {}
    pictures = pd.concat(map(pd.read_parquet, sorted(Path("data/corpora/pictures").iterdir())))
    assert set(pictures["image_id"]) == set(images["image_id"])


def test_faults_of_all_corpora_are_told_together_before_a_picture_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    each = Run.each

    def watched(self: Run, *given: Any, **named: Any) -> Any:
        read.append(named["label"])
        return each(self, *given, **named)

    monkeypatch.setattr(Run, "each", watched)
    name_corpora("good", "one", "two")
    write("good", corpus("good"))
    write("one", corpus("one").drop(columns="label"))
    table = corpus("two")
    table.loc[[1, 3], "label"] = "joyfull"
    table.loc[5, "image_id"] = "0"
    write("two", table)
    with pytest.raises(InputError) as caught:
        corpora({})
    said = str(caught.value)
    assert "corpora: 3 problems" in said
    assert "column label is missing (1): one: one.parquet has image_id, image" in said
    assert "unknown label (1): two: two.parquet row 1: 'joyfull' (2 images)" in said
    assert not read
    assert not Path("data/corpora").exists() and not Path("data/corpora.partial").exists()
    # Of the corpus without a fault pictures would have been read.
    name_corpora("good")
    corpora({})
    assert read == ["good"]


def test_pictures_that_do_not_decode_are_left_out_and_counted() -> None:
    table = corpus("one")
    table.loc[0, "image"] = b""
    table.loc[1, "image"] = drawn(99)[:60]
    table.loc[2, "image"] = b"GIF89a, but no more of it"
    table.loc[3, "label"] = "contempt"
    write("one", table)
    corpora({})
    images = pd.read_parquet("data/corpora/images.parquet")
    assert images.groupby("corpus").size().to_dict() == {"one": 2, "two": 6}
    lost = left_out()
    assert {name for name, _ in lost} == {"one"}
    assert lost["one", "labelled contempt, which is none of the seven classes"] == 1
    undecoded = {reason: n for (_, reason), n in lost.items() if reason.startswith("picture ")}
    assert sum(undecoded.values()) == 3
    # Every image is either there or counted.
    assert len(images) + sum(lost.values()) == 12


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("label", "happy", "a corpus of fewer than two classes"),
        ("image", b"no picture", "pictures of fewer than two classes can be decoded (1): 6 images"),
    ],
)
def test_a_corpus_of_one_class_is_refused(column: str, value: object, says: str) -> None:
    table = corpus("two")
    table.loc[table["label"] == "sad", column] = value
    write("two", table)
    with pytest.raises(InputError) as caught:
        corpora({})
    assert "two" in str(caught.value) and says in str(caught.value)
    assert not Path("data/corpora").exists()
