"""MAHNOB-HCI, emotion elicitation: 20 films, 27 participants with faces and ECG.

Structure (Soleymani et al. 2012, doi:10.1109/T-AFFC.2011.25, and the database's manual)::

    Sessions/2/session.xml      attributes feltArsl, feltVlnc (1 to 9), mediaFile, cutNr, isStim;
                                <subject id gender>, <track type="Video" color="1" filename>
    Sessions/2/Part_1_S_Trial1_emotion.bdf      BioSemi, 256 Hz; N instead of S: a neutral clip
    Sessions/2/P1-Rec1-2009.07.09.17.53.46_C1 trigger _C_Section_2.avi      the colour camera

The ECG is EXG3 (left side of the abdomen) less EXG1 (right collarbone), which is about lead II.
Pulses in the channel Status say when the film began and ended, 30 s after the recording began
and as long before it ended. The colour video begins with the film and goes on while the
participant reports aloud what was felt, so its end is cut off.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from eifer.cohort import edf
from eifer.cohort.adapters.corpus import Corpus, Ecg, Person, Trial
from eifer.cohort.ecg import MV_PER_UNIT
from eifer.cohort.header import refused
from eifer.errors import InputError, Problem, RecordingError
from eifer.vocabulary import Dimension

FELT = {Dimension.AROUSAL: "feltArsl", Dimension.VALENCE: "feltVlnc"}
POSITIVE, NEGATIVE, STATUS = "EXG3", "EXG1", "Status"
TRIGGERS = 0xFFFF
"""The bits of Status that hold triggers; those above are the amplifier's own."""


def read(source: Path) -> Corpus:
    """Find the sessions with emotional films in MAHNOB-HCI's folder.

    Raises
    ------
    InputError
        If there is no session, or files of one cannot be read.
    """
    found = sorted(source.rglob("session.xml"), key=lambda path: (len(str(path)), path))
    if not found:
        problem = Problem("no session.xml", str(source), "give the folder that holds Sessions")
        raise InputError("MAHNOB-HCI", [problem])
    trials: list[Trial] = []
    people: dict[str, Person] = {}
    problems: list[Problem] = []
    for path in found:
        try:
            trial, person = _trial(path)
        except RecordingError as error:
            assert error.problem is not None
            problems.append(error.problem)
        except (ElementTree.ParseError, ValueError, LookupError) as error:
            where = f"{path.relative_to(source)}: {error}"
            problems.append(Problem("not MAHNOB-HCI's session.xml", where, "fetch it again"))
        else:
            if trial is not None:
                people.setdefault(person.participant, person)
                trials.append(trial)
    if problems:
        raise InputError("MAHNOB-HCI", problems)
    return Corpus("MAHNOB-HCI", [people[name] for name in sorted(people)], trials)


def _trial(path: Path) -> tuple[Trial | None, Person]:
    session = ElementTree.parse(path).getroot()
    subject = session.find("subject")
    if subject is None:
        raise ValueError("no subject")
    name = f"sub-{int(subject.attrib['id']):02d}"
    sex = subject.get("gender", "").strip()[:1].upper()
    person = Person(name, sex=sex if sex in ("F", "M") else "n/a")
    recordings = sorted(path.parent.glob("Part_*_Trial*_emotion.bdf"))
    emotional = "_S_" in recordings[0].name if recordings else session.get("isStim") == "1"
    if not emotional or FELT[Dimension.AROUSAL] not in session.attrib:
        return None, person
    ecg, film_s = _ecg(recordings[0]) if recordings else (None, None)
    trial = Trial(
        name,
        int(session.attrib["cutNr"]),
        session.attrib["mediaFile"].strip(),
        {dimension: float(session.attrib[field]) for dimension, field in FELT.items()},
        _video(path.parent, session),
        ecg,
        film_s,
        film_s,
    )
    return trial, person


def _video(folder: Path, session: ElementTree.Element) -> Path | None:
    for track in session.iter("track"):
        if track.get("type") == "Video" and track.get("color") == "1":
            path = folder / Path(track.get("filename", "")).name
            return path if path.is_file() else None
    return None


def _ecg(path: Path) -> tuple[Ecg, float]:
    """The ECG during the film, and how long that was."""
    header = edf.header(path)
    absent = [name for name in (POSITIVE, NEGATIVE, STATUS) if name not in header.channels]
    if absent:
        remedy = "fetch the session again, or take its folder away"
        raise refused("BDF without a channel of MAHNOB-HCI", path, ", ".join(absent), remedy)
    status, plus, minus = map(header.channels.index, (STATUS, POSITIVE, NEGATIVE))
    hz, unit = header.hz[plus], header.units[plus]
    on = (edf.digital(path, status) & TRIGGERS) > 0
    rises = np.flatnonzero(on[1:] & ~on[:-1]) + 1
    if len(rises) < 2 or hz is None or unit not in MV_PER_UNIT:
        detail = f"{len(rises)} pulses in {STATUS}, {POSITIVE} in {unit!r}"
        remedy = "fetch the session again, or take its folder away"
        raise refused("BDF that does not say when the film began and ended", path, detail, remedy)
    first, last = int(rises[0]), int(rises[1])
    cut = partial(_lead, path, plus, minus, slice(first, last), MV_PER_UNIT[unit])
    return Ecg(hz, 0.0, cut), (last - first) / hz


def _lead(
    path: Path, plus: int, minus: int, film: slice, mv_per_unit: float
) -> NDArray[np.float64]:
    lead = edf.signal(path, plus)[film] - edf.signal(path, minus)[film]
    return np.asarray(lead * mv_per_unit)
