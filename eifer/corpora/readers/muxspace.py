"""muxspace's facial_expressions: 13 690 portraits, most of Labeled Faces in the Wild.

Structure::

    data/legend.csv     user.id,image,emotion       names and adjectives, in any case
    images/Abba_Eban_0001.jpg                       person and number; others as they come

A picture may be labelled by several people. Where they disagree, it is left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import lists
from eifer.corpora.readers.found import Found
from eifer.corpora.readers.words import NAMES

PERSON = re.compile(r"([^\d]+)_\d{4}\.\w+")


def read(name: str, spec: CorpusSpec) -> Labelled:
    """Every picture of the legend on which those who labelled it agree."""
    path = Path(spec.path)
    found = Found(name, path, path / "images")
    answers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line, row in lists.table(path / "data" / "legend.csv", ["image", "emotion"], found):
        where = f"legend.csv line {line}"
        answers[row["image"].strip()].append((row["emotion"].strip().casefold(), where))
    for image, given in answers.items():
        if len({NAMES.get(word, word) for word, _ in given}) > 1 and all(
            word in NAMES for word, _ in given
        ):
            found.leave_out("labelled otherwise by another annotator", len(given))
            continue
        for word, where in given:
            label = found.meaning(word, NAMES, where)
            if label is not None and (place := found.file(image, where)):
                person = PERSON.fullmatch(image)
                identity = person[1] if person else None
                found.keep(image, label, file=place, identity=identity)
    return found.labelled()
