"""A cohort on disk: valid, reproducible, and its truth told."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pandas as pd
import pytest

from eifer.cohort.simulation.cohort import Simulated, simulate_cohort
from eifer.cohort.simulation.people import CohortSpec
from eifer.errors import InputError
from eifer.tables.simulation import LATENT
from eifer.vocabulary import Domain, Planted


def _bytes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(plan: CohortSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Simulated]:
    out = tmp_path_factory.mktemp("cohort") / "cohort"
    return out, simulate_cohort(out, plan, seed=5)


def test_the_public_validator_finds_no_error(made: tuple[Path, Simulated]) -> None:
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("needs bids-validator-deno (a development package)")
    ran = subprocess.run(
        [str(validator), str(made[0]), "--format", "json"],
        capture_output=True,
        text=True,
        check=False,
    )
    report = json.loads(ran.stdout)
    errors = [i for i in report["issues"]["issues"] if i["severity"] == "error"]
    assert errors == []
    assert sorted(report["summary"]["subjects"]) == ["01", "02"]


def test_the_tables_say_what_the_layout_asks(made: tuple[Path, Simulated]) -> None:
    out, simulated = made
    participants = pd.read_csv(out / "participants.tsv", sep="\t", dtype=str)
    assert participants["participant_id"].tolist() == ["sub-01", "sub-02"]
    assert participants["wave"].tolist() == ["1", "2"]
    assert set(participants["sex"]) <= {"F", "M"}
    stimuli = pd.read_csv(out / "stimuli.tsv", sep="\t")
    assert stimuli["domain"].tolist() == [d.value for d in Domain]
    assert (stimuli["duration_s"] == 10).all()  # as long as the ECG, which StartTime 0 begins
    for who in simulated.truth["participants"]:
        beh = out / who["participant_id"] / "beh"
        items = pd.read_csv(beh / f"{who['participant_id']}_task-ei_beh.tsv", sep="\t")
        assert len(items) == 120 and items["correct"].sum() * 10 == who["ei_score"]
        shown = pd.read_csv(beh / f"{who['participant_id']}_task-elicitation_beh.tsv", sep="\t")
        assert shown["run"].tolist() == [1, 2, 3, 4]
        assert sorted(shown["stimulus_id"]) == sorted(stimuli["stimulus_id"])
        assert shown["arousal"].tolist() == [v["rating"]["arousal"] for v in who["videos"]]
        assert len(list(beh.glob("*_video.mp4"))) == len(list(beh.glob("*_physio.tsv.gz"))) == 4
    assert not list(out.rglob("*truth*"))


def test_the_truth_is_plain_json_and_agrees_with_the_frames(
    made: tuple[Path, Simulated], plan: CohortSpec
) -> None:
    _, simulated = made
    truth = json.loads(json.dumps(simulated.truth, allow_nan=False))
    assert truth["seed"] == 5
    assert truth["spec"]["expression"] == asdict(plan.expression)
    calm = plan.autonomic.response[Domain.LAHV]
    assert truth["spec"]["autonomic"]["response"]["LAHV"] == asdict(calm)
    latent = simulated.latent
    pd.testing.assert_frame_equal(latent, LATENT.conform(latent))
    assert len(latent) == 2 * 4 * 15
    assert latent["planted"].isin([p.value for p in Planted]).all()
    for who in truth["participants"]:
        for video in who["videos"]:
            own = latent[latent["video_id"] == video["video_id"]]
            assert video["frames"] == {
                p.value: int((own["planted"] == p.value).sum()) for p in Planted
            }


def test_same_seed_same_bytes_whatever_the_workers(
    made: tuple[Path, Simulated], plan: CohortSpec, tmp_path: Path
) -> None:
    again = simulate_cohort(tmp_path / "again", plan, seed=5, workers=2)
    assert _bytes(tmp_path / "again") == _bytes(made[0])
    assert again.truth == made[1].truth
    pd.testing.assert_frame_equal(again.latent, made[1].latent)


def test_another_seed_gives_other_people(
    made: tuple[Path, Simulated], plan: CohortSpec, tmp_path: Path
) -> None:
    other = simulate_cohort(tmp_path / "x", replace(plan, participants_per_wave=(1,)), seed=6)
    assert other.truth["participants"][0]["ability"] != made[1].truth["participants"][0]["ability"]


def test_one_more_participant_leaves_the_others_files_alone(
    made: tuple[Path, Simulated], plan: CohortSpec, tmp_path: Path
) -> None:
    larger = replace(plan, participants_per_wave=(1, 2))
    simulate_cohort(tmp_path / "larger", larger, seed=5)
    before, after = _bytes(made[0]), _bytes(tmp_path / "larger")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"participants.tsv"}
    assert {name.split("/")[0] for name in set(after) - set(before)} == {"sub-03"}


def test_a_folder_with_something_in_it_is_left_alone(plan: CohortSpec, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        simulate_cohort(tmp_path, plan, seed=5)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_a_plan_that_does_not_fit_together_is_refused(plan: CohortSpec) -> None:
    response = {d: r for d, r in plan.autonomic.response.items() if d is not Domain.LALV}
    with pytest.raises(ValueError, match="LALV"):
        replace(plan.autonomic, response=response)
    with pytest.raises(ValueError, match=r"1\.09"):
        replace(plan.events, no_face=0.95)
