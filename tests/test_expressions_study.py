"""The expressions study as a whole, run by DVC as a user runs it, and what must be true of it.

Two tiny drawn corpora go through to the report, once. Tests that change something work on copies.
"""

from __future__ import annotations

import base64
import datetime
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from eifer.hashing import sha256_file
from eifer.vocabulary import Expression
from flows.audit.expressions import LINKS
from flows.audit.links import audited
from flows.audit.study import Recorded
from flows.audit.trail import trail
from flows.crate.croissant import CROISSANT
from flows.crate.graph import METADATA
from flows.crate.writing import write
from flows.graph import ROOT
from flows.workspace import make_workspace
from stages._runtime.stage import Run
from tests.watched import ended, tool, until

DRAWING: dict[str, Any] = {
    "size_px": 48, "colour": False, "framing": [0.54, 0.6], "brightness": [0.9, 1.1],
    "contrast": [0.9, 1.1], "line": 1.0, "blur_px": 0.4, "noise_levels": 4, "jpeg_quality": None,
    "background": "room", "roll_deg": 4, "shift": 0.03, "strength": [0.6, 1], "mixed": 0.3,
}  # fmt: skip
CORPUS: dict[str, Any] = {
    "images": 90, "drawing": DRAWING, "wrong": 0.1, "images_per_identity": 2, "official_test": 0.2,
    # Of every class an evaluator without attributes wants 40 images, and what is short is drawn.
    "classes": {"happy": 1.0, "neutral": 1.0, "sad": 1.0},
    "confusion": {"happy": {"sad": 1.0}, "neutral": {"happy": 1.0}, "sad": {"neutral": 1.0}},
    "copies_within": 0.08, "copies_across": 0.0, "contradicting": 0.3,
    "identities": False, "attributes": False,
}  # fmt: skip
CORPORA = ("webcam", "studio")
TINY: dict[str, Any] = {
    "study.name": "tiny",
    "draw.planted.corpora": {
        "webcam": CORPUS,
        "studio": CORPUS
        | {"drawing": DRAWING | {"colour": True, "jpeg_quality": 90}}
        | {"copies_across": 0.08, "identities": True, "attributes": True},
    },
    "corpora": {name: {"form": "drawn", "path": name, "votes": None} for name in CORPORA},
    "evaluator.fill_ins.size_px": 24,
    "split.folds": 2,
    "split.validation_share": 0.15,
    "split.test_share": 0.15,
    "networks.cnn48.width": 0.0625,
    "networks.cnn48.epochs": 8,
    "relabel.also": ["confident_relabel"],
    "relabel.judges": ["confident"],
    "train.data": ["webcam", "merged"],
    "train.repetitions": 2,
    "evaluate.draws": 50,
}
STAGES = [
    "code", "draw@drawn", "corpora", "duplicates", "attributes", "evaluator", "split",
    "judge@confident", "relabel", "train@cnn48-webcam", "train@cnn48-merged", "evaluate", "report",
]  # fmt: skip
MERGED = {"network": "cnn48", "data": "merged"}
TRAINED = "train/network-cnn48_data-merged"
CLASSES = [str(name) for name in Expression]
ENVIRONMENT = os.environ | {"EIFER_WORKERS": "1", "DVC_NO_ANALYTICS": "1"}
LARGEST_PAGE = 1_500_000
pytestmark = pytest.mark.xdist_group("expressions")


def dvc(study: Path, *words: str) -> str:
    """What a command of DVC, which must succeed, prints."""
    done = tool("dvc", *words, cwd=study, env=ENVIRONMENT, together=True)
    assert done.returncode == 0, done.stdout
    return done.stdout


