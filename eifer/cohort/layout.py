"""Reading a raw cohort: BIDS behaviour and physiology, plus one face video a run.

What is read, under the cohort's folder::

    dataset_description.json
    participants.tsv (and .json)   participant_id, age, sex, [wave]
    stimuli.tsv                    stimulus_id, domain, [duration_s]
    *_beh.json *_physio.json       sidecars, inherited as BIDS says
    sub-01/beh/                    EI items, ratings; a video and an ECG for each of runs 1-4

Nothing else is read: other top-level files and folders (derivatives/,
sourcedata/), folders beside beh/, hidden files and further columns are passed
over, but they must be such as can be read (`Folder.look_through`). Inside beh/
an unknown file is an error, because it is most often a misnamed one.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from reprlib import repr as short
from typing import Annotated, Any, Literal

import pandas as pd
from annotated_types import Ge, Le

from eifer.cohort.ecg import FORMATS, Sidecars, ecg_files
from eifer.cohort.folder import EXCLUDE, Folder, Row
from eifer.cohort.place import opened
from eifer.cohort.ratings import LEGAL, illegal, labelled, unknown_domain
from eifer.errors import InputError, Problem, did_you_mean, examples
from eifer.ranges import Text
from eifer.tables.attrition import ATTRITION
from eifer.tables.cohort import (
    CATEGORIES,
    DOMAINS,
    EI_ITEMS,
    EI_ITEMS_PER_PARTICIPANT,
    INDICES,
    LONGEST_FILM_S,
    PARTICIPANTS,
    RUNS,
    SEXES,
    STIMULI,
    STIMULI_PER_CATEGORY,
    VIDEOS,
)
from eifer.vocabulary import Dimension, video_id

MISSING = "n/a"
WITHDRAWN = "withdrawn"
"""The reason of a participant who withdrew: results count them, and tell nothing else of them."""
VIDEO_EXTENSIONS = ("mp4", "mkv", "avi", "mov", "webm")
YEARS = ("year", "years")

_ITEM_VALUES = {
    "index": INDICES,
    "category": tuple(map(str, CATEGORIES)),
    "stimulus": tuple(map(str, range(1, STIMULI_PER_CATEGORY + 1))),
    "correct": ("0", "1"),
}
_ITEM = ("index", "category", "stimulus")
_ALL_ITEMS = tuple(product(*(_ITEM_VALUES[column] for column in _ITEM)))

Recording = Literal["video", "ecg"]
RECORDINGS: tuple[Recording, ...] = ("video", "ecg")
FILES: dict[Recording, tuple[str, str, tuple[str, ...]]] = {
    "video": ("videos", "video", VIDEO_EXTENSIONS),
    "ecg": ("ECGs", "recording-ecg_physio", tuple(FORMATS)),
}
"""What several of a recording are called, how its file is named, and with which extensions."""


@dataclass(frozen=True)
class Exclusion:
    """Something left out of the study, and why.

    ``run`` None means every run, ``recording`` None both recordings; both None
    mean the participant as a whole, whose files are then not read at all.
    """

    participant: Text
    reason: Text
    run: Annotated[int, Ge(RUNS[0]), Le(RUNS[-1])] | None = None
    recording: Recording | None = None

    @property
    def whole(self) -> bool:
        """Whether the participant as a whole is left out."""
        return self.run is None and self.recording is None

    def covers(self, participant: str, run: int | None, recording: Recording | None) -> bool:
        """Whether this leaves out all of what is named."""
        return (
            self.participant == participant
            and self.run in (None, run)
            and self.recording in (None, recording)
        )

    def __str__(self) -> str:
        """The participant, run and recording, as far as they are named."""
        run = None if self.run is None else f"run-{self.run}"
        return " ".join(filter(None, (self.participant, run, self.recording)))


@dataclass(frozen=True)
class Cohort:
    """A cohort that keeps the layout's contract, as tables.

    ``videos`` has no row for a run of which both recordings are excluded;
    excluded participants are in ``participants`` and ``attrition`` only.
    """

    root: Path
    participants: pd.DataFrame
    stimuli: pd.DataFrame
    videos: pd.DataFrame
    ei_items: pd.DataFrame
    attrition: pd.DataFrame


def read_cohort(
    root: Path,
    *,
    waves: Sequence[str],
    exclude: Sequence[Exclusion],
) -> Cohort:
    """Read and check a cohort's folder.

    Text files are read and recordings found; whether these decode is for others to say
    (`eifer.faces`, `eifer.physiology`). They have no hashes yet (see `hashed`), ``video_s`` and
    ``video_declared_s`` are missing, and so is ``film_s`` where stimuli.tsv does not give it (see
    `eifer.validation`).

    Parameters
    ----------
    root
        The cohort's folder.
    waves
        The study's waves; everybody must be in one of them, and nobody's wave empty.
    exclude
        What is left out, each with a reason.

    Raises
    ------
    InputError
        Listing everything that is wrong, in one go.
    """
    folder = opened(root)
    folder.look_through()
    sidecars = Sidecars(folder)
    _check_description(folder)
    domains = _read_stimuli(folder)
    people = _read_participants(folder)
    folders = [name for name in folder.names(".") if name.startswith("sub-")]
    listed = folders if people is None else list(people)
    _check_exclusions(folder, exclude, listed)
    whole = {e.participant: e.reason for e in exclude if e.whole}
    if people is not None:
        _check_folders(folder, folders, people, whole)
        _check_waves(folder, waves, people, whole)
    videos: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for participant in sorted({*listed, *folders} - set(whole)):
        # A folder that is missing, or no participant's by its name, is noted above.
        if participant in folders and _is_participant(participant):
            items += _read_ei_items(folder, participant)
            videos += _read_runs(folder, sidecars, participant, domains or {}, exclude)
    if folder.problems:
        raise InputError(f"cohort {root}", folder.problems)

    table = labelled(pd.DataFrame(videos))
    assert people is not None and domains is not None
    table["wave"] = table["participant_id"].map({p: row["wave"] for p, row in people.items()})
    for recording in RECORDINGS:
        table[f"{recording}_sha256"] = None
    return Cohort(
        root=root,
        participants=PARTICIPANTS.frame(
            [
                row | {"excluded": whole.get(name)} | _untold(exclude, name)
                for name, row in people.items()
            ]
        ),
        stimuli=STIMULI.frame(list(domains.values())),
        videos=VIDEOS.conform(table),
        ei_items=EI_ITEMS.frame(items),
        attrition=_attrition(exclude),
    )


def hashed(cohort: Cohort, sha256: Mapping[str, str]) -> Cohort:
    """``cohort`` with the hashes of its recordings, which ``sha256`` has by their paths."""
    videos = cohort.videos.copy()
    for recording in RECORDINGS:
        videos[f"{recording}_sha256"] = videos[f"{recording}_path"].map(sha256)
    return replace(cohort, videos=VIDEOS.conform(videos))


def copies(sha256: Mapping[str, str]) -> list[Problem]:
    """A problem for each content that several recordings share: two runs, or two participants.

    Answers and ratings may be the same, recordings never are: one of them is another's
    under a wrong name, and a face would be trained on and tested.
    """
    same: dict[str, list[str]] = defaultdict(list)
    for path, content in sha256.items():
        same[content].append(path)
    remedy = f"find out whose it is; put the right one in the place of the others, or {EXCLUDE}"
    return [
        Problem("the same recording under several names", " = ".join(sorted(paths)), remedy)
        for paths in same.values()
        if len(paths) > 1
    ]


def _is_participant(name: str) -> bool:
    return re.fullmatch(r"sub-[0-9A-Za-z]+", name) is not None


def _positive(cell: str) -> float | None:
    """A plain decimal number, or None; float() would take 'nan', '1_0' and ' 5'."""
    number = float(cell) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", cell) else math.inf
    return number if math.isfinite(number) else None  # hundreds of digits are infinity


def _check_description(folder: Folder) -> None:
    description = folder.object("dataset_description.json")
    for field in ("Name", "BIDSVersion"):
        if description is not None and field not in description:
            hint = did_you_mean(field, description)
            folder.note("field missing", f"dataset_description.json: {field}{hint}", "add it")
        elif description is not None and not isinstance(description[field], str):
            where = f"dataset_description.json: {field} {short(description[field])}"
            folder.note("field that is not text", where, "put its text between quotes")
    for name in folder.names("."):
        if re.fullmatch(r"(participants|stimuli|task-.*_(beh|physio))\.json", name):
            folder.object(name)
    age: Any = {}
    if folder.there("participants.json"):
        age = (folder.object("participants.json") or {}).get("age", {})
    if not isinstance(age, dict):
        where = f"participants.json: age {short(age)}"
        folder.note("not a JSON object", where, "put its fields between { and }")
    elif age.get("Units", "years") not in YEARS:
        where = f"participants.json: age Units {short(age['Units'])}"
        folder.note("age not in years", where, "give years")


def _read_stimuli(folder: Folder) -> dict[str, dict[str, Any]] | None:
    """Stimuli by identifier; None where the file cannot be used."""
    rows = folder.rows("stimuli.tsv", ("stimulus_id", "domain"), ("duration_s",))
    if rows is None:
        return None
    stimuli: dict[str, dict[str, Any]] = {}
    before = len(folder.problems)
    for row in rows:
        name, domain = row.cells["stimulus_id"], row.cells["domain"]
        duration = row.cells.get("duration_s", MISSING)
        if name in ("", MISSING):
            folder.note("stimulus without a name", row.at("stimulus_id"), "name it")
        elif name in stimuli:
            folder.note("stimulus twice", row.at("stimulus_id"), "keep one row a stimulus")
        if domain not in DOMAINS:
            folder.problems.append(unknown_domain(row.at("domain"), domain))
        if duration != MISSING and not 0 < (_positive(duration) or 0) <= LONGEST_FILM_S:
            what = f"duration_s not a number above 0 and up to {LONGEST_FILM_S}"
            folder.note(what, row.at("duration_s"), "give the film's length in seconds")
        stimuli[name] = {
            "stimulus_id": name,
            "domain": domain,
            "duration_s": _positive(duration),
        }
    _check_case(folder, "stimuli.tsv: stimulus_id", stimuli)
    absent = set(DOMAINS) - {row.cells["domain"] for row in rows}
    if absent and len(folder.problems) == before:
        folder.note(
            "domain without a stimulus",
            f"stimuli.tsv: {', '.join(sorted(absent))}",
            "add a stimulus for each of the four domains",
        )
    return stimuli


def _read_participants(folder: Folder) -> dict[str, dict[str, Any]] | None:
    """Participants by identifier; None where the file cannot be used."""
    rows = folder.rows("participants.tsv", ("participant_id", "age", "sex"), ("wave",))
    if rows is None:
        return None
    people: dict[str, dict[str, Any]] = {}
    for row in rows:
        name, age, sex = (row.cells[column] for column in ("participant_id", "age", "sex"))
        if not _is_participant(name):
            folder.note(
                "participant_id that is not sub-<letters and digits>",
                row.at("participant_id"),
                "rename the participant, in participants.tsv and in files",
            )
            continue
        if name in people:
            folder.note("participant twice", row.at("participant_id"), "keep one row a participant")
        years = _positive(age)
        if age != MISSING and (years is None or years > 120):
            folder.note("age not a number of years", row.at("age"), "correct it, or write n/a")
        if sex not in SEXES:
            folder.note(
                "unknown sex",
                row.at("sex") + did_you_mean(sex, SEXES),
                f"use one of {', '.join(SEXES)}",
            )
        people[name] = {
            "participant_id": name,
            "age_years": years,
            "sex": sex,
            "wave": row.cells.get("wave", "1"),
            "row": row.number,
        }
    _check_case(folder, "participants.tsv: participant_id", people)
    return people


def _check_case(folder: Folder, where: str, names: Iterable[str]) -> None:
    """Note names that some file systems, and most readers, take for one."""
    alike: dict[str, set[str]] = defaultdict(set)
    for name in names:
        alike[name.casefold()].add(name)
    for group in alike.values():
        if len(group) > 1:
            place = f"{where} {' and '.join(map(repr, sorted(group)))}"
            folder.note("names that differ in case alone", place, "rename all but one of them")


def _check_exclusions(
    folder: Folder, exclude: Sequence[Exclusion], listed: Collection[str]
) -> None:
    for place, exclusion in enumerate(exclude):
        if not exclusion.reason.strip():
            folder.note("exclusion without a reason", str(exclusion), "state it in study.exclude")
        if exclusion.participant not in listed:
            folder.note(
                "exclusion of a participant who does not exist",
                f"{exclusion}{did_you_mean(exclusion.participant, listed)}",
                "correct study.exclude in params.yaml",
            )
        if exclusion.run not in (None, *RUNS) or exclusion.recording not in (None, *RECORDINGS):
            folder.note(
                "exclusion of a run or recording that does not exist",
                str(exclusion),
                "name a run from 1 to 4, and 'video' or 'ecg', in study.exclude",
            )
        others = [*exclude[:place], *exclude[place + 1 :]]
        what = (exclusion.participant, exclusion.run, exclusion.recording)
        if any(other.covers(*what) for other in others):
            folder.note(
                "exclusion contained in another",
                str(exclusion),
                "keep the wider one in study.exclude",
            )


def _check_folders(
    folder: Folder,
    folders: Sequence[str],
    people: Mapping[str, object],
    whole: Collection[str],
) -> None:
    for name in folders:
        if name not in people:
            folder.note(
                "folder of nobody in participants.tsv",
                f"{name}{did_you_mean(name, set(people) - set(folders))}",
                "add the participant's row to participants.tsv, or move the folder away",
            )
    for name in people:
        if name not in folders and name not in whole:
            folder.note(
                "participant without a folder",
                f"participants.tsv: {name}",
                f"add the folder, or {EXCLUDE}",
            )


def _check_waves(
    folder: Folder,
    waves: Sequence[str],
    people: Mapping[str, Mapping[str, Any]],
    whole: Collection[str],
) -> None:
    if not waves:
        folder.note("no waves", "params.yaml", "name the study's waves")
    _check_case(folder, "params.yaml: study.waves", waves)
    for wave, times in Counter(waves).items():
        if times > 1:
            folder.note("wave named twice", f"params.yaml: {wave!r}", "name each wave once")
    for name, row in people.items():
        # A wave of which everybody is excluded must not be listed, so theirs may be unknown.
        if row["wave"] not in waves and name not in whole:
            folder.note(
                "participant in a wave that the params do not list",
                f"participants.tsv row {row['row']}: {name}, wave {row['wave']!r}"
                + did_you_mean(row["wave"], waves),
                "correct the wave, or add it to the waves in params.yaml",
            )
    inhabited = {row["wave"] for name, row in people.items() if name not in whole}
    for wave in waves:
        if wave not in inhabited:
            folder.note(
                "wave without participants",
                f"params.yaml: {wave!r}",
                "take it out of params.yaml, or put participants in it (column wave)",
            )


def _read_ei_items(folder: Folder, participant: str) -> list[dict[str, Any]]:
    name = f"{participant}/beh/{participant}_task-ei_beh.tsv"
    if not folder.usable(f"{participant}/beh", folder=True):
        return []
    rows = folder.rows(name, tuple(_ITEM_VALUES))
    if rows is None:
        return []
    seen: dict[tuple[str, ...], Row] = {}
    unreadable = 0
    for row in rows:
        key = tuple(row.cells[column] for column in _ITEM)
        if key in seen:
            folder.note(
                "EI item twice",
                f"{name} row {row.number}: {' '.join(key)}, first in row {seen[key].number}",
                "keep one row an item",
            )
        elif key in _ALL_ITEMS:
            seen[key] = row
        else:
            unreadable += 1
        for column, legal in _ITEM_VALUES.items():
            if row.cells[column] not in legal:
                hint = did_you_mean(row.cells[column], legal) if column == "index" else ""
                remedy = f"use one of {', '.join(legal)}"
                folder.note(f"unknown {column} of an EI item", row.at(column) + hint, remedy)
    absent = [key for key in _ALL_ITEMS if key not in seen]
    if len(absent) > unreadable:
        folder.note(
            f"fewer than {EI_ITEMS_PER_PARTICIPANT} EI items",
            f"{name}: {len(absent)} missing ({examples([' '.join(key) for key in absent])})",
            f"add the items, or for the whole participant: {EXCLUDE}",
        )
    return [
        {
            "participant_id": participant,
            "index": key[0],
            "category": int(key[1]),
            "stimulus": int(key[2]),
            "correct": row.cells["correct"] == "1",
        }
        for key, row in seen.items()
    ]


def _read_runs(
    folder: Folder,
    sidecars: Sidecars,
    participant: str,
    stimuli: Mapping[str, Mapping[str, Any]],
    exclude: Sequence[Exclusion],
) -> list[dict[str, Any]]:
    """A row a run with at least one recording that is not excluded."""
    if not folder.usable(f"{participant}/beh", folder=True):
        return []
    recordings = {
        run: {
            recording: _find(folder, participant, run, recording)
            for recording in RECORDINGS
            if not any(exclusion.covers(participant, run, recording) for exclusion in exclude)
        }
        for run in RUNS
    }
    _check_unknown_files(folder, participant)
    runs = [run for run in RUNS if recordings[run]]
    if not runs:
        folder.note(
            "participant without recordings that are not excluded",
            participant,
            "exclude the whole participant instead (study.exclude in params.yaml)",
        )
    rated = _read_ratings(folder, participant, stimuli, runs)
    return [
        {
            "video_id": video_id(participant, run),
            "participant_id": participant,
            "run": run,
            "video_path": recordings[run].get("video"),
            "video_s": None,
            "video_declared_s": None,
            "ecg_path": recordings[run].get("ecg"),
            **_clock(sidecars, recordings[run].get("ecg")),
            **rated[run],
        }
        for run in runs
        if run in rated
    ]


def _read_ratings(
    folder: Folder, participant: str, stimuli: Mapping[str, Mapping[str, Any]], runs: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Stimulus, domain and ratings by run, of the runs that are not excluded."""
    name = f"{participant}/beh/{participant}_task-elicitation_beh.tsv"
    rows = folder.rows(name, ("run", "stimulus_id", "arousal", "valence"))
    if rows is None:
        return {}
    before = len(folder.problems)
    shown: dict[str, Row] = {}
    by_run: dict[int, Row] = {}
    for row in rows:
        if row.cells["run"] not in map(str, RUNS):
            folder.note("run that is none of 1-4", row.at("run"), "number the runs 1 to 4")
            continue
        run, stimulus = int(row.cells["run"]), row.cells["stimulus_id"]
        if run in by_run:
            folder.note(
                "run twice",
                f"{row.at('run')}, first in row {by_run[run].number}",
                "keep one row a run",
            )
            continue
        by_run[run] = row
        if run not in runs:
            continue
        if stimuli and stimulus not in stimuli:
            folder.note(
                "stimulus_id unknown to stimuli.tsv",
                row.at("stimulus_id") + did_you_mean(stimulus, stimuli),
                "correct it, or add the stimulus to stimuli.tsv",
            )
        elif stimulus in shown:
            folder.note(
                "stimulus shown twice to one participant",
                f"{row.at('stimulus_id')}, first in row {shown[stimulus].number}",
                "correct the stimulus of one of the runs",
            )
        shown[stimulus] = row
        for dimension in Dimension:
            if row.cells[dimension] not in map(str, LEGAL):
                where = f"{participant} {video_id(participant, run)} {row.file} row {row.number}"
                folder.problems.append(illegal(f"{where}: {dimension}", row.cells[dimension]))
    for run in runs:
        if run not in by_run:
            folder.note("run without ratings", f"{name}: run {run}", f"add the row, or {EXCLUDE}")
    rated = {
        run: {
            "stimulus_id": row.cells["stimulus_id"],
            "domain": stimuli.get(row.cells["stimulus_id"], {}).get("domain"),
            "film_s": stimuli.get(row.cells["stimulus_id"], {}).get("duration_s"),
            **{f"{dimension}_rating": row.cells[dimension] for dimension in Dimension},
        }
        for run, row in by_run.items()
        if run in runs
    }
    if len(folder.problems) == before and stimuli:
        _check_domains(folder, name, rated)
    return rated


