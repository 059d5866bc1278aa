"""Train, validation and test participants, test conditions, and the proof of disjointness."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer import designs, likeness, partitions
from eifer.faces.stored import read_crops
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage

BARRED = """ Nobody is tested one of whose videos is missing or short of frames for a condition. A
    video is short where face and rating disagree, so that those tested are people whose faces
    follow their ratings (short_videos: record tests everybody)."""


@stage(
    catalogue.SPLIT,
    params=("study.seed", "study.waves", "study.crop", "select", "split"),
    given=(catalogue.SELECTION, catalogue.AVAILABILITY, catalogue.CROPS, catalogue.EI_SCORES),
)
def split(run: Run) -> Outcome:
    """Divide the participants, label them, list each part's frames, and compare their pictures."""
    select, wanted = run.params.select, run.params.split
    chosen, scores = run.read(catalogue.SELECTION), run.read(catalogue.EI_SCORES)
    frames = partitions.by_task(chosen, task_frames=wanted.task_frames)
    people, left_out = partitions.divide(
        frames,
        scores,
        run.read(catalogue.AVAILABILITY),
        design=wanted.design,
        rotations=wanted.rotations,
        seed=run.seed(),
    )
    assigned = designs.assign(wanted.assignments, people, scores, run.seed())
    unlabelled = partitions.samples(frames, people)
    samples = {
        name: designs.label(unlabelled, assigned, name, run.seed()) for name in wanted.assignments
    }
    conditions = partitions.conditions(
        frames, people, names=select.conditions, per_video=select.frames_per_video
    )
    # A video at a time, so that memory holds no more.
    stored, side = run.paths(catalogue.CROPS), run.params.study.crop.size_px
    looks = [
        likeness.looks(str(video), str(who), read_crops(stored, [str(video)], items.tolist(), side))
        for (video, who), items in chosen.groupby(["video_id", "participant_id"])["item_id"]
    ]
    proofs = {}
    for name in wanted.rotations:
        own, trained, tested = (
            table[table["rotation"] == name] for table in (people, samples[designs.EI], conditions)
        )
        compared = likeness.compare(looks, own, wanted.likeness)
        proofs[name] = partitions.prove_disjoint(own, trained, tested, compared)
    return Outcome(
        {
            catalogue.PARTITIONS: people,
            catalogue.ASSIGNED: assigned,
            catalogue.SAMPLES: [(f"assignment-{name}", rows) for name, rows in samples.items()],
            catalogue.CONDITIONS: conditions,
            catalogue.DISJOINTNESS: proofs,
            catalogue.SPLIT_ATTRITION: catalogue.SPLIT_ATTRITION.table.frame(left_out),
        },
        _report(people, samples[designs.EI], conditions, proofs, wanted),
    )


def _report(
    people: pd.DataFrame,
    samples: pd.DataFrame,
    conditions: pd.DataFrame,
    proofs: dict[str, Any],
    wanted: Any,
) -> Report:
    n, everybody = len(proofs), people["participant_id"].nunique()
    sizes = {str(part): int(k) for part, k in people["partition"].value_counts().items()}
    tested = sorted(people.loc[people["partition"] == "test", "participant_id"])
    frames = {str(part): int(k) for part, k in samples["partition"].value_counts().items()}
    items = (conditions["task"] + " " + conditions["condition"]).value_counts()
    numbers = {
        "rotations": n,
        "assignments": list(wanted.assignments),
        "participants": sizes,
        "test_participants": tested,
        "frames": frames,
        "test_items": {str(name): int(k) for name, k in items.items()},
        "disjoint": all(proof["disjoint"] for proof in proofs.values()),
    }
    divided = (
        f"""{sizes["train"]} participants train, {sizes["validation"]} validate and {sizes["test"]}
        test ({", ".join(tested)})"""
        if n == 1
        else f"""{len(tested)} of {everybody} participants are tested once each, in {n} rotations;
        in each rotation the others train or validate"""
    )
    barred = "" if wanted.design.short_videos == "record" else BARRED
    beside = [name for name in wanted.assignments if name != designs.EI]
    labels = f" Beside the EI groups stand the assignments {', '.join(beside)}." * bool(beside)
    return Report(
        f"""{divided}; nobody is in two parts, and no frame of a test participant is
        trained or validated on.{barred}{labels} The stored crops of each two parts were compared:
        none are the same picture, nor do two videos look the same.""",
        numbers,
    )


if __name__ == "__main__":
    split.main()