def executed(printed: str) -> list[str]:
    return re.findall(r"^Running stage '(.+)':$", printed, re.MULTILINE)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A tiny study that has run to its end, not to be changed, and the stages executed."""
    study = tmp_path_factory.mktemp("expressions") / "study"
    make_workspace(study, preset=ROOT / "presets/expressions.yaml", overrides=TINY)
    return study, executed(dvc(study, "repro"))


@pytest.fixture(scope="session")
def study(finished: tuple[Path, list[str]]) -> Path:
    return finished[0]


@pytest.fixture
def copy(study: Path, tmp_path: Path) -> Path:
    """A copy of its folder that may be changed."""
    return shutil.copytree(study, tmp_path / "study", ignore=shutil.ignore_patterns("cache"))


@pytest.fixture
def here(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The copy, where this process can run a stage; what tables promise was checked before."""
    monkeypatch.chdir(copy)
    monkeypatch.setenv("EIFER_WORKERS", "1")
    monkeypatch.delenv("DVC_STAGE", raising=False)
    monkeypatch.setattr(Run, "_check", lambda self, table, frame: None)
    return copy


def table(study: Path, name: str) -> pd.DataFrame:
    parts = sorted((study / "data").glob(name))
    assert parts, name
    return pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)


def parts_of(study: Path) -> pd.Series:
    """What each image serves for: the evaluator tests too; what is left out, for nothing."""
    division = table(study, "split/division.parquet").set_index("image_id")["part"]
    return division.replace("evaluator", "test").where(division != "left_out")


def test_every_stage_runs_once_and_none_runs_again(finished: tuple[Path, list[str]]) -> None:
    study, ran = finished
    assert sorted(ran) == sorted(STAGES)
    assert executed(dvc(study, "repro")) == []


def test_every_record_says_how_its_stage_is_run(study: Path) -> None:
    records = [json.loads(path.read_text()) for path in study.glob("runs/provenance/*.json")]
    said = {(record["stage"].split("@")[0], record["command"]) for record in records}
    assert said == {
        (name, f"python -m stages.expressions.{name}") for name in {s.split("@")[0] for s in STAGES}
    }


def test_no_picture_and_nobody_is_in_two_parts(study: Path) -> None:
    part, images = parts_of(study), table(study, "corpora/images.parquet").set_index("image_id")
    assert set(part.dropna()) == {"train", "validation", "test"}
    atoms = table(study, "duplicates/duplicates.parquet").set_index("image_id")
    drawn = table(study, "draw/planted.parquet").set_index("image_id")
    copied = drawn["copy_of"].dropna()
    assert len(copied) >= 14  # 8 % of either corpus in itself, and 8 % across
    assert (images["corpus"][copied.index] != images["corpus"].loc[copied].to_numpy()).sum() >= 4
    # By planted truth, by pixels, by people, and by what the study itself holds together.
    families = copied.reindex(drawn.index).fillna(drawn.index.to_series())
    for whose in (families, images["sha256"], images["identity"], atoms["atom"]):
        assert part.groupby(whose).nunique().max() == 1
        assert part.groupby(whose).size().max() > 1
    # Copies that contradict each other are in no evaluation.
    contradicting = atoms.index[atoms["contradicts"]]
    assert len(contradicting) and set(part[contradicting].dropna()) <= {"train"}
    assert (atoms.loc[copied.index, "copies"] == atoms.loc[copied, "copies"].to_numpy()).all()


def test_every_image_is_counted_once_from_stage_to_stage(study: Path) -> None:
    drawn, images = table(study, "draw/planted.parquet"), table(study, "corpora/images.parquet")
    lost = table(study, "corpora/attrition.parquet")["n"].sum()
    assert len(drawn) == 180 == len(images) + lost
    division = table(study, "split/division.parquet")
    for name in ("duplicates/duplicates", "attributes/images", "split/division"):
        assert set(table(study, f"{name}.parquet")["image_id"]) == set(images["image_id"])
    counts = division["part"].value_counts()
    told = json.loads((study / "data/split/report.json").read_text())["numbers"]["parts"]
    assert told == counts.to_dict() and counts.sum() == 180
    evaluator = table(study, "evaluator/evaluator.parquet")
    real = evaluator.loc[~evaluator["drawn"], "image_id"]
    assert set(real) == set(division.loc[division["part"] == "evaluator", "image_id"])
    fill_ins = table(study, "evaluator/fill_ins.parquet")["image_id"]
    assert set(fill_ins) == set(evaluator.loc[evaluator["drawn"], "image_id"])
    short = table(study, "evaluator/shortfall.parquet")
    assert short["filled"].sum() == len(fill_ins)
    trained = table(study, "train/*/trained.parquet")
    doubted = table(study, "relabel/relabelled.parquet").query("weight == 0")
    for corpora, rows in trained.groupby("trained_on"):
        mine = division if corpora == "merged" else division[division["corpus"] == corpora]
        learnt = mine[(mine["part"] == "train") & ~mine["image_id"].isin(doubted["image_id"])]
        assert set(rows["n_train"]) == {len(learnt)}
        assert set(rows["n_validation"]) == {(mine["part"] == "validation").sum()}