def _check_domains(folder: Folder, name: str, rated: Mapping[int, Mapping[str, Any]]) -> None:
    """Each run that counts is of another domain, which with four runs means all four."""
    for domain, times in Counter(row["domain"] for row in rated.values()).items():
        if times > 1 and domain in DOMAINS:
            runs = [str(run) for run, row in rated.items() if row["domain"] == domain]
            absent = sorted(set(DOMAINS) - {row["domain"] for row in rated.values()})
            folder.note(
                "participant without one run of each domain",
                f"{name}: runs {' and '.join(runs)} are {domain}, {', '.join(absent)} missing",
                f"correct stimulus_id, or {EXCLUDE}",
            )


def _find(folder: Folder, participant: str, run: int, recording: Recording) -> str | None:
    """The one usable file of a recording, by its path."""
    what, ending, extensions = FILES[recording]
    stem = f"{participant}/beh/{participant}_task-elicitation_run-{run}_{ending}"
    names = [f"{stem}.{extension}" for extension in extensions]
    there = [name for name in names if folder.there(name)]
    if len(there) > 1:
        folder.note(f"several {what} of one run", " and ".join(there), "keep one of them")
    usable = [name for name in there if folder.usable(name)]
    if not there:
        folder.missing(f"{names[0]} (or {', '.join(extensions[1:])})")
    return usable[0] if usable else None


