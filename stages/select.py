"""The frames whose estimate matches their video's label best, with their crops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from eifer import partitions, selection
from eifer.cohort.recordings import unchanged
from eifer.errors import DesignError
from eifer.faces.crops import CropSpec, crop_table
from stages import catalogue
from stages._runtime.stage import Outcome, Report, Run, stage


@stage(
    catalogue.SELECT,
    params=("study.cohort", "study.crop", "select"),
    given=(catalogue.VIDEOS, catalogue.FRAMES, catalogue.ESTIMATES, catalogue.OTHER_ESTIMATES),
)
def select(run: Run) -> Outcome:
    """Rank each video's frames, add what the test conditions would take, and cut them all."""
    labels = run.read(catalogue.VIDEOS).dropna(subset="video_path")
    frames, estimates = run.read(catalogue.FRAMES), run.read(catalogue.ESTIMATES)
    wanted = run.params.select
    ranked, shortfall = selection.select(estimates, labels, top=wanted.top)
    candidates, availability = partitions.candidates(
        estimates, labels, names=wanted.conditions, per_video=wanted.frames_per_video
    )
    if ranked.empty and candidates.empty:
        raise DesignError(
            f"wave {run.item['wave']}: not one of its {len(estimates)} estimated frames lies on "
            "its video's side of 0, in arousal or in valence. See data/estimate and "
            "params: does estimate.estimator fit these recordings?"
        )
    others = selection.by_others(run.read(catalogue.OTHER_ESTIMATES), labels, top=wanted.top)
    stored = pd.concat([candidates, selection.as_candidates(others)])
    chosen = selection.merge(estimates, labels, ranked, stored)
    return Outcome(
        {
            catalogue.SELECTION: chosen,
            catalogue.OTHER_SELECTION: others,
            catalogue.SHORTFALL: shortfall,
            catalogue.AVAILABILITY: availability,
            catalogue.CROPS: _shards(run, labels, frames, chosen),
        },
        _report(chosen, shortfall, wanted.top),
    )


def _shards(
    run: Run, labels: pd.DataFrame, frames: pd.DataFrame, chosen: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The crops of a video at a time, so that memory holds no more."""
    videos = labels.set_index("video_id")
    rows = frames.merge(chosen[["video_id", "frame"]], on=["video_id", "frame"])
    tasks = [(videos.loc[video].to_dict(), part) for video, part in rows.groupby("video_id")]
    work = partial(_video, Path(run.params.study.cohort), run.params.study.crop)
    for shard in run.each(work, tasks, "select", lambda task: str(task[0]["video_path"])):
        yield str(shard["video_id"].iloc[0]), shard


def _video(cohort: Path, spec: CropSpec, task: tuple[dict[str, Any], pd.DataFrame]) -> pd.DataFrame:
    video, rows = task
    path = unchanged(cohort / video["video_path"], video["video_sha256"])
    return crop_table(path, rows, spec)


def _report(chosen: pd.DataFrame, shortfall: pd.DataFrame, top: int) -> Report:
    short = shortfall[shortfall["kept"] < shortfall["asked"]]
    numbers = {
        "frames": len(chosen),
        "arousal_ranked": int(chosen["arousal_rank"].notna().sum()),
        "valence_ranked": int(chosen["valence_rank"].notna().sum()),
        "short": len(short),
        "lacking": int((short["asked"] - short["kept"]).sum()),
    }
    return Report(
        f"""From each video and for each dimension up to {top} frames were kept: those of largest
        estimated magnitude whose sign matched the label. Missing frames were not replaced by
        frames of the other sign.""",
        numbers,
        f"{len(short)} of {len(shortfall)} rankings had fewer than {top} frames.",
    )


if __name__ == "__main__":
    select.main()
