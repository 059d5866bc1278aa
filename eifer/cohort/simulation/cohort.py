"""A whole made-up cohort on disk, in the layout of a real one, and its planted truth."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eifer.cohort.place import make_empty
from eifer.cohort.simulation import face, people, recordings
from eifer.cohort.simulation.people import CohortSpec, Person, Viewing
from eifer.cohort.simulation.processes import Processes
from eifer.cohort.simulation.reference import true_differences
from eifer.seeding import generator
from eifer.tables.simulation import LATENT
from eifer.vocabulary import Dimension, Domain, EiIndex, Planted, video_id

BIDS_VERSION = "1.11.1"
ECG_COLUMN = "cardiac"


@dataclass(frozen=True)
class Simulated:
    """What was planted: ``truth`` as JSON can hold it, ``latent`` as the table LATENT."""

    truth: dict[str, Any]
    latent: pd.DataFrame


def simulate_cohort(
    out: Path,
    spec: CohortSpec,
    *,
    seed: int,
    workers: int = 1,
) -> Simulated:
    """Write a cohort into the folder ``out`` and return what was planted in it.

    A participant depends on ``seed`` and the participant's number only: one more
    leaves everybody else's files as they were. ``workers`` processes never change
    a byte.

    Raises
    ------
    InputError
        If ``out`` holds something already.
    """
    out = Path(out)
    make_empty(out, "simulate")
    waves = [str(w) for w, n in enumerate(spec.participants_per_wave, 1) for _ in range(n)]
    tasks = [(out, spec, number, seed) for number in range(1, len(waves) + 1)]
    with Processes(workers, len(tasks)) as processes:
        done = list(processes.map(_participant, tasks))
    everybody = [truth | {"wave": wave} for (truth, _), wave in zip(done, waves, strict=True)]
    _write_cohort_files(out, spec, everybody)
    return Simulated(
        truth={
            "seed": seed,
            "spec": asdict(spec),
            "auc_differences": true_differences(spec),
            "participants": everybody,
        },
        latent=LATENT.conform(pd.concat([latent for _, latent in done], ignore_index=True)),
    )


def _participant(task: tuple[Path, CohortSpec, int, int]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Write one participant's folder; the planted values and frames."""
    out, spec, number, seed = task
    someone = people.person(spec, number, seed)
    folder = out / someone.participant_id / "beh"
    folder.mkdir(parents=True)
    stem = f"{folder / someone.participant_id}_task-"
    _write_table(Path(f"{stem}ei_beh.tsv"), someone.items)
    _write_table(
        Path(f"{stem}elicitation_beh.tsv"),
        pd.DataFrame(
            {
                "run": [v.run for v in someone.viewings],
                "stimulus_id": [stimulus(v.domain) for v in someone.viewings],
                "arousal": [v.rating[Dimension.AROUSAL] for v in someone.viewings],
                "valence": [v.rating[Dimension.VALENCE] for v in someone.viewings],
            }
        ),
    )
    looks = _looks(someone.participant_id, seed, female=someone.female, age=someone.age_years)
    videos, latents = [], []
    for viewing in someone.viewings:
        path = f"{stem}elicitation_run-{viewing.run}"
        latent = _film(Path(f"{path}_video.mp4"), spec, someone, viewing, looks=looks, seed=seed)
        heart = _heart(Path(f"{path}_recording-ecg_physio.tsv.gz"), spec, someone, viewing, seed)
        latents.append(latent)
        planted = latent["planted"].value_counts()
        videos.append(
            {
                "video_id": video_id(someone.participant_id, viewing.run),
                "domain": viewing.domain.value,
                "felt": {d.value: round(v, 6) for d, v in viewing.felt.items()},
                "rating": {d.value: v for d, v in viewing.rating.items()},
                "heart": heart,
                "frames": {what.value: int(planted.get(what.value, 0)) for what in Planted},
            }
        )
    truth = {
        "participant_id": someone.participant_id,
        "sex": "F" if someone.female else "M",
        "age_years": someone.age_years,
        **people.latent_values(someone),
        "videos": videos,
    }
    return truth, pd.concat(latents, ignore_index=True)


def _looks(who: str, seed: int, *, female: bool, age: float) -> face.Identity:
    return face.identity(generator(seed, "cohort", who, "face"), female=female, age_years=age)


def _film(
    path: Path,
    spec: CohortSpec,
    someone: Person,
    viewing: Viewing,
    *,
    looks: face.Identity,
    seed: int,
) -> pd.DataFrame:
    video = video_id(someone.participant_id, viewing.run)
    rng = generator(seed, "cohort", video, "video")
    fps = spec.video.fps
    frames = max(1, round(spec.video.seconds * fps))
    levels = {d: someone.coupling * viewing.felt[d] for d in Dimension}
    shown = {
        d: values.round(6)
        for d, values in people.expressed(spec.expression, levels, frames, fps, rng).items()
    }
    planted = people.events(spec.events, frames, fps, rng)
    other = _looks(video, seed, female=bool(rng.random() < 0.5), age=float(rng.uniform(18, 70)))
    pictures = recordings.film(
        looks,
        other,
        arousal=shown[Dimension.AROUSAL],
        valence=shown[Dimension.VALENCE],
        planted=planted,
        spec=spec.video,
        rng=rng,
    )
    recordings.write_video(path, pictures, spec.video)
    return pd.DataFrame(
        {
            "video_id": video,
            "participant_id": someone.participant_id,
            "frame": np.arange(frames),
            "arousal": shown[Dimension.AROUSAL],
            "valence": shown[Dimension.VALENCE],
            "planted": [what.value for what in planted],
        }
    )