def test_relabelling_touches_labels_of_training_alone(study: Path) -> None:
    own = table(study, "corpora/images.parquet").set_index("image_id")["label"]
    given = table(study, "draw/planted.parquet").set_index("image_id")["given"]
    assert (own == given[own.index]).all()
    division = table(study, "split/division.parquet").set_index("image_id")
    assert (division["label"] == own[division.index]).all()
    evaluator = table(study, "evaluator/evaluator.parquet").query("not drawn")
    assert (evaluator["label"] == own[evaluator["image_id"]].to_numpy()).all()
    trains = division.index[division["part"] == "train"]
    for name in ("relabelled", "otherwise"):
        found = table(study, f"relabel/{name}.parquet").set_index("image_id")
        assert set(found.index) == set(trains)
        assert (found["original"] == own[found.index]).all()
        # No image was judged by a network that had seen it, or a copy of it.
        assert (found["fold"] == division["fold"][found.index]).all()
    assert table(study, "relabel/relabelled.parquet")["flagged"].any()


def test_every_network_answers_for_every_image(study: Path) -> None:
    answers = table(study, "evaluate/answers.parquet")
    trained = table(study, "train/*/trained.parquet")
    division = table(study, "split/division.parquet")
    evaluator = table(study, "evaluator/evaluator.parquet")
    asked = {
        *division.loc[division["part"].isin(["test", "evaluator"]), "image_id"],
        *evaluator["image_id"],
    }
    model = ["trained_on", "network", "repetition"]
    expected = pd.MultiIndex.from_frame(trained[model])
    assert len(expected) == 4 and expected.is_unique
    found = answers.groupby(model)["image_id"].agg(["size", set])
    assert set(found.index) == set(expected)
    assert (found["size"] == len(asked)).all() and all(said == asked for said in found["set"])
    assert np.allclose(answers[[f"p_{name}" for name in CLASSES]].sum(axis=1), 1, atol=1e-5)
    # Trainings from other random numbers are others.
    assert trained["seed"].is_unique and trained["weights_sha256"].is_unique


def test_an_audit_computes_again_what_follows_from_corpora_judgements_and_answers(
    study: Path,
) -> None:
    for verdict in audited(Recorded(study), tuple(LINKS)):
        assert (verdict.state, verdict.places) == ("ok", []), verdict.link
        assert verdict.checked


def test_an_audit_names_what_was_edited(copy: Path) -> None:
    def edited(name: str, column: str, value: Any, where: int = 3) -> None:
        path = copy / "data" / name
        frame = pd.read_parquet(path)
        frame.loc[where, column] = value
        path.unlink()
        frame.to_parquet(path)

    edited("evaluate/matrix.parquet", "accuracy", 0.99)
    edited("relabel/otherwise.parquet", "reason", "because")
    trained = table(copy, "split/division.parquet").query("part == 'train'").index[0]
    tested = table(copy, "split/division.parquet").query("part == 'test'").index[0]
    atoms = table(copy, "duplicates/duplicates.parquet")
    edited("duplicates/duplicates.parquet", "atom", atoms["atom"][tested], trained)
    scores, statistics, partitions = audited(Recorded(copy), ("scores", "statistics", "partitions"))
    assert any("matrix.parquet: row 4, accuracy: 0.99; comp" in p for p in scores.places)
    assert any("otherwise.parquet: row 4, reason: because" in p for p in statistics.places)
    assert any("1 atoms in two parts" in p and "test and train" in p for p in partitions.places)


