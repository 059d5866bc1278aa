"""JAFFE: 213 posed faces of ten Japanese women, 256 px, grey.

Structure (Lyons et al. 1998, doi:10.1109/AFGR.1998.670949)::

    KA.AN1.39.tiff      person, emotion with the number of the take, number of the picture

All are Japanese women: gender and ethnicity are the corpus's own words.
"""

from __future__ import annotations

import re
from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers.found import Found, pictures_in
from eifer.corpora.readers.words import Meanings
from eifer.vocabulary import Expression

CODES: Meanings = {
    "AN": Expression.ANGRY,
    "DI": Expression.DISGUST,
    "FE": Expression.FEAR,
    "HA": Expression.HAPPY,
    "NE": Expression.NEUTRAL,
    "SA": Expression.SAD,
    "SU": Expression.SURPRISE,
}
NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})\d+\.\d+\.[A-Za-z]+")


def read(name: str, spec: CorpusSpec) -> Labelled:
    """JAFFE's pictures by their names."""
    path = Path(spec.path)
    found = Found(name, path)
    if not path.is_dir():
        found.missing(path)
        found.refuse()
    for file in pictures_in(path, found):
        named = NAME.fullmatch(file.name)
        if named is None:
            found.wrong("file that is not named as in KA.AN1.39.tiff", file.name, "name it so")
            continue
        label = found.meaning(named[2], CODES, file.name)
        if label is not None:
            found.keep(
                file.name,
                label,
                file=file.name,
                identity=named[1],
                gender="female",
                ethnicity="asian",
            )
    return found.labelled()
