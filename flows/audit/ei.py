"""The trail of a cell in the EI study: from statistics over models and frames to the videos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.tables.comparison import FINE_TUNED, PRETRAINED
from eifer.tables.selection import CROPS
from flows.audit.hashes import of_recording, recordings
from flows.audit.route import Known, Route, Source, Step, Titled
from flows.audit.study import Recorded
from stages import catalogue
from stages._runtime.places import MadeTable

TABLES: tuple[Titled, ...] = (
    ("statistics", (catalogue.PARTICIPANT_DELTAS, catalogue.DELONG)),
    ("scores", (catalogue.METRICS,)),
    ("predictions", (catalogue.PREDICTIONS, catalogue.PRETRAINED)),
    (
        "weights",
        tuple(
            folder.repetitions
            for folder in (catalogue.FINE_TUNE_TOTAL, catalogue.TRAIN_TOTAL, catalogue.PRETRAIN_EI)
        ),
    ),
    ("partition", (catalogue.CONDITIONS, catalogue.PARTITIONS)),
    ("selected frames", (catalogue.SELECTION, catalogue.CROPS)),
    ("video frames and boxes", (catalogue.FRAMES,)),
    ("videos", (catalogue.VIDEOS,)),
)


def _begin(
    study: Recorded, item: Mapping[str, Any], row: pd.Series, known: Known
) -> tuple[set[MadeTable], tuple[Titled, ...]]:
    del study
    apart: set[MadeTable] = {catalogue.PREDICTIONS, catalogue.FINE_TUNE_TOTAL.repetitions}
    if "contrast" in known:
        known["training_group"] = {group for c in known["contrast"] for group in c.split("-")}
    if row.get("models", FINE_TUNED) != PRETRAINED:
        apart = {catalogue.PRETRAINED}
    tables = TABLES
    if item["of"] == ["repetitions"]:  # what models learnt from, not what they were asked
        tables = tuple((w, (catalogue.SAMPLES,) if w == "partition" else t) for w, t in TABLES)
        if (trained := known.get("training_group", set())) - {"Total"}:
            known["group"] = trained
    return apart, tables


def _of_video(made: MadeTable, name: str, known: Known) -> bool:
    return made.table is not CROPS or name in known.get("video_id", {name})


def _of_items(frame: pd.DataFrame, known: Known) -> pd.Series | None:
    if "item_id" in frame or "item_id" not in known or not {"video_id", "frame"} <= {*frame}:
        return None
    items: pd.Series = frame["video_id"] + "_frame-" + frame["frame"].astype(str).str.zfill(6)
    return items.isin(known["item_id"])


def _raw(study: Recorded, known: Known) -> Step:
    """The recordings of the videos that are known, with the hashes that intake took."""
    cohort = study.recordings
    every = recordings(study.root)
    videos = known.get("video_id")
    step = Step("raw files", of=len(every))
    for name, sha256 in every.items():
        words = Path(name).name.split("_")
        video = "_".join(word for word in words if word.startswith(("sub-", "run-")))
        if videos is not None and video not in videos:
            continue
        if words[0] not in known.get("participant_id", {words[0]}):
            continue
        path = study.root / cohort / name
        now = of_recording(study, path)
        same = None if now is None else now == sha256
        now = now or "not on this machine"
        step.sources.append(
            Source(f"{cohort}/{name}", now, same, "the cohort, by the hash that intake took")
        )
    step.rows = len(step.sources)
    return step


ROUTE = Route(
    catalogue=catalogue,
    ids=(
        *(
            "models",
            "assignment",
            "rotation",
            "task",
            "condition",
            "contrast",
            "training_group",
            "repetition",
        ),
        *("group", "threshold_kind", "participant_id", "video_id", "item_id", "wave", "partition"),
    ),
    carried=("item_id", "video_id", "participant_id"),
    plain=("frame", "time_s", "status", "reason", "score", "label", "threshold", "weights_sha256"),
    tables=TABLES,
    begin=_begin,
    raw=_raw,
    keys={"group": "training_group", "total": "assignment"},
    details={
        catalogue.FRAMES: ["box_x_px", "box_y_px", "box_w_px", "box_h_px"],
        catalogue.CROPS: ["height_px", "width_px"],
    },
    part=_of_video,
    narrow=_of_items,
)
