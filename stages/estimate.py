"""Arousal and valence estimated for every accepted frame."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eifer.affect import estimators
from eifer.affect.network import WeightsSpec, measured
from eifer.cohort.recordings import unchanged
from eifer.errors import DesignError
from eifer.faces.crops import crops
from eifer.tables.faces import SHAPES
from eifer.vocabulary import Dimension, FrameStatus
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.catalogue import (
    AGREEMENT,
    BLENDSHAPES,
    ESTIMATE,
    ESTIMATES,
    FRAMES,
    OTHER_ESTIMATES,
    VIDEOS,
    WEIGHTS,
)


@stage(
    ESTIMATE,
    params=("study.cohort", "study.crop", "arithmetic", "affect", "estimate"),
    given=(VIDEOS, FRAMES, BLENDSHAPES, WEIGHTS, catalogue.CARD),
)
def estimate(run: Run) -> Outcome:
    """Show each accepted face, cut again from its video, and its blendshapes to the estimators."""
    videos = run.read(VIDEOS).dropna(subset="video_path").set_index("video_id")
    frames = run.read(FRAMES)
    accepted = frames[frames["status"] == FrameStatus.ACCEPTED]
    if accepted.empty:
        raise DesignError(
            f"wave {run.item['wave']}: not one of its {len(frames)} frames was accepted, so there "
            "is nothing to estimate. See its counts in data/extract; look at the recordings, or "
            "at extract.quality in params.yaml."
        )
    faces = accepted.merge(run.read(BLENDSHAPES), on=["video_id", "frame"])
    names = (run.params.estimate.estimator, *run.params.estimate.also)
    choices = described(run.params, names, run.path(WEIGHTS), run.path(catalogue.CARD))
    chosen, *others = choices
    work = partial(_video, run.params.study, choices)
    tasks = [(videos.loc[video].to_dict(), rows) for video, rows in faces.groupby("video_id")]
    parts = list(run.each(work, tasks, "estimate", lambda task: str(task[0]["video_path"])))
    tables = {
        name: pd.concat([part[name] for part in parts], ignore_index=True) for name in choices
    }
    estimates = tables[chosen]
    same = [d for d in Dimension if len(estimates) > 1 and estimates[d].nunique() == 1]
    if same:
        raise DesignError(
            f"wave {run.item['wave']}: the {chosen} estimator gives all "
            f"{len(estimates)} accepted frames the same {' and '.join(same)}, so they cannot be "
            "ranked. Look at the faces; of a network see data/affect/card.md, train it anew with a "
            "lower affect.training.learning_rate, or give other weights."
        )
    # ddof 0: one frame has a spread of 0, not of nothing.
    spread = {f"{d}_std": round(float(estimates[d].std(ddof=0)), 4) for d in Dimension}
    numbers = {f"{d}_mean": round(float(estimates[d].mean()), 4) for d in Dimension} | spread
    by = {"estimator": chosen, "measured": estimators.worth(choices[chosen]), "also": others}
    compared = "".join(
        f" For comparison, they were read {estimators.told(choices[name])}." for name in others
    )
    rows = [row | dict(run.item) for row in estimators.agreements(tables)]
    beside = [OTHER_ESTIMATES.table.frame(), *(tables[n].assign(estimator=n) for n in others)]
    return Outcome(
        {
            ESTIMATES: estimates,
            OTHER_ESTIMATES: pd.concat(beside, ignore_index=True),
            AGREEMENT: AGREEMENT.table.frame(rows),
        },
        Report(
            f"""Arousal and valence in [-1, 1] were estimated for every accepted frame
            {estimators.told(choices[chosen])}. Estimates are indicators derived from a model, not
            ground truth.{compared}""",
            {"frames": len(estimates), **by, **numbers},
        ),
    )


def described(
    params: Any, names: Iterable[str], weights: Path, card: Path
) -> dict[str, estimators.Choice]:
    """The choices of the estimators of these ``names``, as params describe them."""

    def network() -> WeightsSpec:
        form, machine = params.affect.network(params.study.crop.size_px), params.arithmetic
        known = measured(json.loads(card.read_text()))
        return WeightsSpec(weights, form, machine.device, machine.precision, machine.batch, known)

    # The other estimators are described in a section of their name.
    return {name: getattr(params.estimate, name, None) or network() for name in names}


def _video(
    study: Any, choices: dict[str, estimators.Choice], task: tuple[dict[str, Any], pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    video, rows = task
    pictures: Any = zip(rows["frame"], repeat(None))
    if any(map(estimators.looks_at_crops, choices.values())):
        path = unchanged(Path(study.cohort) / video["video_path"], video["video_sha256"])
        pictures = crops(path, rows, study.crop)
    shapes = dict(zip(rows["frame"], rows[list(SHAPES)].to_numpy(np.float32), strict=True))
    numbers, found = estimators.estimated(choices, pictures, shapes)
    whose = rows[["video_id", "participant_id"]].reset_index(drop=True).assign(frame=numbers)
    return {name: whose.assign(arousal=v[:, 0], valence=v[:, 1]) for name, v in found.items()}


if __name__ == "__main__":
    estimate.main()
