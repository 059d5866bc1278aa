"""What an audit knows of the EI study: four links, and the trail of a cell to the recordings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from eifer import evaluation
from eifer.cohort.ecg import ecg_files, ecg_sha256
from eifer.report.fragments import HASHES, fingerprint
from eifer.report.pseudonyms import Pseudonyms
from eifer.tables.cohort import PARTICIPANTS, VIDEOS
from eifer.tables.comparison import FINE_TUNED, PRETRAINED
from eifer.tables.evaluation import PREDICTIONS
from eifer.tables.selection import CROPS
from flows.audit.again import cells, repeated, within
from flows.audit.hashes import unlike_recorded
from flows.audit.route import Known, Link, Route, Source, Step, Titled
from flows.audit.study import Recorded, Verdict
from stages import catalogue
from stages._runtime.artifacts import read_table
from stages._runtime.places import MadeTable

RAW_TABLES = "data/intake/videos"


def raw(study: Recorded) -> Verdict:
    """Every recording has the hash that intake took of it, and the cohort is as it was then."""
    verdict = Verdict("raw files", of="intake's hashes of the recordings, and dvc.lock")
    cohort = study.recordings
    if not (study.root / cohort).is_dir():
        verdict.unchecked.append(f"{cohort}: the recordings are not on this machine")
        return verdict
    table = recordings(study.root)
    for name, sha256 in table.items():
        verdict.checked += 1
        now = of_recording(study, study.root / cohort / name)
        if now is None:
            verdict.places.append(f"{cohort}/{name}: missing")
        elif now != sha256:
            verdict.places.append(f"{cohort}/{name}: not the recording that intake hashed")
    # The texts of the cohort too, which intake reads and does not hash.
    unlike_recorded(study, "intake", verdict)
    return verdict


def of_recording(study: Recorded, path: Path) -> str | None:
    """The SHA-256 of a recording as intake takes it; None where a file of it is missing."""
    if path.suffix == ".hea":  # an ECG in two files
        whole = all(path.with_name(name).is_file() for name in ecg_files(path.name))
        return ecg_sha256(path) if whole else None
    return study.hashed(path).sha256 if path.is_file() else None


def recordings(root: Path) -> dict[str, str]:
    """The SHA-256 that intake took of each recording, by its path in the cohort."""
    rows = read_table(root / RAW_TABLES, VIDEOS)
    pairs: dict[str, str] = {}
    for kind in ("video", "ecg"):
        own = rows[[f"{kind}_path", f"{kind}_sha256"]].dropna()
        pairs |= dict(own.itertuples(index=False, name=None))
    return pairs


def scores(study: Recorded) -> Verdict:
    """The metrics of every evaluation are those of its predictions."""
    verdict = Verdict("scores", of="data/evaluate computed again from its predictions")
    for address, instance in study.graph.items():
        if instance.stage != catalogue.EVALUATE.stage or address not in study.lock:
            continue
        (out,) = instance.outs
        folder = study.root / out
        predictions = read_table(folder / "predictions.parquet", PREDICTIONS)
        measured = evaluation.measure(predictions)
        summary = evaluation.summarise(measured)
        for made, frame in ((catalogue.METRICS, measured), (catalogue.SUMMARY, summary)):
            verdict.checked += frame.size
            stored = read_table(folder / made.name, made.table)
            verdict.places += cells(f"{out}/{made.name}", stored, made.table.conform(frame))
        empty = pd.DataFrame(columns=["task", "training_group", "epoch", "validation_macro_f1"])
        for name, points in evaluation.plots(predictions, measured, empty):
            verdict.checked += 1
            file = f"{catalogue.PLOTS.name}/{name}.json"
            verdict.places += _json(f"{out}/{file}", folder / file, points)
    return verdict


def _json(place: str, path: Path, value: Any) -> Iterator[str]:
    from stages._runtime.artifacts import write_json

    with tempfile.TemporaryDirectory() as folder:
        write_json(fresh := Path(folder, "fresh.json"), value)
        if not path.is_file():
            yield f"{place}: missing"
        elif path.read_bytes() != fresh.read_bytes():
            yield from within(place, path, fresh)


def statistics(study: Recorded) -> Verdict:
    """What stats says follows from the predictions."""
    of = "stage stats run again on the recorded predictions"
    return repeated(study, "statistics", catalogue.STATS.stage, of)


def partitions(study: Recorded) -> Verdict:
    """Nobody and no frame or picture is in two partitions, and chance divided them as recorded."""
    of = "stage split run again: people, frames, pictures"
    verdict = repeated(study, "partitions", catalogue.SPLIT.stage, of)
    verdict.places += _shared(study)
    return verdict


def _shared(study: Recorded) -> Iterator[str]:
    """Participants and frames of the recorded tables that are in two parts of a rotation."""
    folder = study.root / catalogue.SPLIT.path
    if not folder.is_dir():
        return
    columns = ["rotation", "participant_id", "item_id"]
    tested = read_table(folder / "conditions.parquet", catalogue.CONDITIONS.table, columns)
    for path in sorted((folder / "samples").glob("*.parquet")):
        rows = read_table(path, catalogue.SAMPLES.table, [*columns, "partition"])
        for rotation, test in tested.groupby("rotation"):
            own = rows[rows["rotation"] == rotation]
            parts = {str(part): of for part, of in own.groupby("partition")} | {"test": test}
            names = list(parts)
            for a, b in ((a, b) for i, a in enumerate(names) for b in names[i + 1 :]):
                for column in columns[1:]:
                    if both := sorted({*parts[a][column]} & {*parts[b][column]}):
                        yield (
                            f"{path.relative_to(study.root)}: {len(both)} {column} in {a} and "
                            f"{b} of rotation {rotation}: {both[0]}"
                        )


LINKS: Mapping[str, Link] = {
    "raw files": raw,
    "scores": scores,
    "statistics": statistics,
    "partitions": partitions,
}


# The trail of a cell ---------------------------------------------------------------------------

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
    ("EI groups", (catalogue.EI_SCORES,)),
    ("selected frames", (catalogue.SELECTION, catalogue.CROPS)),
    ("estimates", (catalogue.ESTIMATES,)),
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


def _names(study: Recorded) -> Pseudonyms:
    """The codes of the study's report, whose key is made of what the study alone has."""
    people = read_table(study.root / catalogue.PARTICIPANTS.path, PARTICIPANTS)
    hashes = read_table(study.root / RAW_TABLES, VIDEOS)[HASHES].to_numpy().ravel()
    asked = study.params["report"].get("pseudonyms", False)  # older studies have not asked
    return Pseudonyms.of(people, asked, study.params["study"]["seed"], fingerprint(hashes))


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
            "variable",
        ),
        *("group", "threshold_kind", "participant_id", "video_id", "item_id", "wave", "partition"),
    ),
    carried=("item_id", "video_id", "participant_id"),
    plain=(
        "frame",
        "time_s",
        "status",
        "reason",
        "score",
        "label",
        "threshold",
        "weights_sha256",
        "delta",
        "roc_auc",
        "value",
        "ei_score",
        "arousal",
        "valence",
    ),
    begin=_begin,
    raw=_raw,
    taken_in=catalogue.INTAKE.stage,
    keys={"group": "training_group", "total": "assignment"},
    details={
        catalogue.FRAMES: ["box_x_px", "box_y_px", "box_w_px", "box_h_px"],
        catalogue.CROPS: ["height_px", "width_px"],
    },
    part=_of_video,
    narrow=_of_items,
    names=_names,
)