def _clock(sidecars: Sidecars, ecg: str | None) -> dict[str, float | None]:
    """Sampling frequency and start of an ECG."""
    sidecar = None if ecg is None else sidecars.of(ecg)
    return {
        "ecg_hz": None if sidecar is None else sidecar.hz,
        "ecg_start_s": None if sidecar is None else sidecar.start_s,
    }


def _check_unknown_files(folder: Folder, participant: str) -> None:
    names = folder.names(f"{participant}/beh")
    known = set(_legal_names(participant, names))
    for name in names:
        if name not in known:
            folder.note(
                "unknown file in beh/",
                f"{participant}/beh/{name}{did_you_mean(name, sorted(known))}",
                "name it as the layout does, or move it away",
            )


def _legal_names(participant: str, names: Collection[str]) -> Iterator[str]:
    """Every name a file may have in a participant's beh folder, where there are ``names``."""
    for task in ("ei", "elicitation"):
        yield f"{participant}_task-{task}_beh.tsv"
        yield f"{participant}_task-{task}_beh.json"
    for entity in ("", *(f"_run-{run}" for run in RUNS)):
        yield f"{participant}_task-elicitation{entity}_recording-ecg_physio.json"
        yield f"{participant}_task-elicitation{entity}_video.json"
    for run in RUNS:
        stem = f"{participant}_task-elicitation_run-{run}"
        for extension in FORMATS:
            ecg = f"{stem}_recording-ecg_physio.{extension}"
            # Samples without their header would be passed over in silence.
            yield from ecg_files(ecg) if ecg in names else (ecg,)
        for extension in VIDEO_EXTENSIONS:
            yield f"{stem}_video.{extension}"


