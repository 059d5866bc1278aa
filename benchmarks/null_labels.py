"""Whether random labels tell a planted effect from none: `python -m benchmarks.null_labels`.

Each cohort is drawn as in `benchmarks.planted_truth`, with a seed of its own, once with an effect
and once with effect 0. High and Low models of one task are trained on the EI groups and on random
labels of the same people (`eifer.designs`), and tested on others; the place of the EI groups'
difference among those of the random labels gives p. Each cohort is one process of one thread: its
networks are so small that several threads wait for each other. A folder of finished cohorts
(runs/null-labels) is gone on with.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.planted_truth import GROUPS, Simulated
from eifer import designs
from eifer.comparison.participants import among_nulls
from eifer.seeding import generator, sub_seed
from eifer.tables.partitions import CLASS_COLUMNS
from eifer.vocabulary import Dimension, Group, Partition
from flows.graph import ROOT
from stages._runtime import pool
from stages.params import Params, load_params

LEARN, TESTED, NULLS = 20, 6, 19
"""People of each group who train (one of them validates), and who are tested; random labels.

With 12 who train, random groups had a majority of reversed people by luck in 2 of 7 cohorts.
"""
TOP, PER_VIDEO, FPS, BATCH = 6, 2, 5, 16
"""Frames of a video and dimension, of a condition, and of a second; batch: less than the demo's."""


RATINGS: dict[str, Any] = {
    "noise": 0.1,
    "neutral": 0.02,
    "reversed": {Dimension.AROUSAL: 0.3, Dimension.VALENCE: 0.0},
    "reversed_shift": -8.0,
}
"""Stronger than the demo's: 3 of 4 people of low EI reverse the scale of arousal, few others."""


def small(params: Params, effect: float) -> Params:
    """The demo with these choices, an effect, and trainings that take seconds."""
    planted = params.simulate.planted
    assert planted is not None
    planted = replace(
        planted,
        effect=effect,
        ratings=replace(planted.ratings, **RATINGS),
        video=replace(planted.video, fps=FPS),
    )
    recipe = params.training.recipe
    first = replace(recipe.first, epochs=1, warmup_epochs=0)
    second = replace(recipe.second, epochs=1, warmup_epochs=0)
    recipe = replace(recipe, first=first, second=second, batch=BATCH)
    parts: dict[str, Any] = {
        "simulate": {"planted": planted},
        "select": {"top": TOP, "frames_per_video": PER_VIDEO},
        "training": {"recipe": recipe},
    }
    changed = {n: getattr(params, n).model_copy(update=values) for n, values in parts.items()}
    return params.model_copy(update=changed)


def partitions_of(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table PARTITIONS, of what `eifer.designs` reads: one rotation."""
    rng = generator(seed, "partitions")
    tables = []
    for group, part in rows.groupby("group"):
        counts = part.groupby(["participant_id", "task", "label"]).size().unstack(["task", "label"])
        counts = counts.reindex(columns=pd.MultiIndex.from_product([list(Dimension), [0, 1]]))
        counts = counts.fillna(0).set_axis(CLASS_COLUMNS, axis=1)
        # Who validates must show both classes of both tasks.
        lacks = (counts == 0).any(axis=1).to_numpy()
        tested = counts.index.isin(part.loc[part["wanted"] == "testable", "participant_id"])
        order = sorted(rng.permutation(len(counts)), key=lambda k: (tested[k], bool(lacks[k])))
        of_rank = [Partition.VALIDATION, *[Partition.TRAIN] * (LEARN - 1)]
        of_rank += [Partition.TEST] * TESTED
        tables.append(
            counts.iloc[order].reset_index().assign(partition=of_rank, group=group, rotation="1")
        )
    return pd.concat(tables, ignore_index=True)


def cohort(made: Simulated, seed: int, task: Dimension) -> pd.DataFrame:
    """The mean difference over people tested, in each assignment."""
    rows, crops = made.people(LEARN, TESTED, sub_seed(seed, "people"))
    rows = rows.drop(columns="partition", errors="ignore")
    people = partitions_of(rows, seed)
    names = [designs.EI, *(f"null{k:02d}" for k in range(1, NULLS + 1))]
    scores = people[["participant_id"]].assign(ei_score=0)
    assigned = designs.assign(names, people, scores, seed)
    own = rows[rows["task"] == task].merge(people[["participant_id", "partition"]])
    test = own[own["partition"] == Partition.TEST]
    found = []
    for name, labels in assigned.groupby("assignment"):
        group = own["participant_id"].map(labels.set_index("participant_id")["group"])
        auc = {}
        for side in GROUPS:
            learnt = own[(group == side) & (own["partition"] != Partition.TEST)]
            validates = learnt["partition"] == Partition.VALIDATION
            state = made.trained(
                learnt.assign(validates=validates), crops, made.affect, sub_seed(seed, "training")
            )
            scored = test.assign(score=made.scores(state, test, crops))
            auc[side] = pd.Series(
                {
                    who: roc_auc_score(part["label"], part["score"])
                    for who, part in scored.groupby("participant_id")
                    if part["label"].nunique() == 2
                }
            )
        delta = (auc[Group.HIGH] - auc[Group.LOW]).mean()
        found.append({"assignment": name, "delta": float(delta), "people": len(auc[Group.HIGH])})
    return pd.DataFrame(found)


def finish(wanted: tuple[float, int, Path], *, task: Dimension, affect: Path) -> str:
    """Run the cohort of an effect and a seed, and leave its table at a path."""
    effect, seed, path = wanted
    started = time.monotonic()
    made = Simulated(small(load_params(ROOT / "presets/demo.yaml"), effect), affect)
    cohort(made, seed, task).to_parquet(path)
    return f"{path.stem}: {time.monotonic() - started:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cohorts", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="seed of the first cohort")
    parser.add_argument("--task", type=Dimension, default=Dimension.AROUSAL)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--affect", type=Path, default=ROOT / "data/affect/weights.safetensors")
    arguments = parser.parse_args()
    folder = ROOT / "runs/null-labels"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [
        (effect, seed, folder / f"{arguments.task}_effect-{effect:g}_seed-{seed:02d}.parquet")
        for effect in (1.0, 0.0)
        for seed in range(arguments.first, arguments.first + arguments.cohorts)
    ]
    missing = [one for one in wanted if not one[-1].exists()]
    work = partial(finish, task=arguments.task, affect=arguments.affect)
    for said in pool.each(work, missing, workers=arguments.processes, label="cohorts"):
        print(said, flush=True)
    rows = []
    for path in sorted(folder.glob("*.parquet")):
        found = among_nulls(pd.read_parquet(path))
        own = pd.read_parquet(path).set_index("assignment")["delta"]["ei"]
        place = dict(zip(("task", "effect", "seed"), path.stem.split("_"), strict=True))
        rows.append({**place, "delta": own, **found})
    table = pd.DataFrame(rows)
    print(table[["task", "effect", "seed", "delta", "null_mean", "null_p"]].round(3).to_string())
    for key, part in table.groupby(["task", "effect"]):
        left = int((part["null_p"] <= 0.05).sum())
        spread = np.sqrt(part["delta"].var() / len(part))
        print(
            f"{key[0]} {key[1]}: {left} of {len(part)} cohorts leave the random labels' "
            f"distribution (p <= .05); mean difference {part['delta'].mean():+.4f} "
            f"(SE {spread:.4f})"
        )


if __name__ == "__main__":
    main()
