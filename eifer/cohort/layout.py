"""Reading a raw cohort: BIDS behaviour and physiology, plus one face video a run.

What is read, under the cohort's folder::

    dataset_description.json
    participants.tsv (and .json)   participant_id, age, sex, [wave]
    stimuli.tsv                    stimulus_id, domain, [duration_s]
    *_beh.json *_physio.json       sidecars, inherited as BIDS says
    sub-01/beh/                    EI items, ratings; a video and an ECG for each of runs 1-4

Nothing else is read: other top-level files and folders (derivatives/,
sourcedata/), folders beside beh/, hidden files and further columns are passed
over. Inside beh/ an unknown file is an error, because it is most often a
misnamed one. Nothing outside the folder is followed. Row numbers in messages
count the header as row 1, as an editor does.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from annotated_types import Ge, Le
from numpy.typing import NDArray

from eifer.cohort.ratings import LEGAL, illegal, labelled
from eifer.errors import InputError, Problem, RecordingError, did_you_mean, examples
from eifer.hashing import sha256_file
from eifer.ranges import Text
from eifer.tables.attrition import ATTRITION
from eifer.tables.cohort import (
    CATEGORIES,
    DOMAINS,
    EI_ITEMS,
    EI_ITEMS_PER_PARTICIPANT,
    INDICES,
    PARTICIPANTS,
    RUNS,
    SEXES,
    STIMULI,
    STIMULI_PER_CATEGORY,
    VIDEOS,
)
from eifer.vocabulary import Dimension, video_id

MISSING = "n/a"
VIDEO_EXTENSIONS = ("mp4", "mkv", "avi", "mov", "webm")
ECG_COLUMNS = ("cardiac", "ecg")
MV_PER_UNIT = {"mV": 1.0, "uV": 1e-3, "\u00b5V": 1e-3, "\u03bcV": 1e-3, "V": 1e3}
YEARS = ("year", "years")

_ALL_ITEMS = tuple(
    (index, str(category), str(stimulus))
    for index in INDICES
    for category in CATEGORIES
    for stimulus in range(1, STIMULI_PER_CATEGORY + 1)
)
_KNOWN_ITEMS = frozenset(_ALL_ITEMS)
_ITEM_VALUES = {
    "index": INDICES,
    "category": tuple(map(str, CATEGORIES)),
    "stimulus": tuple(map(str, range(1, STIMULI_PER_CATEGORY + 1))),
    "correct": ("0", "1"),
}
_EXCLUDE = "exclude it with a reason (study.exclude in params.yaml)"

Recording = Literal["video", "ecg"]
RECORDINGS: tuple[Recording, ...] = ("video", "ecg")


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


@dataclass(frozen=True)
class EcgSidecar:
    """How an ECG file is to be read.

    ``column`` is the ECG's place in ``columns``; ``hz`` the sampling frequency,
    ``start_s`` the first sample's time from the start of the run.
    """

    columns: tuple[str, ...]
    column: int
    hz: float
    start_s: float
    mv_per_unit: float


@dataclass(frozen=True)
class _Row:
    """One line of a text table: where it is, and its cells as they stand."""

    file: str
    number: int
    cells: Mapping[str, str]

    def at(self, column: str) -> str:
        """The place and value of a cell, for a message."""
        return f"{self.file} row {self.number}: {column} {self.cells[column]!r}"


class _Folder:
    """A folder from which nothing outside is read, and which notes faults instead of stopping."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = root.resolve()
        self.problems: list[Problem] = []
        self._usable: dict[tuple[str, bool], bool] = {}
        self._objects: dict[str, dict[str, Any] | None] = {}
        self._sidecars: dict[tuple[str, ...], EcgSidecar | None] = {}

    def note(self, what: str, where: str, remedy: str) -> None:
        self.problems.append(Problem(what, where, remedy))

    def missing(self, name: str) -> None:
        self.note("missing file or folder", name, f"add it, or if a recording: {_EXCLUDE}")

    def there(self, name: str) -> bool:
        """Whether anything, even a broken link, has this name."""
        return os.path.lexists(self.root / name)

    def usable(self, name: str, *, folder: bool = False) -> bool:
        """Whether ``name`` is a file (or folder) inside; anything else in its place is noted."""
        if (name, folder) not in self._usable:
            self._usable[name, folder] = self._look(name, folder)
        return self._usable[name, folder]

    def _look(self, name: str, folder: bool) -> bool:
        path = self.root / name
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError):
            if self.there(name):
                self.note("link that leads nowhere", name, "put the file itself there")
            else:
                self.missing(name)
            return False
        if not real.is_relative_to(self.real):
            self.note(
                "link that leads out of the cohort's folder",
                name,
                "put the file itself there: nothing outside the folder is followed",
            )
            return False
        if not (real.is_dir() if folder else real.is_file()):
            self.note(f"not a {'folder' if folder else 'file'}", name, "replace it")
            return False
        if not folder and real.stat().st_size == 0:
            self.note("zero-byte file", name, f"copy it again from its source, or {_EXCLUDE}")
            return False
        return True

    def names(self, folder: str) -> list[str]:
        """What is in a folder that is usable, hidden files apart, in order."""
        if folder != "." and not self.usable(folder, folder=True):
            return []
        try:
            return sorted(n for n in os.listdir(self.root / folder) if not n.startswith("."))
        except OSError as error:
            self.note("folder that cannot be listed", f"{folder}: {error.strerror}", "mend it")
            return []

    def text(self, name: str) -> str | None:
        """The text of a file in UTF-8; None where it cannot be read, which is noted."""
        if not self.usable(name):
            return None
        try:
            data = (self.root / name).read_bytes()
            if data.startswith(b"\xef\xbb\xbf"):
                self.note("byte-order mark", f"{name} byte 0", "save it as UTF-8 without BOM")
                return None
            return data.decode()
        except UnicodeDecodeError as error:
            where = f"{name} byte {error.start} (0x{data[error.start]:02x})"
            self.note("not UTF-8", where, "save it again in UTF-8")
        except OSError as error:
            self.note("file that cannot be read", f"{name}: {error.strerror}", "mend it")
        return None

    def object(self, name: str) -> dict[str, Any] | None:
        """A JSON file's object; None where it is none, which is noted once."""
        if name not in self._objects:
            self._objects[name] = None
            text = self.text(name)
            if text is not None:
                try:
                    content = json.loads(text)
                except (ValueError, RecursionError) as error:
                    self.note("not JSON", f"{name}: {error}", "mend its syntax")
                else:
                    if isinstance(content, dict):
                        self._objects[name] = content
                    else:
                        self.note("not a JSON object", name, "put its fields between { and }")
        return self._objects[name]

    def rows(
        self, name: str, required: Sequence[str], optional: Sequence[str] = ()
    ) -> list[_Row] | None:
        """A tab-separated table's rows; None where it cannot be used, which is noted.

        A row with too few or too many cells is noted and left out.
        """
        text = self.text(name)
        if text is None:
            return None
        lines = [line.removesuffix("\r") for line in text.rstrip("\r\n").split("\n")]
        header = lines[0].split("\t")
        absent = [column for column in (*required, *optional) if column not in header]
        unknown = [column for column in header if column not in (*required, *optional)]
        wrong = [f"{column!r} missing" for column in absent if column in required]
        # An optional column under a misspelt name would be passed over in silence.
        wrong += [
            f"{name_!r}{hint}"
            for name_ in unknown
            if (hint := did_you_mean(name_.strip().casefold(), absent))
        ]
        wrong += [f"{column!r} twice" for column, n in Counter(header).items() if n > 1]
        if wrong:
            self.note(
                "wrong columns",
                f"{name} row 1: {', '.join(wrong)}",
                "name the columns in the first row as the layout does, separated by tabs",
            )
            return None
        rows = []
        for number, line in enumerate(lines[1:], start=2):
            cells = line.split("\t")
            if len(cells) == len(header):
                rows.append(_Row(name, number, dict(zip(header, cells, strict=True))))
            else:
                self.note(
                    "wrong number of columns",
                    f"{name} row {number}: {len(cells)} instead of {len(header)}: {line[:40]!r}",
                    "separate cells by tabs, write n/a for missing, leave no empty row",
                )
        if len(lines) == 1:
            self.note("no rows", name, "add the rows below the header")
            return None
        return rows

    def sidecar(self, ecg: str) -> EcgSidecar | None:
        """What an ECG's sidecars say, inherited from the root down to its own folder."""
        chain = []
        parents = PurePosixPath(ecg).parents
        for folder in reversed(parents):
            at = folder.as_posix()
            applying = [n if at == "." else f"{at}/{n}" for n in self.names(at) if _applies(n, ecg)]
            if len(applying) > 1:
                self.note(
                    "several sidecars for one recording in one folder",
                    f"{ecg}: {', '.join(applying)}",
                    "merge them, so that one applies",
                )
            chain += applying
        if not chain:
            self.note(
                "ECG without a sidecar",
                ecg,
                "add task-elicitation_recording-ecg_physio.json beside participants.tsv",
            )
            return None
        key = tuple(chain)
        if key not in self._sidecars:
            objects = [self.object(name) for name in chain]
            merged: dict[str, Any] = {}
            for content in objects:
                merged |= content or {}
            # An unreadable sidecar is noted by itself; what it lacks would only be an echo.
            self._sidecars[key] = None if None in objects else self._ecg_sidecar(chain, merged)
        return self._sidecars[key]

    def _ecg_sidecar(self, chain: list[str], content: dict[str, Any]) -> EcgSidecar | None:
        where = " + ".join(chain)
        before = len(self.problems)

        def number(field: str, low: float, remedy: str) -> float:
            value: Any = content.get(field)
            if type(value) in (int, float) and low < value < np.inf:
                return float(value)
            hint = "" if field in content else did_you_mean(field, content)
            shown = f"{value!r}" if field in content else "missing"
            self.note(f"sidecar without {field}", f"{where}: {shown}{hint}", remedy)
            return 0.0

        hz = number("SamplingFrequency", 0, "state the ECG's samples per second, above 0")
        start_s = number("StartTime", -np.inf, "state the first sample's time in seconds, often 0")
        columns = content.get("Columns")
        names: tuple[str, ...] = ()
        places: list[int] = []
        if isinstance(columns, list) and columns and all(isinstance(c, str) for c in columns):
            names = tuple(columns)
            places = [i for i, column in enumerate(names) if column.casefold() in ECG_COLUMNS]
            if len(places) != 1:
                self.note(
                    "sidecar without one ECG column",
                    f"{where}: Columns {columns}",
                    "name the ECG's column, and no other, 'cardiac'",
                )
        else:
            hint = "" if "Columns" in content else did_you_mean("Columns", content)
            shown = f"{columns!r}" if "Columns" in content else "missing"
            self.note(
                "sidecar without Columns",
                f"{where}: {shown}{hint}",
                "list the names of the file's columns, the ECG's as 'cardiac'",
            )
        unit = None
        if len(places) == 1:
            described = content.get(names[places[0]])
            unit = described.get("Units") if isinstance(described, dict) else None
            if unit not in MV_PER_UNIT:
                self.note(
                    "ECG without a unit of voltage",
                    f"{where}: {names[places[0]]} Units {unit!r}",
                    f"state the column's Units as one of {', '.join(MV_PER_UNIT)}",
                )
        if len(self.problems) > before:
            return None
        return EcgSidecar(names, places[0], hz, start_s, MV_PER_UNIT[str(unit)])


