"""Readers of labelled face corpora: one file a corpus, and the register of their forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import (
    affectnet,
    ckplus,
    expw,
    fer2013,
    folders,
    jaffe,
    muxspace,
    rafdb,
    tables,
)
from eifer.errors import InputError, Problem, did_you_mean
from eifer.tables.expressions import DRAWN, MERGED, WITHOUT


@dataclass(frozen=True)
class Form:
    """A form in which a corpus lies: its reader, and what it is in a line.

    A reader is given the corpus's name and what params say of it. All that is wrong with its files
    it raises as one InputError.
    """

    read: Callable[[str, CorpusSpec], Labelled]
    words: str


FORMS = {
    "fer2013_csv": Form(
        fer2013.read_csv, "FER2013: fer2013.csv, icml_face_data.csv or train.csv; votes of FER+"
    ),
    "fer2013_folders": Form(
        fer2013.read_folders, "FER2013: train and test, a folder a class, names with their part"
    ),
    "affectnet_lists": Form(
        affectnet.read_lists, "AffectNet: training.csv, validation.csv, Manually_Annotated_Images"
    ),
    "affectnet_arrays": Form(
        affectnet.read_arrays, "AffectNet: train_set and val_set, each with images and annotations"
    ),
    "affectnet_labels": Form(
        affectnet.read_labels, "AffectNet, public copy: labels.csv, a folder a class"
    ),
    "affectnet_yolo": Form(
        affectnet.read_yolo, "AffectNet, public copy: train, valid, test in YOLO's form"
    ),
    "folders": Form(folders.read, "any: a folder a class, or such folders in train and test"),
    "nhfi": Form(folders.read, "NHFI: a folder a class"),
    "rafdb": Form(rafdb.read, "RAF-DB: EmoLabel, Image/aligned, Annotation/manual"),
    "ckplus": Form(ckplus.read, "CK+: cohn-kanade-images and Emotion"),
    "ckplus_csv": Form(ckplus.read_extended, "CK+, public copy: ckextended.csv"),
    "jaffe": Form(jaffe.read, "JAFFE: a folder of KA.AN1.39.tiff and so on"),
    "expw": Form(expw.read, "ExpW: label/label.lst and image/origin"),
    "muxspace": Form(muxspace.read, "muxspace: data/legend.csv and images"),
    "parquet": Form(tables.read, "Parquet: image_id, label, image (or png, jpeg), and more"),
    "drawn": Form(tables.read_drawn, "a drawn corpus of this project: images.parquet"),
}
SETS = ("all", "specialists")
"""What the study calls sets of corpora, beside `MERGED`."""
VOTED = "fer2013_csv"
"""The form that FER+'s votes belong to."""


def open_corpus(name: str, spec: CorpusSpec) -> Labelled:
    """The labels of the corpus that params call ``name``; its pictures are not yet read.

    Raises
    ------
    InputError
        If its name means something else or its form is not known, or with all that is wrong with
        its files.
    """
    taken = name in (MERGED, *SETS) or name.startswith(WITHOUT)
    problem = None
    if taken or "/" in name or (name == DRAWN and spec.form != DRAWN):
        remedy = f"take another, without a slash, none of {MERGED}, {DRAWN}, {', '.join(SETS)}"
        problem = Problem("name that no corpus may have", repr(name), f"{remedy}, {WITHOUT}...")
    elif spec.form not in FORMS:
        where = f"{spec.form!r}{did_you_mean(spec.form, FORMS)}"
        problem = Problem("unknown form", where, f"write one of {', '.join(FORMS)}")
    elif spec.votes is not None and spec.form != VOTED:
        where = f"{spec.form}: {spec.votes}"
        problem = Problem("votes of a form that has none", where, "write votes: null")
    if problem:
        raise InputError(f"corpus {name}", [problem])
    return FORMS[spec.form].read(name, spec)


def open_corpora(specs: Mapping[str, CorpusSpec]) -> dict[str, Labelled]:
    """Open all corpora, by their names.

    Raises
    ------
    InputError
        With all that is wrong with any of them.
    """
    opened: dict[str, Labelled] = {}
    problems = [
        Problem(
            "two corpora of one place, whose images would count twice",
            f"{one} and {other}: {path}",
            "leave one of them out",
        )
        for path, names in _places(specs).items()
        for one, other in pairwise(names)
    ]
    for name, spec in specs.items():
        try:
            opened[name] = open_corpus(name, spec)
        except InputError as error:
            problems += [replace(p, where=f"{name}: {p.where}") for p in error.problems]
    if problems:
        raise InputError("corpora", problems)
    return opened


def _places(specs: Mapping[str, CorpusSpec]) -> dict[Path, list[str]]:
    """The corpora at each place, whatever links lead there."""
    places: dict[Path, list[str]] = {}
    for name, spec in specs.items():
        places.setdefault(Path(spec.path).resolve(), []).append(name)
    return places
