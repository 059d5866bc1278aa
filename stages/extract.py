"""Faces found and judged in every frame of every video."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.cohort.recordings import unchanged
from eifer.errors import InputError, Problem
from eifer.faces.extraction import ExtractSpec, attrition, extract_video
from eifer.tables.attrition import ATTRITION
from eifer.tables.cohort import VIDEOS
from eifer.tables.faces import COUNTS, FRAMES
from stages._runtime.stage import Given, Made, Outcome, Report, Run, stage

RECORDINGS = Given("data/intake/videos/wave-${item.wave}.parquet", VIDEOS)
FACES = Made("frames.parquet", FRAMES)
TALLY = Made("counts.parquet", COUNTS)
LEFT_OUT = Made("attrition.parquet", ATTRITION)


@stage(
    params=("study.cohort", "extract"),
    given=(RECORDINGS,),
    made=(FACES, TALLY, LEFT_OUT),
    matrix=("wave",),
)
def extract(run: Run) -> Outcome:
    """Give every decoded frame a row: accepted, or the reason why not."""
    videos = run.read(RECORDINGS).dropna(subset="video_path").to_dict("records")
    work = partial(_video, Path(run.params.study.cohort), run.params.extract)
    results = list(run.each(work, videos, "extract"))
    frames = pd.concat([rows for rows, _ in results], ignore_index=True)
    counts = pd.concat([row for _, row in results], ignore_index=True)
    faceless = counts.loc[counts["frames_decoded"] == counts["rejected_no_face"], "video_id"]
    if len(faceless):
        remedy = "exclude the recording with a reason in params.yaml study.exclude"
        raise InputError(
            "faces", [Problem("video without any face", video, remedy) for video in faceless]
        )
    return Outcome({FACES: frames, TALLY: counts, LEFT_OUT: attrition(counts)}, _report(counts))


def _video(cohort: Path, spec: ExtractSpec, video: dict[str, Any]) -> tuple[Any, Any]:
    path = unchanged(cohort / video["video_path"], video["video_sha256"])
    return extract_video(
        path, video_id=video["video_id"], participant_id=video["participant_id"], spec=spec
    )


def _report(counts: pd.DataFrame) -> Report:
    names = [n for n in COUNTS.names if n.startswith(("frames_", "rejected_"))]
    numbers = {name: int(counts[name].sum()) for name in names}
    decoded, accepted = numbers["frames_decoded"], numbers["frames_accepted"]
    reasons = ", ".join(
        f"{n} {name.removeprefix('rejected_').replace('_', ' ')}"
        for name, n in numbers.items()
        if name.startswith("rejected_")
    )
    return Report(
        f"""Faces were sought in all {decoded} frames of {len(counts)} videos; {accepted}
        frames were accepted, the rest rejected ({reasons}). Where several faces showed
        ({numbers["frames_several_faces"]} frames) the largest was taken.""",
        {"videos": len(counts), **numbers},
    )


if __name__ == "__main__":
    extract.main()
