"""Other networks, trained on each EI group and on everybody, fold by fold (source: 3.5)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from eifer.seeding import sub_seed
from eifer.tables.external import FOLDS
from eifer.vocabulary import Group
from stages import catalogue
from stages._runtime.repetitions import model_of, numbers_of, samples_of, train_each
from stages._runtime.stage import Outcome, Report, Run, stage


@stage(
    catalogue.TRAIN_EXTERNAL,
    params=(
        "study.seed",
        "study.waves",
        "study.crop",
        "arithmetic",
        "training.recipe",
        "external.weights",
        "external.folds",
        "external.unfreezing",
    ),
    given=(
        catalogue.PARTITIONS,
        catalogue.EI_SAMPLES,
        catalogue.CROPS,
        catalogue.DECLARATION,
    ),
)
def train_external(run: Run) -> Outcome:
    """Train a network once a fold: the others' people learn, the fold's validate."""
    from eifer.models.folds import fold_of_people, in_fold
    from eifer.models.repetitions import training_data
    from eifer.training.backbones import unfreezable

    external, group, rotation = run.params.external, Group(run.item["group"]), run.item["rotation"]
    run.read(catalogue.PARTITIONS)
    everybody = samples_of(run, catalogue.EI_SAMPLES, Group.TOTAL)
    samples = samples_of(run, catalogue.EI_SAMPLES, group)
    seed = sub_seed(run.params.study.seed, "folds", rotation, run.item["task"])
    folds = fold_of_people(everybody, external.folds, seed, run.stage.name)
    card = unfreezable()[run.item["network"]]
    model = model_of(run, samples, card.at(run.params.study.crop.size_px))
    models = {
        fold: replace(
            model,
            data=training_data(in_fold(samples, folds, fold), model.data.images),
            unfreezing=external.unfreezing,
        )
        for fold in range(1, external.folds + 1)
    }
    given = external.weights.get(card.short)
    start = (Path(given.path), given.sha256) if given else None
    outputs, rows = train_each(run, catalogue.TRAIN_EXTERNAL, models, lambda fold: start)
    listed = _folds(samples, folds, run)
    text = f"""{card.name} learnt {run.item["task"]} from {group} data in {external.folds} folds."""
    return Outcome({**outputs, catalogue.FOLDS: listed}, Report(text, numbers_of(rows)))


def _folds(samples: pd.DataFrame, folds: pd.Series, run: Run) -> pd.DataFrame:
    counts = samples.groupby(["participant_id", "label"]).size().unstack(fill_value=0)
    rows = counts.reindex(columns=[0, 1], fill_value=0).reset_index()
    rows.columns = pd.Index(["participant_id", "low_frames", "high_frames"])
    place = {name: run.item[name] for name in ("network", "rotation", "task")}
    rows = rows.assign(
        **place, training_group=run.item["group"], fold=rows["participant_id"].map(folds)
    )
    return FOLDS.conform(rows)


if __name__ == "__main__":
    train_external.main()
