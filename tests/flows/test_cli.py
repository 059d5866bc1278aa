"""The command line as a person meets it: a process, its words and its exit code."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml

from eifer.hashing import sha256_file
from flows.graph import ROOT
from stages.catalogue import VIDEOS
from stages.intake import intake
from stages.params import load_params
from tests.flows.made import filmed
from tests.watched import finish, tool

MISSPELT = "intake.face_sample; did you mean 'face_samples'?"


def eifer(
    folder: Path, *words: str, workers: int = 2, env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    return tool("eifer", *words, cwd=folder, env={**env, "EIFER_WORKERS": str(workers)})


def contents(folder: Path) -> dict[str, str]:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def write_params(folder: Path, **study: object) -> None:
    """Params for four people with a second of video and half a minute of ECG."""
    params: dict[str, Any] = yaml.safe_load((ROOT / "presets/demo.yaml").read_text())
    params["study"] |= {"waves": ["1"]} | study
    params["intake"] |= {"face_samples": 4, "least_participants": 4}
    planted = params["simulate"]["planted"]
    planted["video"] |= {"seconds": 1, "fps": 10, "width_px": 200, "height_px": 160}
    planted["ecg"] |= {"seconds": 30, "hz": 125}
    planted["events"] |= {"no_face": 0, "two_faces": 0}
    (folder / "params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with params.yaml and a simulated cohort of four, not to be changed."""
    folder = tmp_path_factory.mktemp("home")
    write_params(folder)
    done = eifer(folder, "simulate", "cohort", "--seed", "5", workers=1)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def broken(home: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may break."""
    return shutil.copytree(home, tmp_path / "home")


def test_what_was_simulated_is_valid(home: Path) -> None:
    done = eifer(home, "validate", "cohort")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "cohort is valid: 4 of 4 participants, 16 videos, 16 ECGs",
        "16 face videos last less than 90% of their film (intake.short_face_videos allows it)",
    ]
    # Where no terminal shows a bar, a line now and then says how far it is.
    progress = [line for line in done.stderr.splitlines() if "checking recordings" in line]
    assert len(progress) == 8 and progress[-1] == "checking recordings: 16 of 16"
    # The answers lie beside the cohort, where whoever analyses it does not stumble over them.
    names = {path.name for path in home.iterdir()}
    assert names == {"params.yaml", "cohort", "cohort_truth.json", "cohort_latent.parquet"}


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    home: Path, tmp_path: Path
) -> None:
    params = ["--params", str(home / "params.yaml")]
    for name, seed in (("same", "5"), ("other", "6")):
        assert eifer(tmp_path, "simulate", name, "--seed", seed, *params).returncode == 0
    same, other, first = (
        contents(f) for f in (tmp_path / "same", tmp_path / "other", home / "cohort")
    )
    assert same == first
    video = "sub-01/beh/sub-01_task-elicitation_run-1_video.mp4"
    assert other[video] != first[video]
    assert sha256_file(tmp_path / "same_truth.json") == sha256_file(home / "cohort_truth.json")


def test_the_environment_does_not_change_what_a_seed_gives(home: Path, tmp_path: Path) -> None:
    """Other kernels for linear algebra and numpy, as another machine or shell may choose."""
    bare = {"HOME": os.environ["HOME"], "PATH": "/usr/bin:/bin"}
    kernels = {
        "OPENBLAS_CORETYPE": "Prescott",
        "OMP_NUM_THREADS": "1",
        "NPY_DISABLE_CPU_FEATURES": "AVX2 AVX512F AVX512CD AVX512_SKX",
    }
    words = ("simulate", "cohort", "--seed", "5", "--params", str(home / "params.yaml"))
    done = eifer(tmp_path, *words, env=bare | kernels)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "cohort") == contents(home / "cohort")
    assert sha256_file(tmp_path / "cohort_truth.json") == sha256_file(home / "cohort_truth.json")


def damage(cohort: Path) -> None:
    """Every kind of fault once."""

    def recording(number: int, run: int, kind: str) -> Path:
        who = f"sub-{number:02d}"
        return cohort / who / "beh" / f"{who}_task-elicitation_run-{run}_{kind}"

    def ecg(path: Path, samples: np.ndarray) -> None:
        text = "".join(f"{value:.4f}\n" for value in samples)
        path.write_bytes(gzip.compress(text.encode(), mtime=0))

    truncated = recording(1, 1, "video.mp4")
    truncated.write_bytes(truncated.read_bytes()[:-2000])
    recording(1, 2, "video.mp4").write_bytes(b"")
    recording(1, 3, "video.mp4").write_text("this is not a film\n" * 50)
    grey(recording(1, 4, "video.mp4"))
    noise = np.random.default_rng(1).normal(size=30 * 125)
    ecg(recording(2, 1, "recording-ecg_physio.tsv.gz"), np.zeros(30 * 125))
    ecg(recording(2, 2, "recording-ecg_physio.tsv.gz"), noise[: 5 * 125])
    ecg(recording(2, 3, "recording-ecg_physio.tsv.gz"), noise)
    ratings = cohort / "sub-03/beh/sub-03_task-elicitation_beh.tsv"
    rows = [line.split("\t") for line in ratings.read_text().splitlines()]
    rows[1][rows[0].index("arousal")] = "8"
    ratings.write_text("".join("\t".join(row) + "\n" for row in rows))
    items = cohort / "sub-03/beh/sub-03_task-ei_beh.tsv"
    items.write_text("".join(items.read_text().splitlines(keepends=True)[:-2]))
    outside = cohort.parent / "elsewhere.mp4"
    recording(4, 1, "video.mp4").rename(outside)
    recording(4, 1, "video.mp4").symlink_to(outside)


def cut(path: Path, share: float) -> None:
    """The same video with its table of frames in front, and only that share of the bytes."""
    import av

    whole = path.with_name("whole.mp4")
    front = {"movflags": "faststart"}
    with av.open(str(path)) as source, av.open(str(whole), "w", options=front) as made:
        stream = made.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    data = whole.read_bytes()
    whole.unlink()
    path.write_bytes(data[: int(len(data) * share)])


def test_a_video_whose_end_is_missing_is_used_and_named(broken: Path) -> None:
    name = "sub-01/beh/sub-01_task-elicitation_run-1_video.mp4"
    cut(broken / "cohort" / name, 0.6)
    done = eifer(broken, "validate", "cohort")
    assert done.returncode == 0, done.stderr
    valid, short, named, remedy = done.stdout.splitlines()
    assert "16 videos" in valid and short.startswith("16 face videos last less")
    found = re.fullmatch(rf"{name} is cut short: (0\.\d\d) s there, 1\.00 s declared", named)
    assert found and 0.3 <= float(found[1]) <= 0.8
    assert "used as far as they go" in remedy
    # The study's own report of its first step says so, too.
    run: Any = SimpleNamespace(
        params=load_params(broken / "params.yaml"),
        path=lambda given: broken / "cohort",
        each=lambda work, tasks, label: map(work, tasks),
    )
    outcome = intake.function(run)
    assert outcome.report.numbers["cut_videos"] == 1
    said = " ".join(outcome.report.results.split())
    assert "before the length that they declare: 1; they were used as far as they go." in said
    ((_, videos),) = outcome.made[VIDEOS]
    row = VIDEOS.table.conform(videos).set_index("video_path").loc[name]
    assert row["video_s"] == pytest.approx(float(found[1]), abs=0.01)
    assert row["video_declared_s"] == 1.0


def test_a_decoder_that_is_not_there_is_refused_by_whoever_reads_videos(
    home: Path, tmp_path: Path
) -> None:
    name = home / "cohort/sub-01/beh/sub-01_task-elicitation_run-1_video.mp4"
    asked = {**os.environ, "EIFER_DECODER": "abacus"}
    (tmp_path / "params.yaml").write_bytes((home / "params.yaml").read_bytes())
    for words in (("validate", str(home / "cohort")), ("estimate", str(name), "--out", "seen")):
        done = eifer(tmp_path, *words, env=asked)
        assert done.returncode == 1
        assert "decoder 'abacus'" in done.stderr and "FFmpeg has here: cpu" in done.stderr
        assert "Traceback" not in done.stderr


def grey(path: Path) -> None:
    """A readable video of grey noise."""
    noise = np.random.default_rng(0).integers(100, 156, (10, 160, 200, 1), dtype=np.uint8)
    filmed(path, noise.repeat(3, axis=3), fps=10)


def test_everything_wrong_with_a_cohort_is_listed_at_once(broken: Path) -> None:
    damage(broken / "cohort")
    write_params(broken, waves=["1", "2"])
    params = yaml.safe_load((broken / "params.yaml").read_text())
    params["intake"]["least_participants"] = 8
    (broken / "params.yaml").write_text(yaml.safe_dump(params))
    before = contents(broken)
    done = eifer(broken, "validate", "cohort")
    printed = done.stderr
    assert done.returncode == 1 and done.stdout == ""
    assert "Traceback" not in printed
    assert printed.endswith("eifer validate: cohort cohort: 12 problems, named above\n")
    # What the text files have wrong is said before any recording is opened, and nothing twice.
    assert printed.index("sub-03_task-elicitation_beh.tsv") < printed.index("checking recordings")
    assert "exclude it with a reason" in printed
    for words in (
        "sub-01_task-elicitation_run-1_video.mp4",
        "zero-byte file (1): sub-01/beh/sub-01_task-elicitation_run-2_video.mp4",
        "sub-01_task-elicitation_run-3_video.mp4",
        "video without a face in any frame (1): sub-01/beh/sub-01_task-elicitation_run-4_video.mp4",
        "sub-02_task-elicitation_run-1_recording-ecg_physio.tsv.gz (flat)",
        "sub-02_task-elicitation_run-2_recording-ecg_physio.tsv.gz (too_short)",
        "sub-02_task-elicitation_run-3_recording-ecg_physio.tsv.gz (",
        "sub-03_task-elicitation_beh.tsv row 2: arousal",
        "fewer than 120 EI items (1): sub-03/beh/sub-03_task-ei_beh.tsv: 2 missing",
        "link that leads out of the cohort's folder (1): "
        "sub-04/beh/sub-04_task-elicitation_run-1_video.mp4",
        "wave without participants (1): params.yaml: '2'",
        "too few participants to split: the design needs 8 (1): 4 are included",
    ):
        assert printed.count(words) == 1, (words, printed)
    assert contents(broken) == before


def test_what_cannot_be_done_is_refused_and_changes_nothing(broken: Path) -> None:
    home, text = broken, (broken / "params.yaml").read_text()
    (home / "misspelt.yaml").write_text(text.replace("face_samples", "face_sample"))
    for words, message in (
        (("validate", "nowhere"), "nowhere: missing"),
        (("validate", "cohort", "--params", "none.yaml"), "none.yaml is missing"),
        (("validate", "cohort", "--params", "misspelt.yaml"), MISSPELT),
        (("simulate", "cohort"), "not empty"),
    ):
        before = contents(home)
        done = eifer(home, *words)
        assert done.returncode == 1
        assert message in done.stderr and "Traceback" not in done.stderr
        assert contents(home) == before


def test_excluded_recordings_are_not_complained_of(broken: Path) -> None:
    damage(broken / "cohort")
    shutil.rmtree(broken / "cohort/sub-03")
    parts = [(1, None), (2, None), (3, None), (4, 1)]
    write_params(
        broken,
        exclude=[
            {"participant": f"sub-0{n}", "run": run, "recording": None, "reason": "damaged"}
            for n, run in parts
        ],
    )
    done = eifer(broken, "validate", "cohort")
    # A link out of the folder is named all the same, since DVC hashes the whole folder. Else all
    # that is left to say is that one of four is not enough.
    assert "eifer validate: cohort cohort: 2 problems, named above\n" in done.stderr, done.stderr
    assert "link that leads out" in done.stderr
    assert "too few participants" in done.stderr and "1 are included" in done.stderr


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = (
        "import sys\nfrom flows.cli import app\n"
        "try: app(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'pytorch_lightning', 'great_expectations', 'neurokit2', "
        "'mlflow', 'prefect', 'dvc', 'pandas', 'cv2'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = finish([sys.executable, "-c", code], ROOT)
    assert "HEAVY []" in done.stdout
    commands = ("simulate", "validate", "assets", "workspace", "summary", "outputs")
    assert all(command in done.stdout for command in commands)


def test_a_workspace_is_made_for_a_cohort(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine"
    done = eifer(
        ROOT, "workspace", str(target), "--preset", str(home / "params.yaml"),
        "--cohort", str(home / "cohort"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    cohort = yaml.safe_load((target / "params.yaml").read_text())["study"]["cohort"]
    assert (target / cohort).resolve() == (home / "cohort").resolve()
    assert not Path(cohort).is_absolute()
    assert "dvc repro" in done.stdout


def test_a_workspace_takes_other_values_for_params(tmp_path: Path) -> None:
    given = ("--set", "study.seed=7", "--set", "external.networks=[testresnet]")
    shown = ("--set", "report.networks_from=data/evaluate_external")
    done = eifer(ROOT, "workspace", str(tmp_path / "mine"), *given, *shown)
    assert done.returncode == 0, done.stderr
    params = yaml.safe_load((tmp_path / "mine/params.yaml").read_text())
    assert (params["study"]["seed"], params["external"]["networks"]) == (7, ["testresnet"])
    for word in ("study.seed", "=7", "study.seed=["):
        done = eifer(ROOT, "workspace", str(tmp_path / "other"), "--set", word)
        assert done.returncode == 1 and f"--set {word}: give NAME=VALUE" in done.stderr
    assert not (tmp_path / "other").exists()


def test_what_mlflow_could_not_be_shown_is_an_error(tmp_path: Path) -> None:
    nowhere = dict(os.environ) | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    nothing = eifer(tmp_path, "sync-tracking", env=nowhere)
    assert (nothing.returncode, nothing.stdout) == (0, "MLflow: 0 added, 0 there already\n")
    (tmp_path / "params.yaml").write_text("study: {name: demo}")
    (tmp_path / "data/train").mkdir(parents=True)
    (tmp_path / "data/train/repetitions.parquet").write_text("")
    other = eifer(tmp_path, "sync-tracking", "--only", "extract@1", env=nowhere)
    assert other.returncode == 0
    done = eifer(tmp_path, "sync-tracking", env=nowhere)
    assert done.returncode == 1
    assert "ConnectionError: no answer from http://127.0.0.1:9" in done.stderr


def test_curves_of_a_training_that_runs_are_printed(tmp_path: Path) -> None:
    import torch

    nothing = eifer(tmp_path, "curves")
    assert (nothing.returncode, "nothing is training here" in nothing.stdout) == (0, True)
    folder = tmp_path / "runs/checkpoints/pretrain_ei@arousal@High@1"
    folder.mkdir(parents=True)
    (folder / "repetition-2.pt").write_text("cut")
    rows = [{"epoch": 1, "train_loss": 0.75, "validation_macro_f1": 0.5}]
    torch.save({"curves": rows, "network": {}}, folder / "repetition-1.pt")
    done = eifer(tmp_path, "curves")
    assert done.returncode == 0
    assert "pretrain_ei@arousal@High@1 repetition-1" in done.stdout
    assert "0.7500" in done.stdout and "repetition-2" not in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["plan"],
        ["validate", "."],
        ["estimate", ".", "--params", "params.yaml"],
    ],
    ids=lambda words: words[0],
)
def test_what_knows_the_ei_study_alone_says_so_in_a_line(tmp_path: Path, words: list[str]) -> None:
    shutil.copy(ROOT / "presets/expressions.yaml", tmp_path / "params.yaml")
    (tmp_path / "data/report/tables").mkdir(parents=True)
    done = eifer(tmp_path, *words)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith(f"eifer {words[0]}: ") and "EI study" in line and "alone" in line
