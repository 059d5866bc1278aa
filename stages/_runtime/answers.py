"""How trained models are asked: each of them once, about the test frames of its rotation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer import evaluation
from eifer.faces.stored import read_crops
from eifer.tables.evaluation import PREDICTIONS
from stages._runtime.places import MadeTable
from stages._runtime.stage import Run
from stages.catalogue import CROPS

MODEL = ("rotation", "task", "training_group", "repetition", "threshold")

Scored = dict[str, NDArray[np.floating]]
"""What a model said, by the hash of its weights: the Total models stand in several tables."""


def answers(
    run: Run, conditions: pd.DataFrame, listed: Sequence[MadeTable], scored: Scored
) -> pd.DataFrame:
    """PREDICTIONS of the models that the tables ``listed`` (REPETITIONS) name.

    Raises
    ------
    StudyError
        If weights or crops are missing, or not those that were listed.
    """
    models = list(_trained(run, listed))
    return PREDICTIONS.conform(pd.concat(_asked(run, conditions, models, scored)))


def _trained(run: Run, listed: Sequence[MadeTable]) -> Iterator[tuple[evaluation.Model, Path, str]]:
    """Each model with the file of its weights, and their hash."""
    for made, rows in zip(listed, run.read_each(listed), strict=True):
        for row in rows.to_dict("records"):
            name = f"repetition-{row['repetition']}.safetensors"
            own = run.paths(made.at(rotation=row["rotation"]))
            files = [path.with_name(name) for path in own]
            weights = next((path for path in files if path.exists()), files[0])
            model = evaluation.Model(*(row[name] for name in MODEL))
            yield model, weights, row["weights_sha256"]


def _asked(
    run: Run, conditions: pd.DataFrame, models: Sequence[Any], scored: Scored
) -> Iterator[pd.DataFrame]:
    from eifer.models.scoring import load
    from eifer.training.spec import Hardware

    yield evaluation.predict_by_estimate(conditions)
    # float32 everywhere: these scores are the result, and there are few.
    hardware, batch = Hardware(device=run.params.arithmetic.device), run.params.arithmetic.batch
    side = run.params.study.crop.size_px
    for (rotation, task), tested in conditions.groupby(["rotation", "task"]):
        items = evaluation.items(tested, str(task))
        crops = read_crops(run.paths(CROPS), tested["video_id"], items, side, run.folder)
        for model, weights, sha256 in models:
            if (model.rotation, model.task) != (rotation, task):
                continue
            if sha256 not in scored:
                scored[sha256] = load(weights, sha256, hardware=hardware, batch=batch)(crops)
            yield evaluation.predict(tested, crops, model, _said(scored[sha256]))


def _said(scores: NDArray[np.floating]) -> evaluation.Scorer:
    return lambda _: scores
