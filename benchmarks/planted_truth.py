"""By how much models learn more from High in the simulation: `python -m benchmarks.planted_truth`.

Many people are simulated. A study draws some of them to train on as the preset does (as many
people and frames, the same recipe) and others to test, of those whom `short_videos: bar` lets be
tested.
To be quick, faces are not filmed and detected: they are cut at the eyes that were drawn, and frames
with a planted event are left out. Estimates come from the demo's affect network, so that
`make demo` runs before. A folder of finished studies (runs/planted-truth) is gone on with;
each study is one process of one thread.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from eifer import partitions, selection
from eifer.affect.estimator import Estimator
from eifer.cohort import ratings
from eifer.cohort.simulation import face, people, recordings
from eifer.cohort.simulation.people import CohortSpec, Person
from eifer.cohort.simulation.reference import fingerprint
from eifer.faces.crops import CropSpec, aligned
from eifer.hashing import sha256_file
from eifer.models.repetitions import training_data
from eifer.models.scoring import Scorer
from eifer.models.training import train_repetition
from eifer.seeding import generator, sub_seed
from eifer.training.weights import State, load_weights
from eifer.vocabulary import Dimension, Group, Partition, Planted, video_id
from flows.graph import ROOT
from stages._runtime import pool
from stages.params import Params, load_params

Crops = NDArray[np.uint8]
GROUPS = (Group.HIGH, Group.LOW)
SEED = 20260302
TESTABLE, TESTED = 14, 12
"""People of each group who may be tested: drawn, and tested by each study. For a surer answer, not
those whom a study leaves out of training are tested, but more people like them."""


@dataclass(frozen=True)
class Sizes:
    """People of each group in a study: all, those left out of its trainings, those who validate."""

    cohort: int
    left_out: int
    validating: int

    @classmethod
    def of(cls, params: Params) -> Sizes:
        """Those of a preset, as `eifer.partitions.divide` has them."""
        planted, split = params.simulate.planted, params.split
        assert planted is not None
        cohort, rounds = sum(planted.participants_per_wave) // 2, len(split.rotations)
        share = split.design.validation_share
        if rounds > 1:
            return cls(
                cohort, cohort // rounds, max(1, round(share * (rounds - 1))) * cohort // rounds
            )
        left_out = split.design.test_per_group
        return cls(cohort, left_out, max(1, round(share * (cohort - left_out))))


def frames_of(spec: CohortSpec) -> int:
    return round(spec.video.seconds * spec.video.fps)


def expressed(
    spec: CohortSpec, someone: Person, viewing: people.Viewing, rng: np.random.Generator
) -> dict[Dimension, NDArray[np.float64]]:
    """What the face shows in each frame of a video; drawn first of all from its ``rng``."""
    levels = {d: someone.coupling * viewing.felt[d] for d in Dimension}
    return people.expressed(spec.expression, levels, frames_of(spec), spec.video.fps, rng)


def drawn(
    spec: CohortSpec, crop: CropSpec, someone: Person, seed: int
) -> tuple[pd.DataFrame, Crops]:
    """The frames of a person that show a plain face, and their crops."""
    who = someone.participant_id
    looks = face.identity(
        generator(seed, "cohort", who, "face"), female=someone.female, age_years=someone.age_years
    )
    rows, images = [], []
    fps, frames = spec.video.fps, frames_of(spec)
    unit = recordings.UNIT_SHARE * spec.video.height_px
    side = round(2.2 * unit)
    for viewing in someone.viewings:
        video = video_id(who, viewing.run)
        rng = generator(seed, "cohort", video, "video")
        shown = expressed(spec, someone, viewing, rng)
        planted = people.events(spec.events, frames, fps, rng)
        sitter = face.Portrait(looks, face.light(rng), unit)
        room = face.background(rng, side, side)
        move_x, move_y, roll, gaze = (
            people.wander(rng, frames, float(np.exp(-1 / (1.2 * fps)))) for _ in range(4)
        )
        for k in np.flatnonzero([what is Planted.FACE for what in planted]):
            act = face.action(
                looks,
                float(shown[Dimension.AROUSAL][k]),
                float(shown[Dimension.VALENCE][k]),
                lids=1.0,
                gaze_x=float(np.clip(0.35 * gaze[k], -1, 1)),
                gaze_y=0.0,
            )
            x, y = side / 2 + 0.07 * unit * move_x[k], 0.43 * side + 0.04 * unit * move_y[k]
            pose = face.Pose(x_px=x, y_px=y, unit_px=unit, roll_deg=2.2 * roll[k])
            picture = face.place(room, sitter.layer(act), sitter, pose)
            grain = rng.normal(0, spec.video.noise_levels, picture.shape)
            noisy = np.clip(picture + grain, 0, 255).astype(np.uint8)
            turn = np.exp(1j * np.radians(pose.roll_deg)) * unit * looks.eye_x
            eyes = np.array([[x - turn.real, y - turn.imag], [x + turn.real, y + turn.imag]])
            images.append(aligned(np.ascontiguousarray(noisy[..., ::-1]), eyes, crop))
            rows.append({"video_id": video, "participant_id": who, "frame": int(k)})
    return pd.DataFrame(rows), np.stack(images)


def shown(spec: CohortSpec, someone: Person, seed: int) -> pd.DataFrame:
    """What the face shows in each frame, in the place of estimates: nothing is drawn."""
    tables = []
    for viewing in someone.viewings:
        video = video_id(someone.participant_id, viewing.run)
        rng = generator(seed, "cohort", video, "video")
        values = {str(d): v for d, v in expressed(spec, someone, viewing, rng).items()}
        place = {"video_id": video, "participant_id": someone.participant_id}
        tables.append(pd.DataFrame({**values, "frame": np.arange(frames_of(spec))}).assign(**place))
    return pd.concat(tables, ignore_index=True)


def rated(someone: Person) -> pd.DataFrame:
    """The labels of a person's videos."""
    rows = [
        {
            "participant_id": someone.participant_id,
            "video_id": video_id(someone.participant_id, viewing.run),
            "domain": viewing.domain.value,
            **{f"{d}_rating": viewing.rating[d] for d in Dimension},
        }
        for viewing in someone.viewings
    ]
    return ratings.labelled(pd.DataFrame(rows))