def read_cohort(
    root: Path,
    *,
    waves: Sequence[str],
    exclude: Sequence[Exclusion],
    hash_file: Callable[[Path], str] = sha256_file,
    workers: int = 1,
) -> Cohort:
    """Read and check a cohort's folder.

    Text files are read, recordings found, measured in bytes and hashed; whether
    they decode is for others to say (`eifer.faces`, `eifer.physiology`).

    Parameters
    ----------
    root
        The cohort's folder.
    waves
        The study's waves; everybody must be in one of them, and nobody's wave empty.
    exclude
        What is left out, each with a reason.
    hash_file
        Gives the hash of a recording.
    workers
        Threads that hash at the same time; never changes a result.

    Raises
    ------
    InputError
        Listing everything that is wrong, in one go.
    """
    if not root.is_dir():
        where = "not a folder" if root.exists() else "missing"
        raise InputError(
            f"cohort {root}",
            [Problem("no cohort", f"{root}: {where}", "give the path of a cohort's folder")],
        )
    folder = _Folder(root)
    _check_description(folder)
    domains = _read_stimuli(folder)
    people = _read_participants(folder)
    folders = [name for name in folder.names(".") if name.startswith("sub-")]
    listed = folders if people is None else list(people)
    _check_exclusions(folder, exclude, listed)
    whole = {e.participant: e.reason for e in exclude if e.whole}
    _check_folders(folder, folders, people, whole)
    if people is not None:
        _check_waves(folder, waves, people, whole)
    videos: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for participant in sorted({*listed, *folders} - set(whole)):
        # A folder that is missing, or no participant's by its name, is noted above.
        if participant in folders and _is_participant(participant):
            items += _read_ei_items(folder, participant)
            videos += _read_runs(folder, participant, domains or {}, exclude)
    if folder.problems:
        raise InputError(f"cohort {root}", folder.problems)

    table = labelled(pd.DataFrame(videos))
    assert people is not None and domains is not None
    table["wave"] = table["participant_id"].map({p: row["wave"] for p, row in people.items()})
    _hash_recordings(folder, table, hash_file, workers)
    return Cohort(
        root=root,
        participants=PARTICIPANTS.frame(
            [row | {"excluded": whole.get(name)} for name, row in people.items()]
        ),
        stimuli=STIMULI.frame(list(domains.values())),
        videos=VIDEOS.conform(table),
        ei_items=EI_ITEMS.frame(items),
        attrition=_attrition(exclude),
    )


