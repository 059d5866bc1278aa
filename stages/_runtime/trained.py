"""The models that the study trained, and where they lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.tables.training import CURVES, REPETITIONS
from eifer.vocabulary import Dimension
from stages._runtime.stage import Given, Run

NAMES = [f"fine_tune_total/task-{task}_group-{g}" for task in Dimension for g in ("High", "Low")]
NAMES += [f"train_total/task-{task}" for task in Dimension]
FOLDERS = [f"data/{name}_block-${{training.blocks}}" for name in NAMES]
TRAINED = tuple(Given(f"{folder}/repetitions.parquet", REPETITIONS) for folder in FOLDERS)
LEARNT = tuple(Given(f"{folder}/curves.parquet", CURVES) for folder in FOLDERS)


def trained_models(run: Run) -> Iterator[tuple[Any, Path]]:
    """Each model's row of ``REPETITIONS`` and the file of its weights."""
    parts = []
    for given in TRAINED:
        parts.append(run.read(given))
        for row in parts[-1].to_dict("records"):
            name = f"repetition-{row['repetition']}.safetensors"
            files = [path.with_name(name) for path in run.paths(given)]
            yield row, next((path for path in files if path.exists()), files[0])
    # Rules that look at the models look at those of all folders, not of the last one read.
    run.seen[REPETITIONS.name] = pd.concat(parts, ignore_index=True)
