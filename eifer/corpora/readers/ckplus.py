"""CK+: 327 posed sequences from neutral to an emotion, of which the last frame is taken.

Structure (Lucey et al. 2010, doi:10.1109/CVPRW.2010.5543262, and its readme)::

    cohn-kanade-images/S005/001/S005_001_00000011.png
    Emotion/S005/001/S005_001_00000011_emotion.txt      one number, as in 3.0000000e+00

Sequences without a file of emotion have no label. S005 is a person. The public copy
``ckextended.csv`` has FER2013's columns and codes (`eifer.corpora.readers.fer2013`), 7 contempt;
it does not say who is who.
"""

from __future__ import annotations

from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers.fer2013 import USAGES, pixel_rows
from eifer.corpora.readers.found import Found, folders_in
from eifer.corpora.readers.words import FER2013, Meanings, code, codes

CODES = codes("neutral angry contempt disgust fear happy sad surprise")
EXTENDED: Meanings = {**FER2013, "7": "contempt"}
IMAGES = "cohn-kanade-images"
_UNPACK = "unpack CK+ again"


def read(name: str, spec: CorpusSpec) -> Labelled:
    """CK+ as published."""
    path = Path(spec.path)
    found = Found(name, path, path / IMAGES)
    for person in folders_in(found.root, found):
        for sequence in folders_in(person, found):
            if not any((path / "Emotion" / person.name / sequence.name).glob("*_emotion.txt")):
                found.leave_out("sequence without a label")
    for person in folders_in(path / "Emotion", found):
        for sequence in folders_in(person, found):
            files = sorted(sequence.glob("*_emotion.txt"))
            where = f"Emotion/{person.name}/{sequence.name}"
            if len(files) > 1:
                found.wrong("sequence with several labels", f"{where}: {len(files)} files", _UNPACK)
            for file in files[:1]:
                _keep(person.name, sequence.name, file, found)
    return found.labelled()


def _keep(person: str, sequence: str, file: Path, found: Found) -> None:
    frame = file.name.removesuffix("_emotion.txt")
    where = f"Emotion/{person}/{sequence}/{file.name}"
    if not frame.startswith(f"{person}_{sequence}_"):
        found.wrong("file in the folder of another sequence", where, _UNPACK)
        return
    try:
        text = file.read_text(encoding="utf-8-sig").strip()
    except UnicodeDecodeError:
        text = "no text in UTF-8"
    label = found.meaning(code(text), CODES, where)
    place = f"{person}/{sequence}/{frame}.png"
    if label is not None and (there := found.file(place, where)):
        found.keep(frame, label, file=there, identity=person)


def read_extended(name: str, spec: CorpusSpec) -> Labelled:
    """The public copy ``ckextended.csv``: the file itself, or its folder."""
    path = Path(spec.path)
    source = path / "ckextended.csv" if path.is_dir() else path
    return pixel_rows(source, Found(name, path), EXTENDED, "row", USAGES)