class Simulated:
    """The demo's params and affect network, and the people who are drawn for them."""

    def __init__(self, params: Params, affect: Path) -> None:
        self.params = params
        self.affect = load_weights(affect, sha256_file(affect))
        self.network = params.affect.network(params.study.crop.size_px)
        self.estimator = Estimator(self.affect, self.network, batch=params.arithmetic.batch)

    def people(self, anybody: int, testable: int, seed: int) -> tuple[pd.DataFrame, Crops]:
        """As many High as Low: selected frames, a row a task; ``crop`` numbers the crops beside.

        Of each group first ``anybody``, then as many as may be tested (``testable``); the column
        ``wanted`` tells them apart.
        """
        spec = self.params.simulate.planted
        assert spec is not None
        tables, images, stored = [], [], 0
        for group in GROUPS:
            every = (people.person(spec, number, seed) for number in count(1))
            own = (one for one in every if (one.ei_score > spec.ei.mean) == (group is Group.HIGH))
            left = {"anybody": anybody, "testable": testable}
            while any(left.values()):
                someone, wanted = next(own), "anybody" if left["anybody"] else "testable"
                # Who will hardly be testable need not be drawn.
                likely = self.may_be_tested(someone, shown(spec, someone, seed))
                if wanted == "testable" and not likely:
                    continue
                estimates, crops = drawn(spec, self.params.study.crop, someone, seed)
                estimates[list(map(str, Dimension))] = self.estimator.estimate(crops)
                may = self.may_be_tested(someone, estimates)
                if wanted == "testable" and not may:
                    continue
                left[wanted] -= 1
                rows = self.selected(someone, estimates)
                rows["crop"] += stored
                tables.append(rows.assign(group=str(group), testable=may, wanted=wanted))
                images.append(crops)
                stored += len(crops)
        return pd.concat(tables, ignore_index=True), np.concatenate(images)

    def may_be_tested(self, someone: Person, estimates: pd.DataFrame) -> bool:
        """Whether every video has the frames that each sampled condition asks for."""
        _, offered = partitions.candidates(
            estimates,
            rated(someone),
            names=self.params.select.conditions,
            per_video=self.params.select.frames_per_video,
        )
        return bool((offered["available"] >= offered["asked"]).all())

    def selected(self, someone: Person, estimates: pd.DataFrame) -> pd.DataFrame:
        """What the stages intake, select and split make of a person's estimates."""
        labels = rated(someone)
        ranked, _ = selection.select(estimates, labels, top=self.params.select.top)
        nothing = pd.DataFrame(columns=["video_id", "frame", "task", "condition", "rank"])
        rows = partitions.by_task(
            selection.merge(estimates, labels, ranked, nothing),
            task_frames=self.params.split.task_frames,
        )
        where = estimates[["video_id", "frame"]].assign(crop=np.arange(len(estimates)))
        return rows[rows["selected"]].merge(where, on=["video_id", "frame"])

    def trained(self, rows: pd.DataFrame, crops: Crops, start: State, seed: int) -> State:
        """Weights learnt from ``rows``, of which those marked ``validates`` choose the epoch."""
        rows = rows.sort_values("item_id", ignore_index=True)
        part = np.where(rows["validates"], Partition.VALIDATION, Partition.TRAIN)
        data = training_data(rows.assign(partition=part), crops[rows["crop"]])
        training = self.params.training
        return train_repetition(
            data, start, self.network, training.recipe, seed=seed, heads=training.heads
        ).state

    def scores(self, state: State, rows: pd.DataFrame, crops: Crops) -> NDArray[np.float32]:
        """What the classifier of weights ``state`` says to ``rows``."""
        return Scorer(state, self.network)(crops[rows["crop"]])


