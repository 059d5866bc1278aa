"""Train, validation and test participants, test conditions, and the proof of disjointness."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer import likeness, partitions
from eifer.faces.stored import read_crops
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage


@stage(
    catalogue.SPLIT,
    params=("study.seed", "study.waves", "study.crop", "select", "split"),
    given=(catalogue.SELECTION, catalogue.AVAILABILITY, catalogue.CROPS, catalogue.EI_SCORES),
)
def split(run: Run) -> Outcome:
    """Divide the participants once, list each part's frames, and compare their pictures."""
    select, wanted = run.params.select, run.params.split
    chosen = run.read(catalogue.SELECTION)
    frames = partitions.by_task(chosen, task_frames=wanted.task_frames)
    people, left_out = partitions.divide(
        frames,
        run.read(catalogue.EI_SCORES),
        run.read(catalogue.AVAILABILITY),
        design=wanted.design,
        seed=run.seed(),
    )
    samples = partitions.samples(frames, people)
    conditions = partitions.conditions(
        frames, people, names=select.conditions, per_video=select.frames_per_video
    )
    # A video at a time, so that memory holds no more.
    stored, side = run.paths(catalogue.CROPS), run.params.study.crop.size_px
    looks = (
        likeness.looks(str(video), str(who), read_crops(stored, [str(video)], items.tolist(), side))
        for (video, who), items in chosen.groupby(["video_id", "participant_id"])["item_id"]
    )
    compared = likeness.compare(looks, people, wanted.likeness)
    proof = partitions.prove_disjoint(people, samples, conditions, compared)
    return Outcome(
        {
            catalogue.PARTITIONS: people,
            catalogue.SAMPLES: samples,
            catalogue.CONDITIONS: conditions,
            catalogue.DISJOINTNESS: proof,
            catalogue.SPLIT_ATTRITION: catalogue.SPLIT_ATTRITION.table.frame(left_out),
        },
        _report(people, samples, conditions, proof),
    )


def _report(
    people: pd.DataFrame, samples: pd.DataFrame, conditions: pd.DataFrame, proof: dict[str, Any]
) -> Report:
    sizes = {str(part): int(n) for part, n in people["partition"].value_counts().items()}
    tested = sorted(people.loc[people["partition"] == "test", "participant_id"])
    frames = {str(part): int(n) for part, n in samples["partition"].value_counts().items()}
    items = (conditions["task"] + " " + conditions["condition"]).value_counts()
    numbers = {
        "participants": sizes,
        "test_participants": tested,
        "frames": frames,
        "test_items": {str(name): int(n) for name, n in items.items()},
        "disjoint": proof["disjoint"],
    }
    return Report(
        f"""{sizes["train"]} participants train, {sizes["validation"]} validate and {sizes["test"]}
        test ({", ".join(tested)}); nobody is in two parts, and no frame of a test participant is
        trained or validated on. The stored crops of each two parts were compared: none are the
        same picture, nor do two videos look the same.""",
        numbers,
    )


if __name__ == "__main__":
    split.main()
