"""Arousal and valence estimated for every accepted frame."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.affect.expression import MEASURED, ExpressionEstimator, told
from eifer.affect.spec import ExpressionSpec
from eifer.cohort.recordings import unchanged
from eifer.errors import DesignError
from eifer.faces.crops import crops
from eifer.hashing import sha256_file
from eifer.training.spec import NetworkSpec
from eifer.vocabulary import Dimension, FrameStatus
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.catalogue import ESTIMATE, ESTIMATES, FRAMES, VIDEOS, WEIGHTS


@stage(
    ESTIMATE,
    params=("study.cohort", "study.crop", "arithmetic", "affect", "estimate"),
    given=(VIDEOS, FRAMES, WEIGHTS),
)
def estimate(run: Run) -> Outcome:
    """Cut each accepted face again from its video and show it to the estimator."""
    videos = run.read(VIDEOS).dropna(subset="video_path").set_index("video_id")
    frames = run.read(FRAMES)
    accepted = frames[frames["status"] == FrameStatus.ACCEPTED]
    if accepted.empty:
        raise DesignError(
            f"wave {run.item['wave']}: not one of its {len(frames)} frames was accepted, so there "
            "is nothing to estimate. See its counts in data/extract; look at the recordings, or "
            "at extract.quality in params.yaml."
        )
    chosen, study = run.params.estimate, run.params.study
    if chosen.expression is None:
        weights, spec = run.path(WEIGHTS), run.params.affect.network(study.crop.size_px)
        opened = partial(_network, weights, sha256_file(weights), spec, run.params.arithmetic)
    else:
        opened = partial(_expressions, chosen.expression)
    work = partial(_video, study, opened)
    tasks = [(videos.loc[video].to_dict(), rows) for video, rows in accepted.groupby("video_id")]
    estimates = pd.concat(run.each(work, tasks, "estimate"), ignore_index=True)
    same = [d for d in Dimension if len(estimates) > 1 and estimates[d].nunique() == 1]
    if same:
        raise DesignError(
            f"wave {run.item['wave']}: the {chosen.estimator} estimator gives all "
            f"{len(estimates)} accepted frames the same {' and '.join(same)}, so they cannot be "
            "ranked. Look at the faces; of a network see data/affect/card.md, train it anew with a "
            "lower affect.training.learning_rate, or give other weights."
        )
    # ddof 0: one frame has a spread of 0, not of nothing.
    spread = {f"{d}_std": round(float(estimates[d].std(ddof=0)), 4) for d in Dimension}
    numbers = {f"{d}_mean": round(float(estimates[d].mean()), 4) for d in Dimension} | spread
    by = {"estimator": chosen.estimator, "measured": chosen.expression and MEASURED}
    return Outcome(
        {ESTIMATES: estimates},
        Report(
            f"""Arousal and valence in [-1, 1] were estimated for {len(estimates)} accepted frames
            {told(chosen.expression)}. They are indicators derived from a model, not ground
            truth.""",
            {"frames": len(estimates), **by, **numbers},
        ),
    )


def _video(
    study: Any, opened: Callable[[], Any], task: tuple[dict[str, Any], pd.DataFrame]
) -> pd.DataFrame:
    video, rows = task
    path = unchanged(Path(study.cohort) / video["video_path"], video["video_sha256"])
    faces = crops(path, rows, study.crop)
    numbers, values = opened().estimate_stream(faces)
    whose = rows[["video_id", "participant_id"]].reset_index(drop=True)
    return whose.assign(frame=numbers, arousal=values[:, 0], valence=values[:, 1])


@cache
def _expressions(spec: ExpressionSpec) -> ExpressionEstimator:
    return ExpressionEstimator(spec)


@cache
def _network(weights: Path, sha256: str, spec: NetworkSpec, arithmetic: Any) -> Any:
    """One network a process: loading it costs more than a short video."""
    # Here, so that only the workers wait for torch.
    from eifer.affect.estimator import Estimator
    from eifer.training.weights import load_weights

    state = load_weights(weights, sha256)
    return Estimator(
        state,
        spec,
        device=arithmetic.device,
        precision=arithmetic.precision,
        batch=arithmetic.batch,
    )


if __name__ == "__main__":
    estimate.main()