def study(
    made: Simulated, number: int, pool: tuple[pd.DataFrame, Crops], *, fine_tuned: bool
) -> pd.DataFrame:
    """Train on some people of ``pool``; ROC-AUC of every model within others of both classes."""
    rng = generator(SEED, "study", number)
    everybody, crops = pool
    sizes = Sizes.of(made.params)
    learning, asking = [], []
    for _, own in everybody.groupby("group"):
        able = own.loc[own["wanted"] == "testable", "participant_id"].unique()
        asking += rng.permutation(able)[:TESTED].tolist()
        learning += learners(own[own["wanted"] == "anybody"], rng, sizes)
    learnt = everybody[everybody["participant_id"].isin(learning)]
    learnt = with_validation(learnt, sizes.validating)
    asked = everybody[everybody["participant_id"].isin(asking)]
    answers = []
    for task in Dimension:
        of_task, test = learnt[learnt["task"] == task], asked[asked["task"] == task]
        for group in GROUPS:
            seed = sub_seed(SEED, "training", task, number)
            own = of_task[of_task["group"] == group]
            state = made.trained(own, crops, made.affect, seed)
            scored = test.assign(learnt_from=str(group))
            answers.append(
                scored.assign(models="pretrained", score=made.scores(state, test, crops))
            )
            if fine_tuned:
                state = made.trained(of_task, crops, state, sub_seed(seed, "everybody"))
                score = made.scores(state, test, crops)
                answers.append(scored.assign(models="fine-tuned", score=score))
    keys = ["models", "task", "participant_id", "group", "learnt_from"]
    aucs = [
        (*key, roc_auc_score(part["label"], part["score"]))
        for key, part in pd.concat(answers).groupby(keys)
        if part["label"].nunique() == 2
    ]
    return pd.DataFrame(aucs, columns=[*keys, "auc"]).assign(study=number)


def learners(own: pd.DataFrame, rng: np.random.Generator, sizes: Sizes) -> list[str]:
    """A cohort of one group without those who would be tested; drawn anew where too few could."""
    able = set(own.loc[own["testable"], "participant_id"])
    while True:
        drawn_ids = rng.permutation(own["participant_id"].unique())[: sizes.cohort].tolist()
        out = [one for one in drawn_ids if one in able][: sizes.left_out]
        if len(out) == sizes.left_out:
            return [one for one in drawn_ids if one not in out]


