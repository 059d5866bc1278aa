"""AMIGOS: 16 short films, 40 participants alone, their faces, two ECG leads.

Structure (Miranda-Correa et al. 2021, doi:10.1109/TAFFC.2018.2884461, and the readme at
eecs.qmul.ac.uk/mmv/datasets/amigos/readme.html)::

    Data_Preprocessed_P01/Data_Preprocessed_P01.mat
        VideoIDs [1, 20]                cells of text: the film
        joined_data [1, 20]             cells [n, 17] at 128 Hz: 14 EEG, ECG right, ECG left, GSR;
                                        the first 5 s are from before the film
        labels_selfassessment [1, 20]   cells [1, 12]: arousal, valence (1 to 9), dominance,
                                        liking, familiarity, seven basic emotions
    P01_10_face.mov                     participant and film; P1 in some archives

The four long films are left out, because some participants watched them in groups. Which was shown
first stands in a spreadsheet alone, so that runs follow the order of ``VideoIDs``. The unit of the
ECG is not said; nothing here depends on it, and mV is written.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eifer.cohort.adapters.corpus import Corpus, Ecg, Person, Trial
from eifer.errors import InputError, Problem
from eifer.vocabulary import Dimension

HZ, BEFORE_S, ECG_RIGHT = 128.0, 5.0, 14
LONG = ("N1", "P1", "B1", "U1")
VARIABLES = ("VideoIDs", "joined_data", "labels_selfassessment")
FACE = re.compile(r"P(\d+)_(\w+)_face\.mov")


def read(source: Path) -> Corpus:
    """Find what is in AMIGOS's folder, wherever its archives were unpacked in it.

    Raises
    ------
    InputError
        If there are no preprocessed data, or files of it cannot be read.
    """
    files = sorted(source.rglob("Data_Preprocessed_P*.mat"))
    if not files:
        remedy = "give the folder in which Data_Preprocessed and the face videos were unpacked"
        problem = Problem("no Data_Preprocessed_P*.mat", str(source), remedy)
        raise InputError("AMIGOS", [problem])
    faces: dict[tuple[int, str], Path] = {}
    for path in sorted(source.rglob("P*_face.mov")):
        if (named := FACE.fullmatch(path.name)) is not None:
            faces[int(named[1]), named[2]] = path
    trials: list[Trial] = []
    problems: list[Problem] = []
    people: list[Person] = []
    for path in files:
        number = int(re.sub(r"\D", "", path.stem))
        person = Person(f"sub-{number:02d}")
        remedy = "unpack it again, once"
        if person in people:
            problems.append(Problem("participant twice", str(path.relative_to(source)), remedy))
            continue
        people.append(person)
        try:
            trials += _trials(person.participant, number, path, faces)
        # SciPy has no error of its own for a file that is none of MATLAB's, or cut short.
        except (OSError, TypeError, ValueError, NotImplementedError, LookupError) as error:
            where = f"{path.relative_to(source)}: {error}"
            problems.append(Problem("not AMIGOS's MATLAB file", where, remedy))
    if problems:
        raise InputError("AMIGOS", problems)
    return Corpus("AMIGOS", people, trials)


def _trials(
    participant: str, number: int, path: Path, faces: dict[tuple[int, str], Path]
) -> list[Trial]:
    from scipy.io import loadmat

    # The checksums of some of the published files are wrong.
    content = loadmat(path, variable_names=VARIABLES, verify_compressed_data_integrity=False)
    names, signals, assessed = (content[name].ravel() for name in VARIABLES)
    trials = []
    for order, (name, signal, answers) in enumerate(zip(names, signals, assessed, strict=True)):
        film = str(np.ravel(name)[0])
        if film in LONG:
            continue
        ecg = signal[:, ECG_RIGHT] if signal.size else np.empty(0)
        trials.append(
            Trial(
                participant,
                order,
                film,
                _ratings(answers),
                faces.get((number, film)),
                Ecg(HZ, -BEFORE_S, partial(np.asarray, ecg, dtype=np.float64))
                if ecg.size and np.isfinite(ecg).all()
                else None,
                len(ecg) / HZ - BEFORE_S if len(ecg) > BEFORE_S * HZ else None,
            )
        )
    return trials


def _ratings(answers: NDArray[Any]) -> dict[Dimension, float] | None:
    """Arousal and valence, which are the first two answers; None where they were not given."""
    given = np.asarray(answers, dtype=np.float64).ravel()[:2]
    if len(given) < 2 or not np.isfinite(given).all():
        return None
    return {Dimension.AROUSAL: float(given[0]), Dimension.VALENCE: float(given[1])}