def test_a_cell_is_followed_to_its_corpus(study: Path) -> None:
    shown = pd.read_csv(study / "data/report/tables/by_class_table.csv")
    row = shown.query("trained_on == 'merged' and images == 'test' and support > 0").index[0]
    steps = {s.title: s for s in trail(Recorded(study), f"by_class_table:{row + 1}:Recall")}
    assert list(steps) == [
        "report", "what it is made of: by_class", "scores: matrix", "division: division",
        "answers: answers", "weights: trained_networks of train", "learnt from: relabelled",
        "copies: duplicates", "described: images", "images: images", "pictures: pictures",
        "raw files",
    ]  # fmt: skip
    files = [source for step in steps.values() for source in step.sources]
    assert files and all(source.as_recorded for source in files)
    cell = shown.loc[row]
    division = table(study, "split/division.parquet").query("part == 'test'")
    own = division[division["label"] == cell["label"]]
    if cell["tested_on"] in CORPORA:
        own = own[own["corpus"] == cell["tested_on"]]
    assert steps["division: division"].rows == len(own) == steps["pictures: pictures"].rows
    assert steps["answers: answers"].rows == 2 * len(own)
    learnt = table(study, "relabel/relabelled.parquet")
    assert steps["learnt from: relabelled"].rows == len(learnt)
    raw = {source.path for source in steps["raw files"].sources}
    assert raw == {f"data/draw/corpora/{c}/images.parquet" for c in set(own["corpus"])}


def test_a_crate_tells_every_execution_and_copies_no_picture(study: Path, tmp_path: Path) -> None:
    write(study, tmp_path / "crate", [])
    entities = json.loads((tmp_path / "crate" / METADATA).read_text())["@graph"]
    actions = [e for e in entities if e["@type"] == "CreateAction" and e["@id"] != "#run"]
    ran = {action["name"].replace("@", "-").replace("-", "@", 1) for action in actions}
    assert ran == set(STAGES)
    copied = [path for path in (tmp_path / "crate").rglob("*") if path.is_file()]
    pictures = [bytes(image) for image in table(study, "corpora/pictures/*.parquet")["image"]]
    for path in copied:
        content = path.read_bytes()
        # The report may show a few drawn ones.
        assert path.is_relative_to(tmp_path / "crate/data/report") or not any(
            picture in content for picture in pictures
        )
    tables = {path.name for path in copied if path.suffix not in {".json", ".md"}}
    assert {"images.parquet", "relabelled.parquet"} < tables
    assert not tables & {path.name for path in (study / "data").rglob("*.safetensors")}
    described = json.loads((tmp_path / "crate" / CROISSANT).read_text())
    assert {file["name"] for file in described["distribution"]} == {
        "data/attributes/images.parquet", "data/relabel/relabelled.parquet",
    }  # fmt: skip


def test_the_report_tells_what_was_planted(study: Path) -> None:
    page = (study / "data/report/index.html").read_text()
    assert len(page.encode()) < LARGEST_PAGE
    assert (
        "<strong>Drawn corpora.</strong>" in page and "What was planted, and what was found" in page
    )
    shown = pd.read_csv(study / "data/report/tables/planted_table.csv").set_index("what")
    truth = table(study, "draw/planted.parquet").set_index("image_id")
    trains = table(study, "relabel/relabelled.parquet")["image_id"]
    wrong = (truth["label"] != truth["given"])[trains].sum()
    labels = shown[shown.index.str.startswith("wrong labels")]
    assert wrong and (labels["planted"] == f"{wrong} of {len(trains)} training labels").all()
    copies = truth["copy_of"].notna().sum()
    assert shown.loc["copies", "planted"] == str(copies)
    assert shown.loc["copies", "found"] == f"{copies} of {copies}"
    assert shown.loc["no copies", "found"] == "0 taken for copies"


