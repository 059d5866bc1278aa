"""Faces found and judged in every frame of every video."""

from __future__ import annotations

import shutil
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.cohort.recordings import unchanged
from eifer.errors import RecordingError
from eifer.faces.extraction import (
    ExtractSpec,
    attrition,
    extract_video,
    fingerprint,
    missing,
)
from stages._runtime.artifacts import read_table, settle, write_table
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.catalogue import BLENDSHAPES, COUNTS, EXTRACT, EXTRACT_ATTRITION, FRAMES, VIDEOS

MADE = FRAMES, COUNTS, BLENDSHAPES
KEPT = Path("runs/extracted")
"""Finished videos of waves that are not: one that is refused costs the others nothing."""


@stage(EXTRACT, params=("study.cohort", "extract"), given=(VIDEOS,))
def extract(run: Run) -> Outcome:
    """Give every decoded frame a row: accepted, or the reason why not."""
    videos = run.read(VIDEOS).dropna(subset="video_path").to_dict("records")
    kept = KEPT / run.item["wave"]
    work = partial(_video, Path(run.params.study.cohort), run.params.extract, kept)
    parts = zip(*run.each(work, videos, "extract", itemgetter("video_path")), strict=True)
    made = dict(zip(MADE, (pd.concat(part, ignore_index=True) for part in parts), strict=True))
    counts = made[COUNTS]
    run.afterwards.append(lambda: shutil.rmtree(kept, ignore_errors=True))
    return Outcome({**made, EXTRACT_ATTRITION: attrition(counts)}, _report(counts))


def _video(cohort: Path, spec: ExtractSpec, kept: Path, video: dict[str, Any]) -> list[Any]:
    """The tables `MADE` of one video, from an earlier try where that did not end."""
    path = unchanged(cohort / video["video_path"], video["video_sha256"])
    names = video["video_id"], video["participant_id"]
    folder = kept / fingerprint(video["video_sha256"], *names, spec=spec)
    if not folder.exists():
        tables = extract_video(path, video_id=names[0], participant_id=names[1], spec=spec)
        unfinished = folder.with_name(folder.name + ".partial")
        unfinished.mkdir(parents=True, exist_ok=True)
        for made, table in zip(MADE, tables, strict=True):
            write_table(unfinished / made.name, table)
        settle(unfinished, folder)
    rows, counts, shapes = (read_table(folder / made.name, made.table) for made in MADE)
    if (counts["frames_decoded"] == counts["rejected_no_face"]).all():
        raise RecordingError(f"{path}: no face in any of its {len(rows)} frames")
    return [rows, counts, shapes]


def _report(counts: pd.DataFrame) -> Report:
    names = [n for n in COUNTS.table.names if n.startswith(("frames_", "rejected_"))]
    numbers = {name: int(counts[name].sum()) for name in names}
    decoded, accepted = numbers["frames_decoded"], numbers["frames_accepted"]
    reasons = ", ".join(
        f"{n} {name.removeprefix('rejected_').replace('_', ' ')}"
        for name, n in numbers.items()
        if name.startswith("rejected_")
    )
    lacking = missing(counts)
    numbers |= {"videos_cut_short": int((lacking > 0).sum()), "frames_missing": int(lacking.sum())}
    cut = f"""Videos whose files end before the length that they declare:
        {numbers["videos_cut_short"]}; about {numbers["frames_missing"]} frames are missing there,
        beside those decoded."""
    return Report(
        """Faces were sought in every frame by YuNet [@wu2023], and measured by the models of
        MediaPipe's Face Landmarker [@kartynnik2019]. A frame was rejected if it showed no face,
        repeated the frame before, or showed a face of low confidence, closed eyes or an occluded
        face. The participant's face was taken for the largest of the first frame, and then for
        the one at the same place.""",
        {"videos": len(counts), **numbers},
        f"""{accepted} of {decoded} frames of {len(counts)} videos were accepted; the others were
        rejected ({reasons}). {numbers["frames_several_faces"]} frames showed several faces; in
        {numbers["frames_switched"]} the face was at another place than the last, perhaps another
        person's (column switched of the table frames).
        {cut * (numbers["videos_cut_short"] > 0)}""",
    )


if __name__ == "__main__":
    extract.main()