def _heart(
    path: Path, spec: CohortSpec, someone: Person, viewing: Viewing, seed: int
) -> dict[str, float]:
    rng = generator(seed, "cohort", video_id(someone.participant_id, viewing.run), "ecg")
    seconds = spec.ecg.seconds
    times = recordings.beats(
        seconds,
        rate_bpm=viewing.rate_bpm,
        vagal_ms=viewing.vagal_ms,
        slow_ms=viewing.slow_ms,
        breaths_hz=someone.breaths_hz,
        rng=rng,
    )
    signal = recordings.ecg(
        times,
        seconds=seconds,
        hz=spec.ecg.hz,
        noise_mv=spec.ecg.noise_mv,
        breaths_hz=someone.breaths_hz,
        rng=rng,
    )
    recordings.write_ecg(path, signal)
    intervals = np.diff(times[(times >= 0) & (times < seconds)]) * 1000
    return {
        "rate_bpm": round(viewing.rate_bpm, 4),
        "vagal_ms": round(viewing.vagal_ms, 4),
        "slow_ms": round(viewing.slow_ms, 4),
        # What came of these in the beats that were drawn.
        "mean_nn_ms": round(float(intervals.mean()), 4),
        "rmssd_ms": round(float(np.sqrt(np.mean(np.diff(intervals) ** 2))), 4),
    }


def stimulus(domain: Domain) -> str:
    """Name the one stimulus of ``domain``."""
    return domain.value.lower()


def _write_cohort_files(out: Path, spec: CohortSpec, everybody: list[dict[str, Any]]) -> None:
    (out / ".bidsignore").write_text("*_video.*\nstimuli.tsv\nstimuli.json\n")
    (out / "README").write_text(
        "Nobody in this cohort exists. Faces are drawn, ECGs are computed, and ratings and\n"
        "answers follow from made-up latent people. What was planted is in truth.json, which\n"
        "eifer keeps beside this folder and not in it.\n"
    )
    _write_table(
        out / "participants.tsv",
        pd.DataFrame(everybody, columns=["participant_id", "age_years", "sex", "wave"]).rename(
            columns={"age_years": "age"}
        ),
    )
    _write_table(
        out / "stimuli.tsv",
        pd.DataFrame(
            {
                "stimulus_id": [stimulus(d) for d in Domain],
                "domain": [d.value for d in Domain],
                # The face video shows the film's beginning: drawing all of it takes hours.
                "duration_s": spec.ecg.seconds,
            }
        ),
    )
    for name, content in _described(spec).items():
        (out / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def _described(spec: CohortSpec) -> dict[str, dict[str, Any]]:
    """What stands in each JSON file of the cohort, by its name."""
    return {
        "dataset_description": {
            "Name": "A simulated cohort: drawn faces, made-up hearts, planted effects",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["eifer simulate"],
        },
        "participants": {
            "age": {"Description": "age at the recording", "Units": "years"},
            "sex": {
                "Description": "sex",
                "Levels": {"F": "female", "M": "male", "n/a": "not recorded"},
            },
            "wave": {"Description": "recruitment wave"},
        },
        "stimuli": {
            "domain": {
                "Description": "what the video was made to elicit",
                "Levels": {d.value: _in_words(d) for d in Domain},
            },
            "duration_s": {"Description": "length of the film", "Units": "s"},
        },
        "task-ei_beh": {
            "TaskName": "ei",
            "index": {
                "Description": "what the item tests",
                "Levels": {i.value: i.value.replace("_", " ") for i in EiIndex},
            },
            "category": {"Description": "emotion category, 1-4"},
            "stimulus": {"Description": "item of the category, 1-10"},
            "correct": {"Description": "1 correct (10 points), 0 not"},
        },
        "task-elicitation_beh": {
            "TaskName": "elicitation",
            "run": {"Description": "order of presentation"},
            "stimulus_id": {"Description": "row of stimuli.tsv"},
            "arousal": {"Description": "self-rating, 1 (calm) to 7 (excited), 4 neutral"},
            "valence": {"Description": "self-rating, 1 (unpleasant) to 7 (pleasant), 4 neutral"},
        },
        "task-elicitation_recording-ecg_physio": {
            "TaskName": "elicitation",
            "SamplingFrequency": spec.ecg.hz,
            "StartTime": 0,
            "Columns": [ECG_COLUMN],
            ECG_COLUMN: {"Description": "ECG, lead I", "Units": "mV"},
        },
    }


def _in_words(domain: Domain) -> str:
    levels = ["high" if domain.label(d) else "low" for d in Dimension]
    return f"{levels[0]} arousal, {levels[1]} valence"


def _write_table(path: Path, table: pd.DataFrame) -> None:
    table.to_csv(path, sep="\t", index=False, na_rep="n/a", lineterminator="\n")