def ecg_sidecar(root: Path, ecg_path: str) -> EcgSidecar:
    """What the sidecars say of the ECG at ``ecg_path`` (posix, relative to ``root``).

    BIDS inheritance: sidecars in the cohort's folder, the participant's and the
    file's own apply in this order, fields of a later one winning.

    Raises
    ------
    InputError
        If no sidecar applies, or SamplingFrequency, StartTime, Columns, the ECG
        column or its unit are missing or make no sense.
    """
    folder = _Folder(root)
    sidecar = folder.sidecar(ecg_path) if folder.usable(ecg_path) else None
    if sidecar is None or folder.problems:
        raise InputError(f"ECG {ecg_path}", folder.problems)
    return sidecar


def read_ecg(path: Path, sidecar: EcgSidecar) -> NDArray[np.float64]:
    """The ECG of one file, in mV, shape (samples,).

    Raises
    ------
    RecordingError
        If the file is no whole gzip, has no samples, a row has another number of
        columns than the sidecar names, or an ECG cell is no finite number.
    """
    # Arrow refuses what pandas' equally fast parser lets pass: ragged rows and empty cells.
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    try:
        data = gzip.decompress(path.read_bytes())
    except EOFError:
        raise RecordingError(f"{path}: gzip ends early; copy it again from its source") from None
    except (OSError, zlib.error) as error:
        raise RecordingError(f"{path}: no readable gzip ({error}); compress it again") from None
    if not data.strip():
        raise RecordingError(f"{path}: no samples; {_EXCLUDE}")
    # Columns get Arrow names by place: the sidecar's might be the same twice.
    places = [str(place) for place in range(len(sidecar.columns))]
    wanted = places[sidecar.column]
    try:
        column = csv.read_csv(
            io.BytesIO(data),
            read_options=csv.ReadOptions(column_names=places, use_threads=False),
            parse_options=csv.ParseOptions(
                delimiter="\t", quote_char=False, ignore_empty_lines=False
            ),
            convert_options=csv.ConvertOptions(
                include_columns=[wanted], column_types={wanted: pa.float64()}, null_values=[]
            ),
        )[wanted]
    except pa.ArrowInvalid:
        column = None
    if column is None or column.null_count or not pc.all(pc.is_finite(column)).as_py():
        raise RecordingError(f"{path}: {_faults(data, sidecar)}")
    signal: NDArray[np.float64] = column.to_numpy()
    return signal * sidecar.mv_per_unit