def test_the_report_of_real_corpora_shows_no_photograph(here: Path) -> None:
    """The same pictures, of which nothing says that they are drawn."""
    from stages.expressions.report import report

    page = (here / "data/report/index.html").read_text()
    assert "sample_grid" in page and rasters(page)
    params = (here / "params.yaml").read_text()
    changed = re.sub(r"(?m)^  faces: .*$", "  faces: []", params, count=1)
    changed = re.sub(r"planted_from: data/draw\b", "planted_from: data/corpora", changed)
    assert changed.count("data/corpora") > params.count("data/corpora")
    (here / "params.yaml").write_text(changed)
    shutil.copytree(here / "data/draw/corpora", here / "photographs")
    shutil.rmtree(here / "data/draw")
    report({})
    real = (here / "data/report/index.html").read_text()
    assert "<strong>Corpora of photographs.</strong>" in real and "<strong>Drawn" not in real
    assert "sample_grid" not in real and "What was planted" not in real
    assert not (here / "data/report/figures/sample_grid.svg").exists()
    assert not rasters(real) - rasters(page)
    pictures = {bytes(image) for image in table(here, "corpora/pictures/*.parquet")["image"]}
    assert not rasters(real) & pictures
    # The rest are the coloured fields of matrices.
    assert len(rasters(real)) < len(rasters(page))


def rasters(page: str) -> set[bytes]:
    """The bitmaps in a page, those in its drawings too."""
    text = unquote(unescape(page))
    found = re.findall(r"data:image/(?!svg)[a-z]+;base64,([A-Za-z0-9+/=\s]+)", text)
    return {base64.b64decode(image) for image in found}


def test_outputs_name_no_day_and_no_machine(study: Path) -> None:
    written = [path for path in (study / "data").rglob("*") if path.is_file()]
    began = datetime.datetime.fromtimestamp(study.stat().st_mtime, datetime.UTC).date()
    days = {(began + datetime.timedelta(days=n)).isoformat() for n in (-1, 0, 1)}
    places = map(str, (study, study.parent, ROOT, Path.home()))
    words = [*places, socket.gethostname(), *days]
    assert len(written) > 50
    for path in written:
        content = path.read_bytes()
        assert [word for word in words if len(word) > 5 and word.encode() in content] == [], path


def test_dvc_shows_its_metrics(study: Path) -> None:
    shown = json.loads(dvc(study, "metrics", "show", "--json"))
    numbers = shown[""]["data"]["data/report/metrics.json"]["data"]
    matrix = table(study, "evaluate/matrix.parquet").query(
        "trained_on == 'merged' and tested_on == 'all' and images == 'real'"
        " and target == 'original'"
    )
    assert numbers["cnn48 merged"]["accuracy"] == pytest.approx(matrix["accuracy"].mean(), abs=1e-6)


def test_a_killed_training_goes_on_and_ends_with_the_same_weights(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {
        path.name: sha256_file(path) for path in (here / "data" / TRAINED).glob("*.safetensors")
    }
    trained = pd.read_parquet(here / f"data/{TRAINED}/trained.parquet")
    assert len(whole) == 2 and set(trained["weights_sha256"]) == set(whole.values())
    shutil.rmtree(here / "data" / TRAINED)
    words = [f"--{key}={value}" for key, value in MERGED.items()]
    process = subprocess.Popen(
        [sys.executable, "-m", "stages.expressions.train", *words],
        cwd=here,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    kept = here / "runs/checkpoints/train@cnn48@merged"
    # The second training has begun: the first is finished, and lies in its checkpoint alone.
    until((kept / "repetition-2.pt").exists, process.pid)
    process.kill()
    assert ended(process) == -signal.SIGKILL
    assert not (here / "data" / TRAINED).exists()
    assert (kept / "repetition-1.pt").exists()

    from eifer.training.learner import Learner
    from stages.expressions.train import train

    epochs: list[int] = []
    told = Learner.on_train_epoch_end

    def count(self: Any) -> None:
        told(self)
        epochs.append(self.seed)

    monkeypatch.setattr(Learner, "on_train_epoch_end", count)
    train(MERGED)
    assert len(epochs) < TINY["networks.cnn48.epochs"] and len(set(epochs)) <= 1
    for name, sha256 in whole.items():
        assert sha256_file(here / "data" / TRAINED / name) == sha256
    again = pd.read_parquet(here / f"data/{TRAINED}/trained.parquet")
    pd.testing.assert_frame_equal(again, trained)
    assert not kept.exists()
