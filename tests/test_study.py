"""The study as a whole, run by DVC as a user runs it, and what must be true of it.

A tiny simulated cohort goes through the data half, clips of real recordings through
to the report. Either runs once: tests that change something work on copies, and all
tests of a group stay with one worker of pytest.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from eifer.errors import StudyError
from eifer.hashing import sha256_file
from eifer.tables.comparison import FINE_TUNED
from eifer.tables.evaluation import PREDICTIONS
from eifer.vocabulary import Dimension
from flows.audit.links import audited
from flows.audit.page import Page
from flows.audit.study import Recorded
from flows.audit.trail import trail
from flows.crate.graph import METADATA
from flows.crate.writing import write
from flows.graph import ROOT
from flows.withdraw import certificate, withdrawal
from flows.workspace import make_workspace, relative
from stages._runtime import data_docs
from stages._runtime.kinds import load_study
from stages._runtime.provenance import sealed
from tests.watched import finish, tool

QUICK: dict[str, Any] = {
    "participants": [4], "videos": 4, "frames": 2, "repetitions": 2,
    "training": 0.0, "auc": 0.95, "ease": 0.0, "effects": [0.0], "simulations": 2,
}  # fmt: skip
CALIBRATED: dict[str, Any] = {
    "calibrate.tests": [QUICK],
    "calibrate.people": [QUICK],
    "calibrate.found": [QUICK | {"effects": [0.05]}],
}
TINY: dict[str, Any] = {
    **CALIBRATED,
    "study.name": "tiny",
    "simulate.planted.participants_per_wave": [4, 4],
    "simulate.planted.video": {
        "seconds": 1, "fps": 15, "width_px": 200, "height_px": 160, "crf": 24, "noise_levels": 3
    },
    "simulate.planted.ecg": {"seconds": 130, "hz": 125, "noise_mv": 0.02},
    "corpus.drawn": {
        "identities": 24, "images_per_identity": 10, "size_px": 128, "noise_levels": 3
    },
    "affect.training.epochs": 12,
    "affect.training.learning_rate": 0.005,
    "affect.training.batch": 16,
    "extract.detector_width_px": 160,
    "intake.face_samples": 8,
    "stratify.ecg.variables": [
        "mean_nn_ms", "sdnn_ms", "rmssd_ms", "pnn50_pct", "hf_ms2", "sd2_ms"
    ],
    "stratify.cutoff.permutations": 20,
    "stratify.cutoff.max_imbalance_share": 0.12,
    "select.top": 6,
    "select.frames_per_video": 2,
    "split.design.short_videos": "record",
}  # fmt: skip
REAL: dict[str, Any] = {
    **CALIBRATED,
    "study.name": "clips",
    "corpus.drawn": {
        "identities": 10, "images_per_identity": 10, "size_px": 128, "noise_levels": 3
    },
    "affect.training.epochs": 2,
    "affect.training.batch": 16,
    "stratify.ecg.variables": TINY["stratify.ecg.variables"],
    "stratify.cutoff.permutations": 20,
    "select.top": 6,
    "select.frames_per_video": 1,
    "training.blocks": ["1-2"],
    "training.recipe.first.epochs": 1,
    "training.recipe.first.warmup_epochs": 0,
    "training.recipe.second.epochs": 1,
    "training.recipe.second.warmup_epochs": 0,
    "training.recipe.batch": 16,
}  # fmt: skip
NARROWED = """
from dataclasses import replace

narrow = {"ei_score": "int points 0..1"}
EI_SCORES = replace(
    EI_SCORES,
    columns=tuple(replace(c, form=narrow.get(c.name, c.form)) for c in EI_SCORES.columns),
)
"""
"""What is written below eifer/tables/ei.py so that nobody's score can pass."""
VIDEO = "sub-07/beh/sub-07_task-elicitation_run-2_video.mp4"
"""A recording of wave 2."""
AN_EMPTY_BOX = b"\x00\x00\x00\x08free"
"""Behind an mp4 file it changes the bytes, and nothing that is shown."""


def run(workspace: Path, *words: str, workers: int = 1) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment in ``workspace``, output and errors together."""
    settings = {"EIFER_WORKERS": str(workers)}
    environment = os.environ | settings | {"DVC_NO_ANALYTICS": "1"}
    return tool(*words, cwd=workspace, env=environment, together=True)


def repro(workspace: Path, *words: str) -> list[str]:
    """``dvc repro`` of ``words``, which must succeed: the stages that were executed, in order."""
    done = run(workspace, "dvc", "repro", *words)
    assert done.returncode == 0, done.stdout
    return executed(done.stdout)


def executed(output: str) -> list[str]:
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def outdated(workspace: Path) -> set[str]:
    """The stages of the data half that ``dvc status`` finds changed."""
    return set(answer(workspace, "dvc", "status", "--json", "--with-deps", "split"))


def answer(workspace: Path, *words: str) -> dict[str, Any]:
    """What a command that must succeed prints as JSON."""
    done = run(workspace, *words)
    assert done.returncode == 0, done.stdout
    printed: dict[str, Any] = json.loads(done.stdout[done.stdout.index("{") :])
    return printed


def trainings(block: str) -> list[str]:
    """The instances of the training stages that ``block`` has."""
    sides = [f"ei-1-{task}-{group}" for task in Dimension for group in ("High", "Low")]
    names = [f"{stage}@{side}" for stage in ("pretrain_ei", "fine_tune_total") for side in sides]
    names += [f"train_total@1-ei-{task}" for task in Dimension]
    return [f"{name}-{block}" for name in names]


def table(workspace: Path, *names: str) -> pd.DataFrame:
    """A table, or the waves of one after each other."""
    parts = [path for name in names for path in sorted((workspace / "data").glob(name))]
    return pd.concat([pd.read_parquet(path) for path in parts], ignore_index=True)


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".gitignore"
    }


def change_params(workspace: Path, section: str, **values: object) -> None:
    params = yaml.safe_load((workspace / "params.yaml").read_text())
    place = params
    for part in section.split("."):
        place = place[part]
    place.update(values)
    (workspace / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A tiny study that has run up to split, not to be changed, and the stages executed."""
    workspace = tmp_path_factory.mktemp("tiny") / "study"
    make_workspace(workspace, preset=ROOT / "presets/demo.yaml", overrides=TINY)
    return workspace, repro(workspace, "split")


