"""Train, validation and test participants, test conditions, and the proof of disjointness."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer import likeness, partitions
from eifer.tables.attrition import ATTRITION
from eifer.tables.ei import EI_SCORES
from eifer.tables.partitions import AVAILABILITY, CONDITIONS, PARTITIONS, SAMPLES
from eifer.tables.selection import SELECTION
from stages._runtime.crops import IMAGES, read_crops
from stages._runtime.stage import Given, Made, Outcome, Report, Run, stage

CHOSEN = Given("data/select/wave-${study.waves}/selection.parquet", SELECTION)
AVAILABLE = Given("data/select/wave-${study.waves}/availability.parquet", AVAILABILITY)
GROUPS = Given("data/stratify/groups.parquet", EI_SCORES)
PEOPLE = Made("partitions.parquet", PARTITIONS)
TRAINING = Made("samples.parquet", SAMPLES)
TESTING = Made("conditions.parquet", CONDITIONS)
PROOF = Made("disjointness.json")
LEFT_OUT = Made("attrition.parquet", ATTRITION)


@stage(
    params=("study.seed", "study.waves", "study.crop", "select", "split"),
    given=(CHOSEN, AVAILABLE, IMAGES, GROUPS),
    made=(PEOPLE, TRAINING, TESTING, PROOF, LEFT_OUT),
)
def split(run: Run) -> Outcome:
    """Divide the participants once, list each part's frames, and compare their pictures."""
    select, wanted = run.params.select, run.params.split
    chosen = run.read(CHOSEN)
    frames = partitions.by_task(chosen, task_frames=wanted.task_frames)
    people, left_out = partitions.divide(
        frames,
        run.read(GROUPS),
        run.read(AVAILABLE),
        design=wanted.design,
        seed=run.seed(),
    )
    samples = partitions.samples(frames, people)
    conditions = partitions.conditions(
        frames, people, names=select.conditions, per_video=select.frames_per_video
    )
    # A video at a time, so that memory holds no more.
    looks = (
        likeness.looks(str(video), str(who), read_crops(run, [str(video)], items.tolist()))
        for (video, who), items in chosen.groupby(["video_id", "participant_id"])["item_id"]
    )
    compared = likeness.compare(looks, people, wanted.likeness)
    proof = partitions.prove_disjoint(people, samples, conditions, compared)
    return Outcome(
        {
            PEOPLE: people,
            TRAINING: samples,
            TESTING: conditions,
            PROOF: proof,
            LEFT_OUT: ATTRITION.frame(left_out),
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
