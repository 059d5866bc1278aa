"""The data card says what the study's files say, and nothing of stages that are not behind it."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

from eifer.report.exhibits import printed
from eifer.tables.attrition import ATTRITION
from eifer.vocabulary import EiIndex
from flows.crate.card import CARD, written
from flows.crate.graph import METADATA
from flows.crate.source import Source
from flows.crate.writing import write
from flows.graph import ROOT
from flows.pages.summary import tables
from stages._runtime.artifacts import write_json, write_table
from stages.catalogue import PARTICIPANTS

SELECT = "data/select/wave-1"
PEOPLE = PARTICIPANTS.table.frame(
    [
        {"participant_id": who, "age_years": 30.0, "sex": sex, "wave": "1", "excluded": why}
        for who, sex, why in (
            ("sub-01", "F", None),
            ("sub-02", "F", None),
            ("sub-03", "M", "asleep"),
        )
    ]
)
SCORES = pd.DataFrame(
    {"participant_id": ["sub-01", "sub-02"], "group": ["High", "Low"]}
    | {key: [900, 700] for key in ("ei_score", *map(str, EiIndex))}
)


def say(folder: str, methods: str, results: str = "") -> None:
    """What the stage of a folder wrote of itself."""
    stage = folder.split("/")[1]
    item = {"wave": folder[-1]} if "wave-" in folder else {}
    said = {"title": f"Title of {stage}", "methods": methods, "results": results, "numbers": {}}
    write_json(Path(folder, "report.json"), {"stage": stage, "item": item, **said})


@pytest.fixture
def facts(study: Path) -> Path:
    """The study, with what its stages would have left of themselves."""
    say("data/affect", "A network was trained [@wightman2019].", "It agreed well.")
    say("data/report", "The report was drawn.")
    for wave in "12":
        say(f"data/select/wave-{wave}", "Frames were kept.", f"{wave} frames were kept.")
    card = {"limits": ["Estimates are no truth."], "title": "Affect network"}
    write_json(Path("data/affect/card.json"), card)
    report_cards = {"one": {"limits": ["Of another network."]}}
    write_json(Path("data/report/cards.json"), report_cards)
    lost = {"level": "frame", "participant_id": "sub-01", "video_id": "v", "what": "frames"}
    rows = [{**lost, "reason": "dark | blurred", "n": n} for n in (3, 4)]
    write_table(Path(SELECT, "attrition.parquet"), ATTRITION.frame(rows))
    Path(PARTICIPANTS.path).parent.mkdir(parents=True)
    write_table(Path(PARTICIPANTS.path), PEOPLE)
    return study


def test_the_card_says_who_how_what_was_left_out_and_which_bytes(facts: Path) -> None:
    text = written(Source(facts), "Licence of the test")
    for wave in "12":
        table = Path(f"data/select/wave-{wave}/selection.parquet")
        assert f"| {table} | 0 | {sha256(table.read_bytes()).hexdigest()} |" in text
    assert "| 1 | F | – | 2 |" in text and "| 1 | M | asleep | 1 |" in text
    # The affect network is behind the faces, the report is not.
    assert "**Title of affect.** A network was trained. It agreed well." in text
    assert "(For each wave.) 1 to 2 frames were kept." in text
    assert "The report was drawn." not in text
    assert r"| select | frame | dark \| blurred | 7 |" in text
    assert "- Estimates are no truth." in text and "Of another network" not in text
    assert "- affect: 1 files, as [data/affect/card.json](data/affect/card.json)" in text
    assert "- Licence: Licence of the test" in text
    assert sha256(Path("params.yaml").read_bytes()).hexdigest() in text
    assert "The pictures themselves are not in this crate." in text
    assert "The pictures themselves" not in written(Source(facts, ["faces"]), "")
    for line in (line for line in text.splitlines() if line.startswith("| 1 |")):
        assert line.count("|") == 5


def test_a_crate_has_it_and_describes_it(study: Path) -> None:
    write(study, Path("../crate"), [])
    entities = json.loads(Path("../crate", METADATA).read_text())["@graph"]
    (entity,) = (entity for entity in entities if entity["@id"] == CARD)
    assert entity["encodingFormat"] == "text/markdown"
    text = Path("../crate", CARD).read_text()
    assert text.startswith("# Data card: faces of the study small\n")
    assert "## How it was made" in text and "## Networks" not in text


def test_the_tables_of_the_card_are_declared_with_the_report(facts: Path) -> None:
    assert [table.name for table in tables(facts, where="card")] == ["left_out"]
    groups = ROOT / "reports/spec.yml"
    sources = {"participants": PEOPLE, "ei_scores": SCORES}
    (shown,) = printed(groups, sources, "card")
    assert (shown.name, shown.rows[0][:2]) == ("groups", ["High", "1"])
