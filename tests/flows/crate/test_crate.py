"""A crate of a small study: what stands in it, what is left out, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from eifer.errors import StudyError
from eifer.tables.selection import SELECTION
from flows.crate.card import CARD
from flows.crate.croissant import CROISSANT
from flows.crate.graph import METADATA, PROFILES
from flows.crate.signature import SIGNATURE
from flows.crate.writing import NO_LICENCE, write
from stages._runtime import provenance
from tests.flows.test_wheel import call
from tests.watched import tool

Entity = dict[str, Any]
FACE, VIDEO = b"a face of wave 1", b"a video of sub-01"
SECRET = {FACE, b"a face of wave 2", VIDEO, b"weights", b"curves"}


def fail(stage: str, wave: str, why: str) -> None:
    """Leave the record of an execution that failed."""
    more = {"module": f"stages.{stage}", "deps": ["data/affect/weights.safetensors"]}
    how = (stage, {"wave": wave}, time.time() - 1, [], None, {})
    provenance.record(*how, **more, params=["study.cohort"], error=ValueError(why))


def graph(crate: Path) -> dict[str, Entity]:
    entities = json.loads((crate / METADATA).read_text())["@graph"]
    by_id = {entity["@id"]: entity for entity in entities}
    assert len(by_id) == len(entities)
    return by_id


def of(entities: dict[str, Entity], type_: str) -> list[Entity]:
    return [e for e in entities.values() if type_ in e["@type"] or e["@type"] == type_]


def ids(value: Any) -> list[str]:
    return [ref["@id"] for ref in (value if isinstance(value, list) else [value] if value else [])]


def contents(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_file_is_what_the_crate_says_and_every_reference_leads_somewhere(study: Path) -> None:
    fail("select", "2", "no")
    write(study, Path("../crate"), [])
    entities, files = graph(Path("../crate")), contents(Path("../crate"))
    listed = {unquote(id_) for id_ in ids(entities["./"]["hasPart"]) if not id_.startswith("ni:")}
    assert listed == files.keys() - {METADATA}
    for entity in of(entities, "File"):
        if entity["@id"].startswith("ni:") or entity["@id"] in (CROISSANT, CARD):
            continue
        content = files[unquote(entity["@id"])]
        assert entity["sha256"] == sha256(content).hexdigest()
        assert entity["contentSize"] == str(len(content))
    for entity in entities.values():
        for value in entity.values():
            for ref in value if isinstance(value, list) else [value]:
                if isinstance(ref, dict) and not ref["@id"].startswith(
                    "https://w3id.org/ro/crate/"
                ):
                    assert ref["@id"] in entities, (entity["@id"], ref)
    assert set(ids(entities["./"]["conformsTo"])) == set(PROFILES)
    assert entities["./"]["license"] == NO_LICENCE
    assert {"params.yaml", "dvc.yaml", "dvc.lock", "data/report/index.html"} < files.keys()
    # Once more, into its own place, and elsewhere: the same bytes.
    write(study, Path("../crate"), [])
    write(study, Path("../other"), [])
    assert contents(Path("../crate")) == files == contents(Path("../other"))


def test_every_execution_is_an_action_with_its_tool_step_files_params_and_times(
    study: Path,
) -> None:
    fail("select", "2", "the reason")
    write(study, Path("../crate"), [])
    entities = graph(Path("../crate"))
    records = [*provenance.RECORDS.glob("*.json"), *provenance.FAILED.glob("*.json")]
    assert len(records) == 5
    for path in records:
        record = json.loads(path.read_text())
        action, control = entities[f"#{path.stem}"], entities[f"#{path.stem}/control"]
        stage = record["stage"].split("@")[0]
        assert ids(control["object"]) == [action["@id"]]
        step = entities[ids(control["instrument"])[0]]
        assert step["name"] == stage and ids(step["workExample"]) == ids(action["instrument"])
        assert ids(action["instrument"]) == [f"#stages.{stage}"]
        assert entities[ids(action["agent"])[0]]["name"] == "Ada Lovelace"
        assert action["startTime"] < action["endTime"] <= record["finished"]
        assert ids(action["subjectOf"]) == [path.as_posix()]
        for key, kind in (("object", "given"), ("result", "made")):
            reached = {
                part
                for id_ in ids(action.get(key))
                for part in ids(entities[id_].get("hasPart")) or [id_]
            }
            hashes = {entities[id_].get("sha256") for id_ in reached} - {None}
            assert hashes == {sha for sha in record[kind].values() if sha}
        values = {
            (entities[id_]["name"], entities[id_]["value"])
            for id_ in ids(action.get("object"))
            if entities[id_]["@type"] == "PropertyValue"
        }
        assert {name for name, _ in values} == {
            f"params.yaml:{name}" for name in record["params"]["values"]
        }
    assert ("params.yaml:study.cohort", "../cohort") in {
        (e.get("name"), e.get("value")) for e in of(entities, "PropertyValue")
    }
    assert [entities[id_]["name"] for id_ in ids(entities["dvc.yaml"]["step"])] == [
        "affect", "select", "report",
    ]  # fmt: skip
    assert len(ids(entities["#dvc"]["object"])) == 5


def test_the_run_reads_recordings_and_params_and_makes_the_report(study: Path) -> None:
    write(study, Path("../crate"), [])
    entities = graph(Path("../crate"))
    run = entities["#run"]
    assert run["actionStatus"].endswith("/CompletedActionStatus") and "error" not in run
    read = {entities[id_]["name"] for id_ in ids(run["object"])}
    assert read == {"../cohort"} | {
        f"params.yaml:{name}" for name in ("select.top", "select", "study.cohort")
    }
    made = [entities[id_]["name"] for id_ in ids(run["result"])]
    assert made == ["data/report"]


def test_a_failed_execution_says_why_and_what_it_had_read(study: Path) -> None:
    fail("select", "2", "the reason")
    source = write(study, Path("../crate"), [])
    failed = [
        e
        for e in of(graph(Path("../crate")), "CreateAction")
        if e["actionStatus"] == "http://schema.org/FailedActionStatus"
    ]
    assert [(e["name"], e["error"], "result" in e) for e in failed] == [
        ("select@2", "ValueError: the reason", False)
    ]
    assert len(ids(failed[0]["object"])) == 2  # weights and a parameter
    assert sum("error" in record for _, record in source.executions) == 1


def test_nobody_is_seen_unless_asked_for(study: Path) -> None:
    crate = Path("../crate")
    write(study, crate, [])
    assert not SECRET & set(contents(crate).values())
    entities = graph(crate)
    for secret in SECRET:
        (entity,) = (
            e for e in of(entities, "File") if e.get("sha256") == sha256(secret).hexdigest()
        )
        assert entity["@id"].startswith("ni:///sha-256;") and "contentUrl" not in entity
        assert entity["contentSize"] == str(len(secret))
        assert entity["description"].startswith("Not in this crate: ")
    for asked, there in (
        ("faces", {FACE, b"a face of wave 2"}),
        ("recordings", {VIDEO}),
        ("weights", {b"weights"}),
        ("tables", {b"curves"}),
    ):
        write(study, crate, [asked])
        assert SECRET & set(contents(crate).values()) == there
    write(study, crate, ["recordings"])
    assert contents(crate)["recordings/sub-01/video.mp4"] == VIDEO
    # What an older crate had is gone.
    write(study, crate, [])
    assert not SECRET & set(contents(crate).values())


def test_what_a_former_execution_made_is_known_by_its_hash(study: Path) -> None:
    page = Path("data/report/index.html")
    now = page.read_bytes()
    page.write_text("former page")
    how = ("report", {}, time.time() - 1, [], Path("data/report"), {})
    provenance.record(*how, module="stages.report")
    page.write_bytes(now)
    write(study, Path("../crate"), [])
    entities = graph(Path("../crate"))
    (former,) = (
        e for e in of(entities, "File") if e.get("sha256") == sha256(b"former page").hexdigest()
    )
    assert former["description"] == "Not in this crate: made by a former execution"
    assert entities["data/report/index.html"]["sha256"] == sha256(now).hexdigest()
    (made,) = ids(entities["#run"]["result"])
    assert "data/report/index.html" in ids(entities[made]["hasPart"])


def test_croissant_describes_the_table_of_faces(study: Path) -> None:
    write(study, Path("../crate"), [], "https://example.org/licence")
    described = json.loads(Path("../crate", CROISSANT).read_text())
    assert described["license"] == "https://example.org/licence"
    for file in described["distribution"]:
        content = Path("../crate", file["contentUrl"]).read_bytes()
        assert file["sha256"] == sha256(content).hexdigest()
    names = [file["name"] for file in described["distribution"]]
    assert names == [f"data/select/wave-{wave}/selection.parquet" for wave in "12"]
    for records in described["recordSet"]:
        assert tuple(field["name"] for field in records["field"]) == tuple(SELECTION.names)
    assert graph(Path("../crate"))["./"]["license"] == {"@id": "https://example.org/licence"}


RECORD = "runs/provenance/RECORD"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("data/report/index.html", "page", "Page"),
        ("params.yaml", "top: 2", "top: 3"),
        ("dvc.lock", "make.py", "made.py"),
        (RECORD, "python -m", "python3 -m"),  # its seal is another
        (RECORD, '"stage"', '"step"'),
    ],
)
def test_a_study_that_is_not_as_recorded_gets_no_crate(
    study: Path, name: str, old: str, new: str
) -> None:
    first = min(provenance.RECORDS.glob("*.json"))
    place = Path(name.replace("RECORD", first.name))
    text = place.read_text()
    assert old in text
    place.unlink()  # it may be a link to the cache
    text = text.replace(old, new)
    if new == '"step"':  # an old record without a seal
        text = json.dumps({k: v for k, v in json.loads(text).items() if k != "sha256"})
    place.write_text(text)
    with pytest.raises(StudyError, match=f"not what was recorded: {place}"):
        write(study, Path("../crate"), [])
    assert [path.name for path in sorted(Path("..").iterdir())] == ["cohort", "study"]


def test_places_and_words_that_are_refused(study: Path) -> None:
    for place in ("crate", "data/crate", ".", ".."):
        with pytest.raises(StudyError, match="contains the study or lies in it"):
            write(study, Path(place), [])
    Path("../mine").mkdir()
    Path("../mine/note").write_text("mine")
    with pytest.raises(StudyError, match="no crate of this study"):
        write(study, Path("../mine"), [])
    write(study, Path("../crate"), [])
    Path("../crate/note").write_text("mine")
    with pytest.raises(StudyError, match="no crate put there: note"):
        write(study, Path("../crate"), [])
    assert Path("../crate/note").read_text() == Path("../mine/note").read_text() == "mine"
    with pytest.raises(StudyError, match="did you mean 'faces'"):
        write(study, Path("../new"), ["face"])
    # Another study's crate: its first record is another.
    min(provenance.RECORDS.glob("*.json")).unlink()
    Path("../crate/note").unlink()
    with pytest.raises(StudyError, match="no crate of this study"):
        write(study, Path("../crate"), [])
    shutil.rmtree(provenance.RECORDS)
    with pytest.raises(StudyError, match="nothing on record"):
        write(study, Path("../new"), [])
    assert sorted(path.name for path in Path("..").iterdir()) == [
        "cohort", "crate", "mine", "study",
    ]  # fmt: skip


def test_the_command_says_where_it_is_and_how_to_check_it(study: Path) -> None:
    words = ("crate", "../a crate", "--with", "weights")
    done = tool("python", "-P", "-m", "flows", *words, cwd=study)
    assert done.returncode == 0, done.stderr
    assert "crate in ../a crate: 4 executions (0 failed)" in done.stdout
    assert "rocrate-validator validate '../a crate'" in done.stdout
    done = tool("python", "-P", "-m", "flows", "crate", "data/x", cwd=study)
    assert done.returncode == 1 and done.stderr.startswith(
        "eifer crate: data/x contains the study or lies in it"
    )


VALIDATORS = ("roc-validator==0.13.0", "mlcroissant==1.1.1", "rocrate==0.13.0")
"""Public validators, in an environment of their own; rocrate brings the context of RO-Crate 1.1."""
SEED = """import io, sys
from pathlib import Path
import requests.adapters, rocrate, urllib3
from rocrate_validator.utils.http import HttpRequester
context = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()
def send(self, request, **_):
    given = urllib3.HTTPResponse(io.BytesIO(context), {"Content-Type": "application/ld+json"},
                                 200, preload_content=False, request_method="GET")
    return self.build_response(request, given)
