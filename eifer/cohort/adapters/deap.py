"""DEAP: 40 music videos of a minute, 32 participants, the faces of 22 of them, no ECG.

Structure (Koelstra et al. 2012, doi:10.1109/T-AFFC.2011.15, and the readme at
eecs.qmul.ac.uk/mmv/datasets/deap/readme.html)::

    metadata_csv/participant_ratings.csv        Participant_id, Trial, Experiment_id, Start_time,
                                                Valence, Arousal, Dominance, Liking, Familiarity
    metadata_csv/participant_questionnaire.csv  Participant_id, Gender, Age and answers
    face_video/s01/s01_trial01.avi              by Trial, the order of presentation
    data_original/s01.bdf                       EEG, plethysmograph and others: not read

Experiment_id names the film. A plethysmograph is no ECG: its pulses have no R peaks, so nothing
is read from ``data_original``, and no HRV comes from this corpus.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

from eifer.cohort.adapters.corpus import Corpus, Person, Trial
from eifer.errors import InputError, Problem
from eifer.vocabulary import Dimension

RATINGS, QUESTIONNAIRE = "participant_ratings.csv", "participant_questionnaire.csv"
COLUMNS = ("Participant_id", "Trial", "Experiment_id", "Valence", "Arousal")
FILM_S = 60.0


def read(source: Path) -> Corpus:
    """Find what is in DEAP's folder, wherever its archives were unpacked in it.

    Raises
    ------
    InputError
        If the ratings are not there or not DEAP's.
    """
    tables = sorted(source.rglob(RATINGS))
    if len(tables) != 1:
        where = f"{source}: {len(tables)} files {RATINGS}"
        remedy = "give the folder in which metadata_csv and face_video were unpacked, once each"
        raise InputError("DEAP", [Problem("not DEAP's folder", where, remedy)])
    videos = {path.stem: path for path in sorted(source.rglob("s??_trial??.avi"))}
    trials: list[Trial] = []
    problems: list[Problem] = []
    for number, row in enumerate(_rows(tables[0], COLUMNS), start=2):
        try:
            person, order, film = (int(row[name]) for name in COLUMNS[:3])
            ratings = {d: float(row[d.value.capitalize()]) for d in Dimension}
        except (TypeError, ValueError):
            remedy = "take the file from DEAP's archive again"
            problems.append(Problem("row without numbers", f"{RATINGS} row {number}", remedy))
            continue
        video = videos.get(f"s{person:02d}_trial{order:02d}")
        trials.append(Trial(f"sub-{person:02d}", order, f"{film}", ratings, video, film_s=FILM_S))
    if problems:
        raise InputError("DEAP", problems)
    known = _people(source)
    names = sorted({trial.participant for trial in trials})
    return Corpus(
        "DEAP",
        [known.get(name, Person(name)) for name in names],
        trials,
        no_ecg="DEAP recorded a plethysmograph, no ECG",
    )


def _people(source: Path) -> dict[str, Person]:
    """Age and sex, as far as the questionnaire is there and says them."""
    people = {}
    for path in sorted(source.rglob(QUESTIONNAIRE)):
        for row in _rows(path, ("Participant_id",)):
            number = re.search(r"\d+", row["Participant_id"])
            age, sex = row.get("Age", ""), row.get("Gender", "").strip()[:1].upper()
            if number is not None:
                name = f"sub-{int(number.group()):02d}"
                people[name] = Person(
                    name, age if age.isdigit() else "n/a", sex if sex in "FM" and sex else "n/a"
                )
    return people


def _rows(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.DictReader(file, restval="")
        absent = [name for name in columns if name not in (reader.fieldnames or ())]
        if absent:
            where = f"{path.name}: {', '.join(absent)} missing"
            remedy = "take the file from DEAP's archive again"
            raise InputError("DEAP", [Problem("wrong columns", where, remedy)])
        return list(reader)