def _untold(exclude: Sequence[Exclusion], participant: str) -> dict[str, object]:
    """What stands in the place of a participant who withdrew: a number, in the params' order."""
    gone = [e.participant for e in exclude if e.whole and e.reason == WITHDRAWN]
    if participant not in gone:
        return {}
    name = f"{WITHDRAWN}-{gone.index(participant) + 1}"
    return {"participant_id": name, "age_years": None, "sex": MISSING, "wave": MISSING}


def _attrition(exclude: Sequence[Exclusion]) -> pd.DataFrame:
    """A row for each participant and each recording left out."""
    rows: list[dict[str, object]] = []
    for exclusion in exclude:
        row: dict[str, object] = {
            "participant_id": exclusion.participant,
            "reason": exclusion.reason,
            "n": 1,
        }
        if exclusion.whole:
            if untold := _untold(exclude, exclusion.participant):
                row["participant_id"] = untold["participant_id"]
            rows.append(row | {"level": "participant", "video_id": MISSING, "what": "participant"})
            continue
        for run in RUNS if exclusion.run is None else (exclusion.run,):
            video = video_id(exclusion.participant, run)
            for what in RECORDINGS if exclusion.recording is None else (exclusion.recording,):
                rows.append(row | {"level": what, "video_id": video, "what": what})
    return ATTRITION.frame(rows)