def _faults(data: bytes, sidecar: EcgSidecar) -> str:
    """What is wrong with an ECG's rows, in words; slow, and called only when something is."""
    ragged, odd = [], []
    lines = data.decode(errors="replace").removesuffix("\n").split("\n")
    for number, line in enumerate(lines, start=1):
        cells = line.removesuffix("\r").split("\t")
        if len(cells) != len(sidecar.columns):
            ragged.append(f"row {number} has {len(cells)}")
        elif not _is_finite(cells[sidecar.column]):
            odd.append(f"row {number} {cells[sidecar.column][:40]!r}")
    said = []
    if ragged:
        said.append(
            f"{len(ragged)} rows have another number of columns than the {len(sidecar.columns)} "
            f"that the sidecar names ({examples(ragged)}); correct the file or Columns"
        )
    if odd:
        said.append(
            f"{len(odd)} samples are no numbers ({examples(odd)}); correct them (the file has "
            f"no header line), or {_EXCLUDE}"
        )
    return "; ".join(said) or "not a table of numbers; write it again"


def _is_finite(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _is_participant(name: str) -> bool:
    return re.fullmatch(r"sub-[0-9A-Za-z]+", name) is not None


def _positive(cell: str) -> float | None:
    """A plain decimal number, or None; float() would take 'nan', '1_0' and ' 5'."""
    return float(cell) if re.fullmatch(r"[0-9]+(\.[0-9]+)?", cell) else None


def _applies(sidecar: str, data: str) -> bool:
    """Whether BIDS lets a JSON file of this name describe the data file: no entity of its own."""
    if not sidecar.endswith(".json"):
        return False
    *entities, suffix = sidecar.removesuffix(".json").split("_")
    *described, data_suffix = PurePosixPath(data).name.split(".")[0].split("_")
    return suffix == data_suffix and set(entities) <= set(described)


def _check_description(folder: _Folder) -> None:
    description = folder.object("dataset_description.json")
    for field in ("Name", "BIDSVersion"):
        if description is not None and not isinstance(description.get(field), str):
            folder.note(
                "field missing",
                f"dataset_description.json: {field}{did_you_mean(field, description)}",
                "add it as text",
            )
    for name in folder.names("."):
        if re.fullmatch(r"(participants|stimuli|task-.*_(beh|physio))\.json", name):
            folder.object(name)
    age = None
    if folder.there("participants.json"):
        age = (folder.object("participants.json") or {}).get("age")
    unit = age.get("Units", "years") if isinstance(age, dict) else "years"
    if unit not in YEARS:
        folder.note("age not in years", f"participants.json: age Units {unit!r}", "give years")


def _read_stimuli(folder: _Folder) -> dict[str, dict[str, Any]] | None:
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
            folder.note(
                "unknown domain",
                row.at("domain") + did_you_mean(domain, DOMAINS),
                f"use one of {', '.join(DOMAINS)}",
            )
        if duration != MISSING and not _positive(duration):
            folder.note("duration_s not a number above 0", row.at("duration_s"), "give seconds")
        stimuli[name] = {
            "stimulus_id": name,
            "domain": domain,
            "duration_s": _positive(duration),
        }
    absent = set(DOMAINS) - {row.cells["domain"] for row in rows}
    if absent and len(folder.problems) == before:
        folder.note(
            "domain without a stimulus",
            f"stimuli.tsv: {', '.join(sorted(absent))}",
            "add a stimulus for each of the four domains",
        )
    return stimuli


def _read_participants(folder: _Folder) -> dict[str, dict[str, Any]] | None:
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
    return people


def _check_exclusions(
    folder: _Folder, exclude: Sequence[Exclusion], listed: Collection[str]
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
    folder: _Folder,
    folders: Sequence[str],
    people: Mapping[str, object] | None,
    whole: Collection[str],
) -> None:
    if people is None:
        return
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
                f"add the folder, or {_EXCLUDE}",
            )