requests.adapters.HTTPAdapter.send = send
asked = {"Accept": "application/ld+json, application/json"}
requester = HttpRequester.initialize_cache(cache_path=sys.argv[1])
assert requester.get("https://w3id.org/ro/crate/1.1/context", headers=asked).ok
"""
"""Puts that context where the validator would keep it: nothing is fetched in tests."""


@pytest.fixture(scope="module")
def validators(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment of the public validators, its cache filled."""
    place = tmp_path_factory.mktemp("validators")
    python = place / "bin/python"
    for words in (
        ["uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(place)],
        ["uv", "pip", "install", "--quiet", "--python", str(python), *VALIDATORS],
    ):
        made = tool(*words, cwd=place)
        assert made.returncode == 0, made.stderr
    subprocess.run([python, "-I", "-c", SEED, place / "cache"], check=True)
    return place


@pytest.mark.parametrize("asked", [[], ["faces", "recordings", "weights", "tables"]])
def test_the_public_validator_finds_no_error(
    study: Path, validators: Path, asked: list[str]
) -> None:
    fail("select", "2", "no")
    write(study, Path("../crate"), asked, sign=lambda crate: (crate / SIGNATURE).touch())

    def passes() -> bool:
        words = ["-y", "validate", "--offline", "--cache-path", validators / "cache"]
        words += ["--no-paging", "--output-format", "json", "--output-file", "../found.json"]
        done = call(validators / "bin/rocrate-validator", *words, "../crate")
        found = json.loads(Path("../found.json").read_text())
        profile = found["validation_settings"]["profile_identifier"]
        assert profile == "provenance-run-crate-0.5", done.stdout
        return not found["issues"] and found["passed"]

    assert passes()
    Path("../crate/data/report/index.html").unlink()
    assert not passes()


def test_mlcroissant_finds_no_error(study: Path, validators: Path) -> None:
    write(study, Path("../crate"), [])
    file = Path("../crate", CROISSANT)
    words = (validators / "bin/mlcroissant", "validate", "--jsonld", file)
    assert not call(*words).returncode
    file.write_text(file.read_text().replace("selection.parquet", "gone.parquet", 1))
    assert call(*words).returncode
