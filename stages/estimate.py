"""Arousal and valence estimated for every accepted frame."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

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
    params=("study.cohort", "study.crop", "arithmetic", "affect"),
    given=(VIDEOS, FRAMES, WEIGHTS),
)
def estimate(run: Run) -> Outcome:
    """Cut each accepted face again from its video and show it to the network."""
    videos = run.read(VIDEOS).dropna(subset="video_path").set_index("video_id")
    frames = run.read(FRAMES)
    accepted = frames[frames["status"] == FrameStatus.ACCEPTED]
    if accepted.empty:
        raise DesignError(
            f"wave {run.item['wave']}: not one of its {len(frames)} frames was accepted, so there "
            "is nothing to estimate. See its counts in data/extract; look at the recordings, or "
            "at extract.quality in params.yaml."
        )
    spec = run.params.affect.network(run.params.study.crop.size_px)
    weights = run.path(WEIGHTS)
    work = partial(
        _video, run.params.study, spec, weights, sha256_file(weights), run.params.arithmetic
    )
    tasks = [(videos.loc[video].to_dict(), rows) for video, rows in accepted.groupby("video_id")]
    estimates = pd.concat(run.each(work, tasks, "estimate"), ignore_index=True)
    same = [d for d in Dimension if len(estimates) > 1 and estimates[d].nunique() == 1]
    if same:
        raise DesignError(
            f"wave {run.item['wave']}: the affect network gives all {len(estimates)} accepted "
            f"frames the same {' and '.join(same)}, so they cannot be ranked. See "
            "data/affect/card.md; train it anew with a lower affect.training.learning_rate, or "
            "give other weights."
        )
    # ddof 0: one frame has a spread of 0, not of nothing.
    spread = {f"{d}_std": round(float(estimates[d].std(ddof=0)), 4) for d in Dimension}
    numbers = {f"{d}_mean": round(float(estimates[d].mean()), 4) for d in Dimension} | spread
    return Outcome(
        {ESTIMATES: estimates},
        Report(
            f"""Arousal and valence in [-1, 1] were estimated for {len(estimates)} accepted frames.
            They are indicators derived from a model, not ground truth.""",
            {"frames": len(estimates), **numbers},
        ),
    )


def _video(
    study: Any,
    spec: NetworkSpec,
    weights: Path,
    sha256: str,
    arithmetic: Any,
    task: tuple[dict[str, Any], pd.DataFrame],
) -> pd.DataFrame:
    video, rows = task
    path = unchanged(Path(study.cohort) / video["video_path"], video["video_sha256"])
    faces = crops(path, rows, study.crop)
    numbers, values = _estimator(weights, sha256, spec, arithmetic).estimate_stream(faces)
    whose = rows[["video_id", "participant_id"]].reset_index(drop=True)
    return whose.assign(frame=numbers, arousal=values[:, 0], valence=values[:, 1])


@cache
def _estimator(weights: Path, sha256: str, spec: NetworkSpec, arithmetic: Any) -> Any:
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