def _check_waves(
    folder: _Folder,
    waves: Sequence[str],
    people: Mapping[str, Mapping[str, Any]],
    whole: Collection[str],
) -> None:
    if not waves:
        folder.note("no waves", "params.yaml", "name the study's waves")
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


def _read_ei_items(folder: _Folder, participant: str) -> list[dict[str, Any]]:
    name = f"{participant}/beh/{participant}_task-ei_beh.tsv"
    if not folder.usable(f"{participant}/beh", folder=True):
        return []
    rows = folder.rows(name, ("index", "category", "stimulus", "correct"))
    if rows is None:
        return []
    seen: dict[tuple[str, str, str], _Row] = {}
    unreadable = 0
    for row in rows:
        key = (row.cells["index"], row.cells["category"], row.cells["stimulus"])
        if key in seen:
            folder.note(
                "EI item twice",
                f"{name} row {row.number}: {' '.join(key)}, first in row {seen[key].number}",
                "keep one row an item",
            )
        elif key in _KNOWN_ITEMS:
            seen[key] = row
        else:
            unreadable += 1
        for column, legal in _ITEM_VALUES.items():
            if row.cells[column] not in legal:
                hint = did_you_mean(row.cells[column], legal) if column == "index" else ""
                folder.note(f"unknown {column} of an EI item", row.at(column) + hint, _say(legal))
    absent = [key for key in _ALL_ITEMS if key not in seen]
    if len(absent) > unreadable:
        folder.note(
            f"fewer than {EI_ITEMS_PER_PARTICIPANT} EI items",
            f"{name}: {len(absent)} missing ({examples([' '.join(key) for key in absent])})",
            f"add the items, or for the whole participant: {_EXCLUDE}",
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


def _say(legal: Sequence[str]) -> str:
    return f"use one of {', '.join(legal)}"


def _read_runs(
    folder: _Folder,
    participant: str,
    stimuli: Mapping[str, Mapping[str, Any]],
    exclude: Sequence[Exclusion],
) -> list[dict[str, Any]]:
    """A row a run with at least one recording that is not excluded."""
    if not folder.usable(f"{participant}/beh", folder=True):
        return []
    finders: dict[Recording, Callable[[_Folder, str, int], str | None]] = {
        "video": _find_video,
        "ecg": _find_ecg,
    }
    recordings = {
        run: {
            recording: find(folder, participant, run)
            for recording, find in finders.items()
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
            "ecg_path": recordings[run].get("ecg"),
            "ecg_hz": _hz(folder, recordings[run].get("ecg")),
            **rated[run],
        }
        for run in runs
        if run in rated
    ]


def _read_ratings(
    folder: _Folder, participant: str, stimuli: Mapping[str, Mapping[str, Any]], runs: Sequence[int]
) -> dict[int, dict[str, Any]]:
    """Stimulus, domain and ratings by run, of the runs that are not excluded."""
    name = f"{participant}/beh/{participant}_task-elicitation_beh.tsv"
    rows = folder.rows(name, ("run", "stimulus_id", "arousal", "valence"))
    if rows is None:
        return {}
    before = len(folder.problems)
    shown: dict[str, _Row] = {}
    by_run: dict[int, _Row] = {}
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
            folder.note("run without ratings", f"{name}: run {run}", f"add the row, or {_EXCLUDE}")
    rated = {
        run: {
            "stimulus_id": row.cells["stimulus_id"],
            "domain": stimuli.get(row.cells["stimulus_id"], {}).get("domain"),
            **{f"{dimension}_rating": row.cells[dimension] for dimension in Dimension},
        }
        for run, row in by_run.items()
        if run in runs
    }
    if len(folder.problems) == before and stimuli:
        _check_domains(folder, name, rated)
    return rated


def _check_domains(folder: _Folder, name: str, rated: Mapping[int, Mapping[str, Any]]) -> None:
    """Each run that counts is of another domain, which with four runs means all four."""
    for domain, times in Counter(row["domain"] for row in rated.values()).items():
        if times > 1 and domain in DOMAINS:
            runs = [str(run) for run, row in rated.items() if row["domain"] == domain]
            absent = sorted(set(DOMAINS) - {row["domain"] for row in rated.values()})
            folder.note(
                "participant without one run of each domain",
                f"{name}: runs {' and '.join(runs)} are {domain}, {', '.join(absent)} missing",
                f"correct stimulus_id, or {_EXCLUDE}",
            )


def _stem(participant: str, run: int) -> str:
    return f"{participant}/beh/{participant}_task-elicitation_run-{run}"


def _find_video(folder: _Folder, participant: str, run: int) -> str | None:
    names = [f"{_stem(participant, run)}_video.{extension}" for extension in VIDEO_EXTENSIONS]
    found = [name for name in names if folder.there(name)]
    if len(found) > 1:
        folder.note("several videos of one run", " and ".join(found), "keep one of them")
    usable = [name for name in found if folder.usable(name)]
    if not found:
        folder.missing(f"{names[0]} (or {', '.join(VIDEO_EXTENSIONS[1:])})")
    return usable[0] if usable else None


def _find_ecg(folder: _Folder, participant: str, run: int) -> str | None:
    name = f"{_stem(participant, run)}_recording-ecg_physio.tsv.gz"
    return name if folder.usable(name) else None


def _hz(folder: _Folder, ecg: str | None) -> float | None:
    sidecar = None if ecg is None else folder.sidecar(ecg)
    return None if sidecar is None else sidecar.hz


def _check_unknown_files(folder: _Folder, participant: str) -> None:
    known = set(_legal_names(participant))
    for name in folder.names(f"{participant}/beh"):
        if name not in known:
            folder.note(
                "unknown file in beh/",
                f"{participant}/beh/{name}{did_you_mean(name, sorted(known))}",
                "name it as the layout does, or move it away",
            )


def _legal_names(participant: str) -> Iterator[str]:
    """Every name a file in a participant's beh folder may have."""
    for task in ("ei", "elicitation"):
        yield f"{participant}_task-{task}_beh.tsv"
        yield f"{participant}_task-{task}_beh.json"
    for entity in ("", *(f"_run-{run}" for run in RUNS)):
        yield f"{participant}_task-elicitation{entity}_recording-ecg_physio.json"
        yield f"{participant}_task-elicitation{entity}_video.json"
    for run in RUNS:
        yield f"{participant}_task-elicitation_run-{run}_recording-ecg_physio.tsv.gz"
        for extension in VIDEO_EXTENSIONS:
            yield f"{participant}_task-elicitation_run-{run}_video.{extension}"


def _hash_recordings(
    folder: _Folder, table: pd.DataFrame, hash_file: Callable[[Path], str], workers: int
) -> None:
    """Add the hashes of the recordings to the table, in place."""
    for recording in RECORDINGS:
        paths = table[f"{recording}_path"].dropna()
        try:
            with ThreadPoolExecutor(workers) as pool:
                hashes = list(pool.map(lambda name: hash_file(folder.root / name), paths))
        except OSError as error:
            raise InputError(
                f"cohort {folder.root}",
                [Problem("file that cannot be read", str(error), "mend it")],
            ) from error
        table[f"{recording}_sha256"] = pd.Series(hashes, index=paths.index, dtype="str")


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
            rows.append(row | {"level": "participant", "video_id": MISSING, "what": "participant"})
            continue
        for run in RUNS if exclusion.run is None else (exclusion.run,):
            video = video_id(exclusion.participant, run)
            for what in RECORDINGS if exclusion.recording is None else (exclusion.recording,):
                rows.append(row | {"level": what, "video_id": video, "what": what})
    return ATTRITION.frame(rows)