@pytest.fixture(scope="session")
def study(finished: tuple[Path, list[str]]) -> Path:
    return finished[0]


@pytest.fixture
def copy(study: Path, tmp_path: Path) -> Path:
    """A copy of the finished study that may be changed."""
    return shutil.copytree(study, tmp_path / "study")


WITHDRAW = ("eifer", "withdraw", "sub-07", "--reason", "by letter", "--no-run")


@pytest.fixture
def pushed(copy: Path) -> Path:
    """A copy that may be changed, with a DVC remote beside it that has all of it."""
    for words in (f"remote add -d theirs {copy.with_name('remote')}", "push --run-cache"):
        assert run(copy, "dvc", *words.split()).returncode == 0
    return copy


@pytest.mark.xdist_group("study")
class TestStudy:
    def test_every_stage_runs_once(self, finished: tuple[Path, list[str]]) -> None:
        once = ["code", "simulate@demo", "corpus@drawn", "affect", "intake", "stratify", "split"]
        waves = [f"{stage}@{wave}" for stage in ("extract", "estimate", "select") for wave in "12"]
        assert sorted(finished[1]) == sorted([*once, *waves])

    def test_partitions_are_disjoint_and_complete(self, study: Path) -> None:
        people = table(study, "split/partitions.parquet")
        samples = table(study, "split/samples/*.parquet")
        tested = table(study, "split/conditions.parquet")
        assert people["participant_id"].is_unique
        assert (
            set(people["rotation"]) == set(samples["rotation"]) == set(tested["rotation"]) == {"1"}
        )
        assert set(people["partition"]) == {"train", "validation", "test"}
        found = {
            part: set(rows["participant_id"])
            for part, rows in [*samples.groupby("partition"), ("test", tested)]
        }
        for part, whose in found.items():
            assert whose == set(people.loc[people["partition"] == part, "participant_id"])
        assert sum(map(len, found.values())) == len(set().union(*found.values()))
        assert not set(samples["item_id"]) & set(tested["item_id"])
        # High and Low are parts of one division, and the test has as many of either.
        assert set(people.loc[people["partition"] == "test", "group"]) == {"High", "Low"}
        assert people.loc[people["partition"] == "test", "group"].value_counts().nunique() == 1

    def test_no_face_is_in_two_partitions_by_its_pixels(self, study: Path) -> None:
        """Told by content, not by name: a crop that was stored under two names would show."""
        crops = table(study, "select/*/crops/*.parquet")
        assert crops["item_id"].is_unique
        people = table(study, "split/partitions.parquet").set_index("participant_id")["partition"]
        part = crops["video_id"].str.rsplit("_", n=1).str[0].map(people)
        assert part.groupby(crops["crop"]).nunique().max() == 1

    def test_counts_add_up_from_stage_to_stage(self, study: Path) -> None:
        videos = table(study, "intake/videos/*.parquet")
        frames = table(study, "extract/*/frames.parquet")
        counts = table(study, "extract/*/counts.parquet")
        estimates = table(study, "estimate/*/estimates.parquet")
        selection = table(study, "select/*/selection.parquet")
        crops = table(study, "select/*/crops/*.parquet")
        people = table(study, "split/partitions.parquet")
        samples = table(study, "split/samples/*.parquet")
        assert len(videos) == 8 * 4
        assert len(frames) == 8 * 4 * 15 == counts["frames_decoded"].sum()
        accepted = frames[frames["status"] == "accepted"]
        assert len(estimates) == len(accepted) == counts["frames_accepted"].sum()
        key = ["video_id", "frame"]
        assert not len(
            estimates.merge(accepted, on=key, how="outer", indicator=True).query("_merge != 'both'")
        )
        assert set(crops["item_id"]) == set(selection["item_id"])
        ranked = selection[["arousal_rank", "valence_rank"]].notna()
        assert people["n_frames"].sum() == ranked.any(axis=1).sum()
        trained = people.loc[people["partition"] != "test", "participant_id"]
        mine = selection["participant_id"].isin(trained)
        # The tiny study takes the preset's `all`: a selected frame serves both tasks.
        assert len(samples) == 2 * ranked.any(axis=1)[mine].sum()
        best = ranked.groupby(selection["video_id"]).sum()
        assert best.to_numpy().max() == TINY["select.top"]

    def test_everything_left_out_is_in_an_attrition_table(self, study: Path) -> None:
        frames = table(study, "extract/*/frames.parquet")
        rejected = frames[frames["status"] == "rejected"]
        assert len(rejected)
        left_out = table(study, "extract/*/attrition.parquet")
        by_video = left_out[left_out["level"] == "frame"].groupby("video_id")["n"].sum()
        assert by_video.to_dict() == rejected.groupby("video_id").size().to_dict()
        hrv = table(study, "stratify/hrv.parquet")
        without = hrv[hrv["value"].isna()]
        listed = table(study, "stratify/attrition.parquet").query("level == 'hrv'")
        assert set(zip(without["video_id"], without["variable"], strict=True)) <= set(
            zip(listed["video_id"], listed["what"], strict=True)
        )
        everybody = table(study, "intake/participants.parquet")["participant_id"]
        divided = table(study, "split/partitions.parquet")["participant_id"]
        lost = set(everybody) - set(divided)
        assert lost <= set(table(study, "*/attrition.parquet")["participant_id"])

    def test_the_planted_expression_is_recovered(self, study: Path) -> None:
        estimates = table(study, "estimate/*/estimates.parquet")
        latent = table(study, "simulate/latent.parquet").query("planted == 'face'")
        both = estimates.merge(latent, on=["video_id", "frame"], suffixes=("", "_planted"))
        assert len(both) > 350
        for dimension in ("arousal", "valence"):
            assert both[dimension].corr(both[f"{dimension}_planted"]) > 0.7

    def test_again_executes_nothing(self, study: Path) -> None:
        assert outdated(study) == set()
        assert repro(study, "split") == []

    def test_same_seed_same_bytes_with_other_workers(self, copy: Path) -> None:
        """Once more without DVC and in one process, which is quicker; the first run had one worker.

        That `eifer simulate`, the corpus and the affect network repeat their bytes is tested
        with them, and of trainings in tests/stages/test_repetitions.py.
        """
        before = contents(copy / "data")
        shutil.rmtree(copy / "runs")
        stages = ("intake", "extract", "estimate", "select", "stratify")
        code = (
            f"from flows.graph import stage_of\nfor name in {stages}:\n"
            "    stage_of(name)(dict.fromkeys(stage_of(name).matrix, '1'))"
        )
        done = run(copy, "python", "-c", code, workers=2)
        assert done.returncode == 0, done.stdout
        assert len(list((copy / "runs/provenance").iterdir())) == len(stages)
        assert contents(copy / "data") == before

    def test_a_new_participant_recomputes_their_wave_only(self, copy: Path) -> None:
        before = contents(copy / "data/extract/wave-1")
        change_params(copy, "simulate.planted", participants_per_wave=[4, 5])
        assert repro(copy, "extract") == ["simulate@demo", "intake", "extract@2"]
        stale = outdated(copy)
        assert {"estimate@2", "select@2", "stratify"} <= stale
        assert not {"extract@1", "estimate@1", "select@1", "affect"} & stale
        assert contents(copy / "data/extract/wave-1") == before
        assert table(copy, "extract/wave-2/counts.parquet")["participant_id"].nunique() == 5

    def test_a_recording_changed_after_intake_is_refused_and_intake_mends_it(
        self, copy: Path
    ) -> None:
        cohort = copy / "data/simulate/cohort"
        replace(cohort / VIDEO, (cohort / VIDEO).read_bytes() + AN_EMPTY_BOX)
        done = run(copy, "dvc", "repro", "--single-item", "--force", "extract@2")
        assert done.returncode != 0
        assert "changed since intake" in done.stdout and VIDEO in done.stdout
        assert "Traceback" not in done.stdout
        # What was there before is there again, as dvc.lock knows it.
        assert outdated(copy) & {"extract@2", "estimate@2", "select@2", "split"} == set()
        # A cohort given by path has no stage above intake; --single-item plays that.
        assert repro(copy, "--single-item", "intake") == ["intake"]
        stale = outdated(copy)
        assert "extract@2" in stale
        assert not {"extract@1", "estimate@1", "select@1"} & stale

    def test_a_failing_check_names_rows_keeps_the_artifact_and_goes_on_when_mended(
        self, copy: Path
    ) -> None:
        promises = copy / "eifer/tables/ei.py"
        good = promises.read_text()
        before = contents(copy / "data/split")
        promises.write_text(good + NARROWED)
        assert repro(copy, "code") == ["code"]
        assert outdated(copy) == {"stratify", "split"}
        done = run(copy, "dvc", "repro", "--single-item", "split")
        assert done.returncode != 0
        assert "ei_scores: 1 checks failed" in done.stdout
        assert "ei_score lies in [0, 1] points: 8 of 8 rows break this" in done.stdout
        assert "participant_id=sub-01 ei_score=" in done.stdout
        assert "and 3 more" in done.stdout
        assert "Traceback" not in done.stdout
        assert contents(copy / "data/split") == before
        assert not list((copy / "data").glob("*.partial"))
        promises.write_text(good)
        assert repro(copy, "--single-item", "code", "split") == []
        assert outdated(copy) == set()

    def test_a_withdrawal_is_looked_at_first(self, pushed: Path) -> None:
        folders = [pushed / name for name in ("data", "runs", ".dvc/cache", "../remote")]
        before = [contents(folder) for folder in folders]
        unknown = run(pushed, "eifer", "withdraw", "sub-7", "--reason", "by letter")
        assert unknown.returncode == 1 and "did you mean 'sub-07'?" in unknown.stdout
        unsaid = run(pushed, *WITHDRAW)
        assert unsaid.returncode == 1 and "add --yes" in unsaid.stdout
        dry = run(pushed, *WITHDRAW, "--dry-run")
        assert dry.returncode == 0 and "remote theirs: objects: " in dry.stdout
        assert [contents(folder) for folder in folders] == before

    def test_of_who_withdraws_no_byte_is_left(self, pushed: Path) -> None:
        data, remote = pushed / "data", pushed.with_name("remote")
        by_hand = Path(shutil.copyfile(data / "split/partitions.parquet", pushed / "mine.parquet"))
        half = pushed / "runs/checkpoints/pretrain_ei@ei/epoch"
        half.parent.mkdir(parents=True)
        half.write_text("half of a network")
        gone, others = divided(data)
        with Repo(str(pushed)) as repo:
            kept = Path(repo.site_cache_dir)
        names = [path for path in kept.rglob("*") if path.is_file()]
        assert any(b"sub-07" in path.read_bytes() for path in names)
        pages = pushed / data_docs.PAGES
        of_checks = {place.name for place in pages.glob("*/")}
        assert {"intake", "extract@1", "corpus@drawn"} <= of_checks
        done = run(pushed, *WITHDRAW, "--yes")
        assert done.returncode == 0, done.stdout
        assert not gone & {*contents(pushed).values(), *contents(remote).values()}
        assert contents(data) == others
        assert not by_hand.exists() and not half.parent.exists()
        left = {
            name for name in of_checks if name.split("@")[0] in ("simulate", "corpus", "affect")
        }
        assert (
            {place.name for place in pages.glob("*/")}
            == left
            == {*data_docs.read(pushed)} - {"code"}
        )
        assert "intake/" not in (pushed / data_docs.INDEX).read_text()
        stages = {path.stem.split("_", 1)[1] for path in (pushed / "runs/provenance").iterdir()}
        assert {"extract@1", "select@1", "affect"} <= stages
        assert not {"intake", "extract@2", "stratify", "split"} & stages
        paper = json.loads((pushed / "runs/withdrawals/sub-07.json").read_text())
        assert gone <= set(paper["sha256"]) and not set(others.values()) & set(paper["sha256"])
        assert paper["found"]["cache: objects"] == paper["found"]["remote theirs: objects"] > 40
        assert paper["removed"]["copies elsewhere in the study"] == 1
        assert not [
            path for path in kept.rglob("*") if path.is_file() and b"sub-07" in path.read_bytes()
        ]
        assert paper["checked"][0].endswith("asked: remote theirs; 0 found")
        assert "by letter" in (pushed / "runs/withdrawals/sub-07.txt").read_text()

    def test_withdrawn_twice_what_came_back_goes_and_what_is_new_stays(
        self, study: Path, pushed: Path
    ) -> None:
        data, remote = pushed / "data", pushed.with_name("remote")
        gone, others = divided(data)
        assert run(pushed, *WITHDRAW, "--yes").returncode == 0
        # Another clone pushes some of it again, and it is pulled.
        for md5 in json.loads((pushed / "runs/withdrawals/sub-07.json").read_text())["md5"]:
            name = f"files/md5/{md5[:2]}/{md5[2:]}"
            if not (study / ".dvc/cache" / name).exists():
                continue  # a page of data checks
            for place in (pushed / ".dvc/cache" / name, remote / name):
                shutil.copyfile(study / ".dvc/cache" / name, place)
        again = run(pushed, *WITHDRAW)
        assert again.returncode == 0, again.stdout
        assert not gone & {*contents(pushed).values(), *contents(remote).values()}
        change_params(pushed, "intake", least_participants=7)
        assert repro(pushed, "intake", "extract@1") == ["intake"]
        people = table(pushed, "intake/participants.parquet")["participant_id"]
        assert len(people) == 8 and "withdrawn-1" in set(people)
        for path in (data / "intake").rglob("*.parquet"):
            assert "sub-07" not in pd.read_parquet(path).to_csv()
        now = contents(data)
        assert others.items() < now.items()
        assert run(pushed, *WITHDRAW).returncode == 0
        assert contents(data) == now

    def test_a_withdrawal_that_was_killed_is_ended_by_the_same_command(
        self, study: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(copy)
        before = contents(copy / "data")
        options = withdrawal.Options()
        paper = withdrawal.look(Path(), "sub-02", "by letter", options)
        for step in ("_remove_files", "_remove_from_mlflow", "check"):
            with monkeypatch.context() as patch:
                patch.setattr(withdrawal, step, killed)
                with pytest.raises(KeyboardInterrupt):
                    withdrawal.carry_out(Path(), paper, options, print)
            paper = certificate.read(Path(), "sub-02")
            assert paper is not None
        assert "sub-02" in Path("params.yaml").read_text()
        withdrawal.carry_out(Path(), paper, options, print)
        assert (paper.state, len(paper.checked)) == ("removed", 1)
        # Everybody else's, of the other wave, is as it was.
        after = contents(copy / "data")
        assert after.items() < before.items()
        assert {n for n in before if n.startswith(("extract/wave-2", "simulate"))} <= after.keys()
        assert not [n for n in after if n.startswith(("extract/wave-1", "intake", "split"))]
        assert not withdrawal.came_back(Path(), paper)
        shutil.copytree(study / "data/intake", "data/intake")
        assert withdrawal.came_back(Path(), paper)

    def test_a_cache_that_others_may_share_is_left_alone(self, copy: Path) -> None:
        assert run(copy, "dvc", "cache", "dir", str(copy.with_name("shared"))).returncode == 0
        with pytest.raises(StudyError, match="--shared-cache"):
            withdrawal.prepare(copy, "sub-02", withdrawal.Options())
        with pytest.raises(StudyError, match="simulated"):
            withdrawal.prepare(
                copy, "sub-02", withdrawal.Options(recordings=True, shared_cache=True)
            )


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def divided(data: Path) -> tuple[set[str], dict[str, str]]:
    """The SHA-256 of files that came of somebody in wave 2, and the files of others alone."""
    everything = contents(data)
    mine = {
        name
        for name in everything
        if name.startswith(("intake", "stratify", "split")) or "wave-2/" in name
    } - {"intake/videos/wave-1.parquet"}
    others = {name: sha256 for name, sha256 in everything.items() if name not in mine}
    # This table goes with its folder, though it is not of the person.
    del others["intake/videos/wave-1.parquet"]
    gone = {everything[name] for name in mine} - set(others.values())
    assert len(gone) > 40 and len(others) > 40
    return gone, others


def replace(path: Path, content: bytes) -> None:
    """Another content at ``path``; not written into, for DVC's cache may be the same file."""
    path.unlink()
    path.write_bytes(content)


@pytest.fixture(scope="session")
def clips(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The real cohort with every video cut after .6 s, without encoding it anew."""
    import av

    cohort = tmp_path_factory.mktemp("real") / "cohort"
    shutil.copytree(shared / "real_cohort", cohort, copy_function=shutil.copyfile)
    for path in cohort.rglob("*_video.mp4"):
        source = shared / "real_cohort" / path.relative_to(cohort)
        with av.open(str(source)) as whole, av.open(str(path), "w") as cut:
            stream = whole.streams.video[0]
            kept = cut.add_stream_from_template(stream)
            for packet in whole.demux(stream):
                if packet.pts is not None and packet.pts * packet.time_base < 0.6:
                    packet.stream = kept
                    cut.mux(packet)
    yield cohort


@pytest.fixture(scope="session")
def recorded(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A study of the clips that has run to its end, not to be changed, and the stages executed."""
    workspace = tmp_path_factory.mktemp("recorded") / "study"
    overrides = REAL | {"study.cohort": relative(clips, workspace)}
    make_workspace(workspace, preset=ROOT / "presets/real.yaml", overrides=overrides)
    return workspace, repro(workspace)


@pytest.fixture
def more(recorded: tuple[Path, list[str]]) -> Iterator[Path]:
    """A copy of it that may be changed; beside it, where the path to the clips holds."""
    copied = shutil.copytree(recorded[0], recorded[0].with_name("more"))
    yield copied
    shutil.rmtree(copied)


VIDEO_OF_CLIPS = "sub-02/beh/sub-02_task-elicitation_run-3_video.mp4"
EVALUATED = "data/evaluate/assignment-ei"
TRAINED = "data/fine_tune_total/assignment-ei/rotation-1/task-arousal_group-Low_block-1-2"
CHANGES: list[tuple[str, str]] = [
    ("raw files", "COHORT/" + VIDEO_OF_CLIPS),
    ("raw files", "COHORT/participants.tsv"),
    ("outputs", f"{EVALUATED}/predictions.parquet"),
    ("outputs", f"{TRAINED}/repetition-1.safetensors"),
    ("outputs", "data/stats/comparison.parquet"),
    ("records", "data/report/index.html"),
    ("records", "runs/provenance/RECORD"),
    ("code and params", "eifer/metrics.py"),
    ("code and params", "params.yaml"),
    ("code and params", "dvc.lock"),
]
"""What a bit is turned in, and the link that must find it."""


def turned(path: Path, seed: int) -> bytes:
    """Turn one bit of a file, somewhere in its middle; its bytes before."""
    before = path.read_bytes()
    place = len(before) // 2 + seed
    # Of texts in a value: what comments say is no parameter.
    key = {"params.yaml": b"seed: ", "dvc.lock": b"md5: "}.get(path.name)
    if key:
        place = before.index(key, 0 if path.name == "params.yaml" else place) + len(key)
    replace(path, before[:place] + bytes([before[place] ^ 1]) + before[place + 1 :])
    return before


@pytest.mark.xdist_group("real")
class TestRealRecordings:
    def test_an_audit_finds_nothing_and_then_every_bit_that_is_turned(self, more: Path) -> None:
        links = ("raw files", "code and params", "outputs", "records", "partitions")
        for verdict in audited(Recorded(more), links):
            assert (verdict.state, verdict.places) == ("ok", [])
        cohort = Path(os.path.normpath(more / yaml.safe_load(
            (more / "params.yaml").read_text())["study"]["cohort"]))  # fmt: skip
        record = next((more / "runs/provenance").glob("*_split.json")).name
        for seed, (link, place) in enumerate(CHANGES):
            name = place.replace("RECORD", record)
            path = more / name.removeprefix("COHORT/")
            if name != path.relative_to(more).as_posix():
                path = cohort / name.removeprefix("COHORT/")
            before = turned(path, seed)
            # What stands in the middle of dvc.lock may be a param, or the hash of an output.
            asked = links[:4] if path.name == "dvc.lock" else (link,)
            verdicts = list(audited(Recorded(more), asked))
            replace(path, before)
            places = [where for v in verdicts if v.state == "differs" for where in v.places]
            assert places, (link, place)
            if path.name != "dvc.lock":
                assert any(path.name in where for where in places), places

    def test_an_edited_number_is_found_where_it_stands(self, more: Path) -> None:
        """Also by somebody who knows how DVC and the records take their hashes."""
        page = more / "data/report/index.html"
        text = page.read_text()
        shown = Page(text).shown
        where, old = next(
            (w, t) for w, t in shown.items() if w.startswith("table headline, ") and "+0." in t
        )
        replace(page, text.replace(old, old.replace("+0.", "+9.", 1), 1).encode())
        metrics = more / f"{EVALUATED}/metrics.parquet"
        frame = pd.read_parquet(metrics)
        frame.loc[3, "roc_auc"] += 0.25
        metrics.unlink()
        frame.to_parquet(metrics)
        report, scores, outputs = audited(Recorded(more), ("report", "scores", "outputs"))
        assert any(where in p and "+9." in p and old in p for p in report.places), report.places
        assert any("metrics.parquet: row 4, roc_auc: " in p for p in scores.places), scores.places
        assert {p.split(":")[0] for p in outputs.places} == {
            "data/report/index.html", f"{EVALUATED}/metrics.parquet"
        }  # fmt: skip
        done = run(more, "eifer", "summary")
        assert done.returncode == 1
        assert "not what was recorded" in done.stdout and "metrics.parquet" in done.stdout

    def test_a_cell_is_followed_to_the_recordings(
        self, recorded: tuple[Path, list[str]], tmp_path: Path, barriers: Any
    ) -> None:
        study = recorded[0]
        steps = {step.title: step for step in trail(Recorded(study), "headline:1:Verdict")}
        assert list(steps) == [
            "report", "what it is made of: by_participant", "statistics: participant_deltas",
            "statistics: delong", "scores: metrics", "predictions: predictions",
            "weights: repetitions of fine_tune_total", "weights: repetitions of pretrain_ei",
            "partition: conditions", "partition: partitions", "EI groups: ei_scores",
            "selected frames: selection", "selected frames: crops", "estimates: estimates",
            "video frames and boxes: frames", "videos: videos", "raw files",
        ]  # fmt: skip
        # The affect network's card rests on drawn faces: on no recording.
        card = [step.title for step in trail(Recorded(study), "card:1:Value")]
        assert card == ["report"]
        assert steps["estimates: estimates"].rows == steps["selected frames: selection"].rows
        assert set(steps["EI groups: ei_scores"].examples["group"]) == {"High", "Low"}
        files = [source for step in steps.values() for source in step.sources]
        assert files and all(source.as_recorded for source in files)
        cell = pd.read_csv(study / "data/report/tables/headline.csv").iloc[0]
        answers = table(study, "evaluate/assignment-ei/predictions.parquet")
        own = answers[
            (answers["task"] == cell["task"])
            & (answers["condition"] == cell["condition"])
            & answers["training_group"].isin(cell["contrast"].split("-"))
        ]
        assert steps["predictions: predictions"].rows == len(own)
        n = own["item_id"].nunique()
        assert steps["partition: conditions"].rows == n
        assert steps["video frames and boxes: frames"].rows == n
        videos = table(study, "intake/videos/*.parquet").set_index("video_id")
        assert {source.sha256 for source in steps["raw files"].sources} == {
            *videos.loc[own["video_id"].unique(), "video_sha256"],
            *videos.loc[own["video_id"].unique(), "ecg_sha256"].dropna(),
        }
        page = tmp_path / "trail.html"
        done = run(study, "eifer", "trace", "headline:1:Verdict", "--html", str(page))
        assert done.returncode == 0, done.stdout
        assert "repetition-1.safetensors" in done.stdout and "raw files" in page.read_text()
        assert barriers(page) == []
        wrong = run(study, "eifer", "trace", "headline:1:Verdicts")
        assert wrong.returncode == 1 and "did you mean 'Verdict'?" in wrong.stdout

    def test_a_crate_tells_every_execution_and_shows_nobody(
        self, recorded: tuple[Path, list[str]], tmp_path: Path
    ) -> None:
        study, ran = recorded
        crate = tmp_path / "crate"
        write(study, crate, [])
        entities = json.loads((crate / METADATA).read_text())["@graph"]
        actions = [e for e in entities if e["@type"] == "CreateAction" and e["@id"] != "#run"]
        assert len(actions) >= len(ran)
        assert {e["name"].split("@")[0] for e in actions} == {name.split("@")[0] for name in ran}
        copied = [path for path in crate.rglob("*") if path.is_file()]
        suffixes = {path.suffix for path in copied if "report" not in path.parts}
        assert suffixes <= {".json", ".md", ".yaml", ".lock", ".parquet"}
        tables = {path.name for path in copied if path.suffix == ".parquet"}
        assert tables == {"selection.parquet"}
        hashes = {e.get("sha256") for e in entities}
        for path in [*study.glob("data/select/*/crops/*"), *study.glob("data/**/*.safetensors")]:
            assert sha256_file(path) in hashes
        videos = study / load_study(study / "params.yaml").study.cohort
        for path in videos.rglob("*_video.mp4"):
            assert sha256_file(path) in hashes

    def test_an_exclusion_count_is_followed_to_its_frames(
        self, recorded: tuple[Path, list[str]]
    ) -> None:
        counts = pd.read_csv(recorded[0] / "data/report/tables/left_out.csv")
        rows = counts[(counts["stage"] == "extract") & (counts["level"] == "frame")]
        assert len(rows)
        for row, n in rows["n"].items():
            steps = {s.title: s for s in trail(Recorded(recorded[0]), f"left_out:{int(row) + 1}:n")}
            assert steps["video frames and boxes: frames"].rows == n

    def test_validate_says_when_recordings_are_not_those_of_intake(
        self, more: Path, clips: Path
    ) -> None:
        video = clips / VIDEO_OF_CLIPS
        before = video.read_bytes()
        cohort = relative(clips, more)
        assert "recorded" not in run(more, "eifer", "validate", cohort).stdout
        replace(video, before + AN_EMPTY_BOX)
        done = run(more, "eifer", "validate", cohort)
        replace(video, before)
        assert "is valid" in done.stdout
        assert f"not what intake recorded (1): {cohort}/{VIDEO_OF_CLIPS}" in done.stdout

    def test_the_whole_cohort_is_valid(self, shared: Path) -> None:
        preset = ROOT / "presets/real.yaml"
        cohort = shared / "real_cohort"
        done = run(ROOT, "eifer", "validate", str(cohort), "--params", str(preset), workers=2)
        assert done.returncode == 0, done.stdout
        assert "is valid: 8 of 8 participants, 32 videos, 32 ECGs" in done.stdout

    def test_real_recordings_run_through_to_the_report(
        self, recorded: tuple[Path, list[str]]
    ) -> None:
        study, ran = recorded
        data_half = ["code", "corpus@drawn", "affect", "intake", "extract@1", "estimate@1",
                     "stratify", "select@1", "split"]  # fmt: skip
        assert sorted(ran) == sorted(
            [
                *data_half,
                "declare",
                *trainings("1-2"),
                "evaluate@ei",
                "stats",
                "calibrate",
                "report",
            ]
        )
        counts = table(study, "extract/*/counts.parquet")
        assert len(counts) == 32 and (counts["frames_accepted"] > 0).all()
        people = table(study, "split/partitions.parquet")
        assert set(people["partition"]) == {"train", "validation", "test"}
        proof = json.loads((study / "data/split/disjointness.json").read_text())
        assert list(proof) == ["1"] and proof["1"]["disjoint"] is True
        # Every model has answered every test frame of its task, and both classes are tested.
        tested = table(study, "split/conditions.parquet")
        step = {
            name: table(study, f"evaluate/assignment-ei/{name}.parquet")
            for name in ("predictions", "pretrained")
        }
        for answers in step.values():
            assert set(answers["training_group"]) == {"High", "Low", "Total", "Affect"}
            # Two repetitions of three models, and affect.
            assert len(answers) == (3 * 2 + 1) * len(tested)
            baseline = answers[answers["condition"] == "baseline"]
            assert (baseline.groupby(["task", "training_group"])["label"].nunique() == 2).all()
        # Models before and after fine-tuning are others, but for those that have no such step.
        same = step["predictions"].merge(step["pretrained"], on=list(PREDICTIONS.key))
        same = (same["score_x"] == same["score_y"]).groupby(same["training_group"]).mean()
        assert same["Total"] == same["Affect"] == 1 and same[["High", "Low"]].max() < 0.5
        compared = table(study, "stats/comparison.parquet")
        assert set(zip(compared["task"], compared["contrast"], strict=True)) == {
            (task, contrast) for task in Dimension for contrast in ("High-Low", "High-Total")
        }
        primary = table(study, "stats/by_participant.parquet")
        # Four people cannot show a difference, and none is claimed, nor that there is none.
        tested = primary["n_participants"]
        assert tested.max() == 4 and (primary["n_used"] <= tested).all()
        assert primary["verdict"].str.match("inconclusive|not estimable").all()
        declared = primary[primary["role"] == "confirmatory"]
        assert declared["models"].tolist() == [FINE_TUNED] * 2
        assert declared["condition"].tolist() == ["baseline"] * 2
        assert declared["contrast"].tolist() == ["High-Low"] * 2

    def test_the_report_says_what_it_cannot_carry(self, recorded: tuple[Path, list[str]]) -> None:
        page = " ".join((recorded[0] / "data/report/index.html").read_text().split())
        assert "<strong>Recorded cohort.</strong>" in page
        assert "Simulated cohort" not in page and "all simulated" not in page
        assert "<strong>Arousal and valence are read from seven expressions</strong>" in page
        assert "by a network that was not trained on AffectNet" in page
        assert "and with the votes of FER+ arousal agreed by a CCC of .74" in page
        assert "another network, which learnt from drawn faces" in page
        assert "Other estimators on the same frames" in page
        assert "they were read by a weighted sum of MediaPipe" in page
        assert "Every model was trained 2 times (repetitions)" in page
        for section in ("training", "recognition", "comparison", "published", "checks"):
            assert f'<section id="{section}"' in page
        assert '<section id="planted"' not in page
        # No other labels were trained here.
        assert '<section id="labels"' not in page

    def test_mlflow_shows_every_repetition_and_its_results(self, more: Path) -> None:
        done = run(more, "eifer", "sync-tracking")
        # Of 2 tasks 2 repetitions each: of High and Low two trainings, of Total one, 3 tested.
        assert "MLflow: 33 added, 0 there already\n" in done.stdout
        again = run(more, "eifer", "sync-tracking")
        assert "MLflow: 0 added, 33 there already\n" in again.stdout
        (verdict,) = audited(Recorded(more), ("MLflow",))
        assert (verdict.state, verdict.places, verdict.checked) == ("ok", [], 21)
        # The same training again, with the same weights, in another time.
        first = next((more / "runs/provenance").glob("*train_total*"))
        again = json.loads(first.read_text()) | {
            "finished": "2100-01-01T00:00:00+00:00",
            "usage": {},
        }
        (more / f"runs/provenance/2100_{first.name.partition('_')[2]}").write_text(sealed(again))
        (verdict,) = audited(Recorded(more), ("MLflow",))
        assert (verdict.state, verdict.places) == ("ok", [])
        with sqlite3.connect(more / "runs/mlflow.db") as database:
            database.execute("UPDATE tags SET value = 'other' WHERE key = 'drawn.training' LIMIT 1")
        (verdict,) = audited(Recorded(more), ("MLflow",))
        assert verdict.places == [] and "figures of 1 runs" in verdict.unchecked[0]
        assert "MLflow: 1 added" in run(more, "eifer", "sync-tracking").stdout
        with sqlite3.connect(more / "runs/mlflow.db") as database:
            where = "WHERE key = 'baseline/roc_auc'"
            database.execute(f"UPDATE latest_metrics SET value = value + .5 {where} LIMIT 1")
        (verdict,) = audited(Recorded(more), ("MLflow",))
        assert len(verdict.places) == 1
        assert "latest metric baseline/roc_auc: shows " in verdict.places[0]

    def test_who_withdraws_takes_their_recordings_along_if_asked(
        self, more: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cohort = shutil.copytree(clips, more.with_name("cohort"))
        change_params(more, "study", cohort="../cohort")
        before = contents(cohort)
        monkeypatch.chdir(more)
        options = withdrawal.Options(recordings=True)
        withdrawal.prepare(Path(), "sub-02", options)
        paper = withdrawal.look(Path(), "sub-02", "by letter", options)
        withdrawal.carry_out(Path(), paper, options, print)
        after = contents(cohort)
        shutil.rmtree(cohort)
        assert after == {n: s for n, s in before.items() if not n.startswith("sub-02")}
        assert paper.removed["recordings"] == len(before) - len(after)
        left = {path.parts[1] for path in Path("data").glob("*/*")}
        assert left == {"code", "corpus", "affect", "declare", "calibrate"}
        assert not set(paper.sha256) & set(contents(more).values())
        # The report shows this picture as it is: it is of nobody.
        assert (more / "reports/graph-ei.svg").is_file()
        assert not any("graph.svg" in line for line in paper.not_reached)

    def test_again_skips_every_stage(self, recorded: tuple[Path, list[str]]) -> None:
        assert repro(recorded[0]) == []

    def test_dvc_shows_metrics_differences_and_plots(self, more: Path) -> None:
        metrics = more / "data/report/metrics.json"
        found = json.loads(metrics.read_text())
        shown = answer(more, "dvc", "metrics", "show", "--json")
        assert shown[""]["data"]["data/report/metrics.json"]["data"] == found
        # A fresh workspace has a commit to compare with, which holds no results yet.
        assert answer(more, "dvc", "metrics", "diff", "--json") != {}
        experiments = run(more, "dvc", "exp", "show", "--json")
        assert experiments.returncode == 0, experiments.stdout
        commit = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "ran")
        for words in (("git", "add", "-A"), commit):
            assert finish(words, more).returncode == 0
        assert answer(more, "dvc", "metrics", "diff", "--json") == {}
        old, found["cutoff"]["cutoff"] = found["cutoff"]["cutoff"], 2
        metrics.unlink()  # not written into: it may be DVC's copy
        metrics.write_text(json.dumps(found))
        assert answer(more, "dvc", "metrics", "diff", "--json") == {
            "data/report/metrics.json": {"cutoff.cutoff": {"old": old, "new": 2, "diff": 2 - old}}
        }
        done = run(more, "dvc", "plots", "show", "-o", "drawn")
        assert done.returncode == 0, done.stdout
        page = (more / "drawn/index.html").read_text()
        kinds = ("roc/{}_baseline", "roc_auc/{}_baseline", "learning/{}")
        for name in (kind.format(task) for kind in kinds for task in Dimension):
            assert f"data/evaluate/assignment-ei/plots/{name}.json" in page.replace("\\", "/")

    def test_more_repetitions_are_new_blocks_and_finished_ones_stay(self, more: Path) -> None:
        change_params(more, "training", blocks=["1-2", "3"])
        # Forced downstream, since in a dry run nothing that a stage reads has changed yet.
        assert sorted(repro(more, "--dry", "--force-downstream")) == sorted(
            [*trainings("3"), "evaluate@ei", "stats", "report"]
        )
