"""Train, validation and test participants, test conditions, and the proof of disjointness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eifer import designs, likeness, partitions
from eifer.faces.stored import read_crops
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage

BARRED = """ {} of {} could not be tested, because one of their videos was missing or short of
    frames for a test condition. A video is short where face and rating disagree, so that those who
    could be tested are people whose faces follow their ratings (split.design.short_videos: record
    lets everybody be tested)."""


@stage(
    catalogue.SPLIT,
    params=("study.seed", "study.waves", "study.crop", "select", "split"),
    given=(
        catalogue.SELECTION,
        catalogue.OTHER_SELECTION,
        catalogue.AVAILABILITY,
        catalogue.CROPS,
        catalogue.EI_SCORES,
    ),
)
def split(run: Run) -> Outcome:
    """Divide the participants, label them, list each part's frames, and compare their pictures."""
    select, wanted = run.params.select, run.params.split
    chosen, scores = run.read(catalogue.SELECTION), run.read(catalogue.EI_SCORES)
    frames = partitions.by_task(chosen, task_frames=wanted.task_frames)
    offered = run.read(catalogue.AVAILABILITY)
    people, left_out = partitions.divide(
        frames, scores, offered, design=wanted.design, rotations=wanted.rotations, seed=run.seed()
    )
    assigned = designs.assign(wanted.assignments, people, scores, run.seed())
    others = run.read(catalogue.OTHER_SELECTION)
    unlabelled = partitions.every_sample(frames, others, people, task_frames=wanted.task_frames)
    samples = designs.samples(unlabelled, assigned, run.seed())
    conditions = partitions.conditions(
        frames, people, names=select.conditions, per_video=select.frames_per_video
    )
    stored, side = run.paths(catalogue.CROPS), run.params.study.crop.size_px
    looks = likeness.every_look(chosen, lambda v, items: read_crops(stored, [v], items, side))
    proofs = {}
    for name in wanted.rotations:
        own, trained, tested = (
            table[table["rotation"] == name] for table in (people, samples[designs.EI], conditions)
        )
        compared = likeness.compare(looks, own, wanted.likeness)
        proofs[name] = partitions.prove_disjoint(own, trained, tested, compared)
    made = {
        catalogue.PARTITIONS: people,
        catalogue.ASSIGNED: assigned,
        catalogue.SAMPLES: [(f"assignment-{name}", rows) for name, rows in samples.items()],
        catalogue.CONDITIONS: conditions,
        catalogue.DISJOINTNESS: proofs,
        catalogue.SPLIT_ATTRITION: catalogue.SPLIT_ATTRITION.table.frame(left_out),
    }
    barred = sum(row["what"] == partitions.TEST_PARTITION for row in left_out)
    return Outcome(made, _report(made, proofs, barred, wanted.assignments))


def _report(
    made: dict[Any, Any], proofs: dict[str, Any], barred: int, assignments: Sequence[str]
) -> Report:
    people, samples = made[catalogue.PARTITIONS], dict(made[catalogue.SAMPLES])["assignment-ei"]
    n, everybody = len(proofs), people["participant_id"].nunique()
    counts, tested = people["partition"].value_counts(), people.query("partition == 'test'")
    who = sorted(tested["participant_id"])
    items = made[catalogue.CONDITIONS].groupby(["task", "condition"]).size()
    numbers = {
        "rotations": n,
        "participants": counts.to_dict(),
        "test_participants": who,
        "barred_from_test": barred,
        "frames": samples["partition"].value_counts().to_dict(),
        "test_items": {" ".join(test): int(k) for test, k in items.items()},
        "disjoint": all(proof["disjoint"] for proof in proofs.values()),
    }
    divided = (
        f"In each of {n} rotations others were tested, nobody twice; the rest trained or validated"
    )
    sizes = f"{len(who)} of {everybody} participants were tested."
    if n == 1:
        divided = (
            "Participants were divided once into those to train on, to validate on and to test"
        )
        sizes = f"""{counts["train"]} participants were trained on, {counts["validation"]} validated
        on and {len(who)} tested ({", ".join(who)})."""
    beside = ", ".join(assignments[1:])
    return Report(
        f"""{divided}. Within a division nobody was in two parts, and no frame of a test
        participant was trained or validated on.
        {f"Beside the EI groups stood the assignments {beside}." * bool(beside)} The stored crops
        of every two parts were compared as pictures.""",
        numbers,
        f"""{sizes}{BARRED.format(barred, everybody) * bool(barred)} No two parts held the same
        picture, nor two videos that look the same.""",
    )


if __name__ == "__main__":
    split.main()
