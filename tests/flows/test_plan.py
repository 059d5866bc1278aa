"""Which instances there are, that DVC may look at them, which a run chooses, and why."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from eifer.errors import InputError, StudyError
from flows.run.instances import Instance, instances, sound_instances
from flows.run.plan import choose, make, reasons
from tests.flows.made import study_in


def graph(**needs: str) -> dict[str, Instance]:
    found = {}
    for name, upstream in needs.items():
        address, stage = name.replace("_", "@"), name.partition("_")[0]
        ups = tuple(one.replace("_", "@") for one in upstream.split())
        found[address] = Instance(address, stage, outs=(f"data/{name}",), needs=ups)
    return found


TOY = graph(
    intake="", affect="", extract_1="intake", extract_2="intake",
    estimate_1="extract_1 affect", estimate_2="extract_2 affect", split="estimate_1 estimate_2",
)  # fmt: skip


def test_the_graph_is_the_one_of_dvc(fresh: Path) -> None:
    found = instances(fresh)
    assert list(found) == [
        *("intake", "affect", "extract@1", "extract@2", "estimate@1", "estimate@2", "split"),
    ]
    assert {name: set(one.needs) for name, one in found.items()} == {
        name: set(one.needs) | ({"intake"} if name == "split" else set())
        for name, one in TOY.items()
    }
    assert found["estimate@2"] == Instance(
        address="estimate@2",
        stage="estimate",
        values={"wave": "2"},
        deps=("data/extract/wave-2", "data/affect"),
        outs=("data/estimate/wave-2",),
        needs=("extract@2", "affect"),
    )


def test_a_foreach_over_plain_values_has_instances(fresh: Path) -> None:
    (fresh / "dvc.yaml").write_text(
        "stages:\n  told:\n    foreach: {a b: 1, ü: 2}\n    do:\n      cmd: echo ${item}\n"
    )
    assert {one.address: one.values for one in instances(fresh).values()} == {
        "told@a b": {"item": "1"},
        "told@ü": {"item": "2"},
    }


def test_only_from_and_to() -> None:
    assert choose(TOY) == set(TOY)
    assert choose(TOY, only=["extract", "split"]) == {"extract@1", "extract@2", "split"}
    assert choose(TOY, start=["extract@1"]) == {"extract@1", "estimate@1", "split"}
    assert choose(TOY, end=["estimate@2"]) == {"estimate@2", "extract@2", "intake", "affect"}
    assert choose(TOY, start=["extract"], end=["estimate@1"]) == {"extract@1", "estimate@1"}
    coded = graph(code="", **{name.replace("@", "_"): "code" for name in TOY})
    assert choose(coded, only=["split"]) == choose(coded, start=["split"]) == {"split", "code"}


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (
            {"only": ["extrct"]},
            "no stage extrct; did you mean 'extract'\\?\nit has affect, estimate",
        ),
        ({"end": ["estimate@3"]}, "estimate@3; did you mean 'estimate@[12]'\\?"),
        ({"start": ["zzz"]}, "no stage zzz\nit has"),
        ({"only": ["split"], "end": ["split"]}, "leave --from and --to out"),
        ({"start": ["split"], "end": ["intake"]}, "nothing lies between split and intake"),
    ],
)
def test_a_wrong_choice_is_refused_with_a_hint(names: dict[str, list[str]], told: str) -> None:
    with pytest.raises(StudyError, match=told):
        choose(TOY, **names)


def test_each_instance_has_its_own_reason() -> None:
    status = {
        "extract@1": [
            {"changed deps": {"params.yaml": {"extract.least": "modified"}}},
            "changed command",
        ],
        "affect": [{"changed outs": {"data/affect": "deleted"}}],
        "estimate@1": [{"changed deps": {"data/affect": "deleted"}}],
        "estimate@2": [{"changed deps": {"data/affect": "deleted", "a.py": "modified"}}],
        "split": [{"changed deps": {"data/estimate_1": "deleted"}}],
        "intake": [{"changed outs": {"data/intake": "modified"}}],
    }
    recorded = set(TOY) - {"split", "intake"}
    assert reasons(status, recorded, TOY, set(TOY)) == {
        "intake": "not in dvc.lock, although data/intake is there",
        "affect": "data/affect is not here",
        "extract@1": "changed command; extract.least in params.yaml changed",
        "extract@2": "after intake",
        "estimate@1": "after extract@1, affect",
        "estimate@2": "a.py changed",
        "split": "never run",
    }
    # What is not chosen neither runs nor makes others run.
    assert reasons(status, recorded, TOY, {"estimate@2", "split"}) == {
        "estimate@2": "data/affect is not here, a.py changed",
        "split": "never run",
    }


GIVEN = """stages:
  read:
    cmd: "true"
    deps: ["{}"]
    outs: [data/read]
  next:
    cmd: "true"
    deps: [data/read]
    outs: [data/next]
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "study/given/derivatives").mkdir(parents=True)
    return study_in(tmp_path / "study", {"given/file": ""})


def of(study: Path, dep: str) -> Path:
    (study / "dvc.yaml").write_text(GIVEN.format(dep))
    return study


def test_what_nobody_makes_and_is_not_there_is_named_with_its_parameter(study: Path) -> None:
    (study / "params.yaml").write_text("study: {corpora: still/to/come}\n")
    where = "still/to/come (by read; study.corpora in params.yaml)"
    with pytest.raises(InputError, match=re.escape(where)):
        make(of(study, "${study.corpora}"))
    assert set(make(study, only=["next"]).why) == {"next"}
    (study / "still").mkdir()
    (study / "still/to.dvc").write_text("outs:\n- path: to\n  hash: md5\n  md5: 0.dir\n")
    assert "read" in make(study).why  # DVC has it, and can bring it


@pytest.mark.parametrize("dep", ["given", "given/file", "still/to/come"])
def test_files_and_folders_are_no_fault(study: Path, dep: str) -> None:
    assert list(sound_instances(of(study, dep))) == ["read", "next"]


def test_what_a_stage_made_is_not_looked_through(study: Path) -> None:
    (study / "data/read").mkdir(parents=True)
    os.mkfifo(study / "data/read/pipe")
    sound_instances(of(study, "given"))


@pytest.mark.parametrize(
    ("dep", "pipe", "message"),
    [
        ("given", "given/derivatives/pipe", "given/derivatives/pipe (FIFO)"),
        ("given/pipe", "given/pipe", "pipe (FIFO)"),
    ],
)
def test_a_fifo_is_named_before_dvc_waits_for_it(
    study: Path, dep: str, pipe: str, message: str
) -> None:
    os.mkfifo(study / pipe)
    with pytest.raises(InputError) as caught:
        sound_instances(of(study, dep))
    assert message in str(caught.value)


@pytest.mark.parametrize("dep", [".", "..", "/"])
def test_a_folder_that_holds_the_study_is_refused_and_not_walked(study: Path, dep: str) -> None:
    with pytest.raises(StudyError):  # DVC itself refuses the study's own folder
        sound_instances(of(study, dep))


@pytest.mark.parametrize("dep", ["http://127.0.0.1:9/x", "https://127.0.0.1:9/x", "http:"])
def test_a_url_is_refused_and_not_asked_for(
    study: Path, dep: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_: asked.append(address))
    with pytest.raises(StudyError):
        sound_instances(of(study, dep))
    assert not asked