def with_validation(rows: pd.DataFrame, people: int) -> pd.DataFrame:
    """``validates``: of each group some people, who must show both classes of both tasks."""
    classes = rows.groupby(["group", "participant_id", "task"])["label"].nunique()
    both = classes.groupby(["group", "participant_id"]).min() == 2
    first = both[both].reset_index().groupby("group")["participant_id"].head(people)
    return rows.assign(validates=rows["participant_id"].isin(first))


def summary(studies: pd.DataFrame) -> pd.DataFrame:
    """High less Low by ``models`` and ``task``: value, standard error, what is behind it.

    Studies and people are both samples, so that the variances of both means add up.
    """
    keys = ["models", "task", "study", "group", "participant_id"]
    wide = studies.pivot(index=keys, columns="learnt_from", values="auc").reset_index()
    wide["difference"] = wide["High"] - wide["Low"]
    rows = []
    for (models, task), part in wide.groupby(["models", "task"]):
        # As many High as Low, also where one group more often shows a single class.
        of_study = part.groupby(["study", "group"])["difference"].mean().groupby("study").mean()
        of_person = part.groupby(["group", "participant_id"])["difference"].mean()
        spread = of_person.groupby("group").var() / of_person.groupby("group").size()
        rows.append(
            {
                "models": models,
                "task": task,
                "value": of_study.mean(),
                "se": float(np.sqrt(of_study.var() / len(of_study) + spread.sum() / 4)),
                "auc_high": part["High"].mean(),
                "auc_low": part["Low"].mean(),
                "studies": len(of_study),
                "people": len(of_person),
            }
        )
    return pd.DataFrame(rows)


@cache
def _drawn(params: Path, affect: Path, effect: float | None) -> tuple[Simulated, Any]:
    """What all studies of a process share."""
    made = Simulated(with_effect(load_params(params), effect), affect)
    anybody = 3 * Sizes.of(made.params).cohort
    return made, made.people(anybody, TESTABLE, sub_seed(SEED, "pool"))


def with_effect(params: Params, effect: float | None) -> Params:
    """The params, with another effect than theirs if one is given."""
    planted = params.simulate.planted
    assert planted is not None
    planted = replace(planted, effect=planted.effect if effect is None else effect)
    simulate = params.simulate.model_copy(update={"planted": planted})
    return params.model_copy(update={"simulate": simulate})


def finish(number: int, *, drawn: tuple[Any, ...], folder: Path, fine_tuned: int) -> None:
    """Do one study, and leave its table."""
    made, pool = _drawn(*drawn)
    found = study(made, number, pool, fine_tuned=number <= fine_tuned)
    found.to_parquet(folder / f"study-{number:03d}.parquet")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--preset", default="demo", help="whose numbers of people, and what is planted"
    )
    parser.add_argument("--effect", type=float, default=None, help="another than the preset's")
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument("--fine-tuned", type=int, default=6, help="studies that also fine-tune")
    parser.add_argument("--affect", type=Path, default=ROOT / "data/affect/weights.safetensors")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    preset = ROOT / f"presets/{arguments.preset}.yaml"
    params = with_effect(load_params(preset), arguments.effect)
    planted, sizes = params.simulate.planted, Sizes.of(params)
    assert planted is not None
    name = "-".join(map(str, (fingerprint(planted), *vars(sizes).values())))
    folder = ROOT / "runs/planted-truth" / name
    folder.mkdir(parents=True, exist_ok=True)
    drawn = (preset, arguments.affect, arguments.effect)
    work = partial(finish, drawn=drawn, folder=folder, fine_tuned=arguments.fine_tuned)
    numbers = range(1, arguments.studies + 1)
    left = [n for n in numbers if not (folder / f"study-{n:03d}.parquet").exists()]
    list(pool.each(work, left, workers=arguments.processes, label="studies"))
    found = summary(pd.concat(map(pd.read_parquet, sorted(folder.glob("*.parquet")))))
    print(found.round(4).to_string(index=False))
    print(f"\n    reference:\n      settings: {fingerprint(planted)}\n      differences:")
    for row in found.itertuples():
        print(
            f"        - {{models: {row.models}, task: {row.task}, "
            f"value: {row.value:.3f}, se: {row.se:.3f}}}"
        )


if __name__ == "__main__":
    main()
