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


@stage(
    catalogue.ESTIMATE,
    params=("study.cohort", "study.crop", "arithmetic", "affect", "estimate"),
    given=(
        catalogue.VIDEOS,
        catalogue.FRAMES,
        catalogue.BLENDSHAPES,
        catalogue.WEIGHTS,
        catalogue.CARD,
    ),
)
def estimate(run: Run) -> Outcome:
    """Show each accepted face, cut again from its video, and its blendshapes to the estimators."""
    videos = run.read(catalogue.VIDEOS).dropna(subset="video_path").set_index("video_id")
    frames = run.read(catalogue.FRAMES)
    accepted = frames[frames["status"] == FrameStatus.ACCEPTED]
    if accepted.empty:
        raise DesignError(
            f"wave {run.item['wave']}: not one of its {len(frames)} frames was accepted, so there "
            "is nothing to estimate. See its counts in data/extract; look at the recordings, or "
            "at extract.quality in params.yaml."
        )
    faces = accepted.merge(run.read(catalogue.BLENDSHAPES), on=["video_id", "frame"])
    names = (run.params.estimate.estimator, *run.params.estimate.also)
    choices = described(run.params, names, run.path(catalogue.WEIGHTS), run.path(catalogue.CARD))
    chosen, *others = choices
    work = partial(_video, run.params.study, choices)
    tasks = [(videos.loc[video].to_dict(), rows) for video, rows in faces.groupby("video_id")]
    parts = list(run.each(work, tasks, "estimate", lambda task: str(task[0]["video_path"])))
    tables = {n: pd.concat([part[n] for part in parts], ignore_index=True) for n in choices}
    estimates = tables[chosen]
    estimators.refuse_constant(estimates, f"wave {run.item['wave']}: the {chosen} estimator")
    # ddof 0: one frame has a spread of 0, not of nothing.
    spread = {f"{d}_std": round(float(estimates[d].std(ddof=0)), 4) for d in Dimension}
    numbers = {f"{d}_mean": round(float(estimates[d].mean()), 4) for d in Dimension} | spread
    by = {"estimator": chosen, "measured": estimators.worth(choices[chosen]), "also": others}
    told = {name: estimators.told(choice) for name, choice in choices.items()}
    compared = "".join(f" For comparison, they were read {told[name]}." for name in others)
    rows = [row | dict(run.item) for row in estimators.agreements(tables)]
    beside = [tables[name].assign(estimator=name) for name in others]
    return Outcome(
        {
            catalogue.ESTIMATES: estimates,
            catalogue.OTHER_ESTIMATES: catalogue.OTHER_ESTIMATES.table.joined(beside),
            catalogue.AGREEMENT: catalogue.AGREEMENT.table.frame(rows),
        },
        Report(
            f"""Arousal and valence in [-1, 1] were estimated for every accepted frame
            {told[chosen]}. Estimates are indicators derived from a model, not
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
