"""A plan written as a cohort in the study's layout."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Mapping
from math import inf
from pathlib import Path
from statistics import median

from eifer.cohort.adapters.corpus import Ecg, Plan, Trial, rating
from eifer.cohort.folder import Folder, Row
from eifer.cohort.place import make_empty
from eifer.cohort.ratings import unknown_domain
from eifer.errors import InputError, did_you_mean
from eifer.tables.cohort import DOMAINS
from eifer.vocabulary import Dimension, Domain

EI_COLUMNS = ("index", "category", "stimulus", "correct")
LEAST_KEPT = 0.9
"""The share of its film that a video keeps at least when it is cut at a key frame."""


def read_stimuli(path: Path) -> dict[str, Domain]:
    """Which film is of which domain, by a table with the columns stimulus_id and domain.

    Raises
    ------
    InputError
        If it is no such table.
    """
    folder = Folder(path.parent)
    domains = {}
    for row in folder.rows(path.name, ("stimulus_id", "domain")) or ():
        if row.cells["domain"] in DOMAINS:
            domains[row.cells["stimulus_id"]] = Domain(row.cells["domain"])
        else:
            folder.problems.append(unknown_domain(row.at("domain"), row.cells["domain"]))
    if folder.problems:
        raise InputError(f"stimuli {path}", folder.problems)
    return domains


def read_ei(path: Path, plan: Plan) -> dict[str, list[Row]]:
    """The rows of an EI test by participant; whether they are whole `eifer validate` says.

    Raises
    ------
    InputError
        If it is no table with the columns participant_id, index, category, stimulus and
        correct, or is of somebody who is not in the plan.
    """
    folder = Folder(path.parent)
    known = {person.participant for person in plan.corpus.people}
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in folder.rows(path.name, ("participant_id", *EI_COLUMNS)) or ():
        name = row.cells["participant_id"]
        if name not in known:
            where = row.at("participant_id") + did_you_mean(name, known)
            folder.note("EI test of nobody in the corpus", where, "correct participant_id")
        rows[name].append(row)
    if folder.problems:
        raise InputError(f"EI test {path}", folder.problems)
    return rows


def write(plan: Plan, out: Path, ei: Mapping[str, list[Row]]) -> None:
    """Write the cohort; videos are linked where the file system allows it, else copied.

    Raises
    ------
    InputError
        If ``out`` holds something already.
    """
    make_empty(out, plan.corpus.name)
    (out / "dataset_description.json").write_text(
        json.dumps({"Name": plan.corpus.name, "BIDSVersion": "1.11.1", "DatasetType": "raw"})
    )
    (out / ".bidsignore").write_text("*_video.*\nstimuli.tsv\n")
    people = [f"{p.participant}\t{p.age}\t{p.sex}" for p in plan.corpus.people]
    _table(out / "participants.tsv", "participant_id\tage\tsex", people)
    lengths: dict[str, list[float]] = defaultdict(list)
    for trial in plan.corpus.trials:
        if trial.film_s is not None:
            lengths[trial.stimulus].append(trial.film_s)
    films = [
        f"{film}\t{domain}\t{median(lengths[film]):.3f}"
        if lengths[film]
        else f"{film}\t{domain}\tn/a"
        for film, domain in plan.domains.items()
    ]
    _table(out / "stimuli.tsv", "stimulus_id\tdomain\tduration_s", films)
    for participant, runs in plan.runs.items():
        beh = out / participant / "beh"
        beh.mkdir(parents=True)
        stem = f"{participant}_task-"
        rows = [
            "\t".join(map(str, (run, trial.stimulus, *_ratings(trial))))
            for run, trial in runs.items()
        ]
        _table(beh / f"{stem}elicitation_beh.tsv", "run\tstimulus_id\tarousal\tvalence", rows)
        if participant in ei:
            answers = ["\t".join(row.cells[name] for name in EI_COLUMNS) for row in ei[participant]]
            _table(beh / f"{stem}ei_beh.tsv", "\t".join(EI_COLUMNS), answers)
        for run, trial in runs.items():
            _recordings(beh / f"{stem}elicitation_run-{run}", trial)


def _ratings(trial: Trial) -> list[int]:
    assert trial.ratings is not None
    return [rating(trial.ratings[dimension]) for dimension in Dimension]


def _recordings(stem: Path, trial: Trial) -> None:
    assert trial.video is not None
    video = stem.with_name(f"{stem.name}_video{trial.video.suffix.lower()}")
    if trial.cut_s is not None:
        cut(trial.video, video, trial.cut_s)
    else:
        try:
            os.link(trial.video, video)
        except OSError:  # another file system, or one without links
            shutil.copyfile(trial.video, video)
    if trial.ecg is not None:
        _write_ecg(stem.with_name(f"{stem.name}_recording-ecg_physio"), trial.ecg)


def _write_ecg(stem: Path, ecg: Ecg) -> None:
    text = "".join(f"{value:.7g}\n" for value in ecg.read().tolist())
    stem.with_name(f"{stem.name}.tsv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    sidecar = {
        "SamplingFrequency": ecg.hz,
        "StartTime": ecg.start_s,
        "Columns": ["cardiac"],
        "cardiac": {"Units": "mV"},
    }
    stem.with_name(f"{stem.name}.json").write_text(json.dumps(sidecar))


def cut(source: Path, target: Path, seconds: float) -> None:
    """Copy the film of a video up to ``seconds``, without decoding it.

    Only before a key frame can it be cut: the last one up to ``seconds`` unless a tenth would be
    lost, else the next.
    """
    import av

    def time_s(packet: av.Packet) -> float:
        stamp = packet.dts if packet.pts is None else packet.pts
        return float(stamp * packet.time_base)

    with av.open(str(source)) as container:
        keys = [time_s(p) for p in container.demux(video=0) if p.is_keyframe and p.size]
    before = [key for key in keys if LEAST_KEPT * seconds <= key <= seconds]
    end_s = max(before, default=min([key for key in keys if key > seconds], default=inf))
    with av.open(str(source)) as container, av.open(str(target), "w") as written:
        film = container.streams.video[0]
        stream = written.add_stream_from_template(film)
        for packet in container.demux(film):
            if not packet.size or (packet.is_keyframe and time_s(packet) >= end_s):
                break  # the last packet is empty
            packet.stream = stream
            written.mux(packet)


def _table(path: Path, header: str, rows: list[str]) -> None:
    path.write_text("".join(f"{row}\n" for row in (header, *rows)))
