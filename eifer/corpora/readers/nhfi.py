"""NHFI, "Natural Human Face Images for Emotion Recognition": 5 558 grey faces of 224 px.

Structure, as copies describe it::

    anger|contempt|disgust|fear|happiness|neutrality|sadness|surprise/*.png

It has no parts, no identities, no attributes.
"""

from __future__ import annotations

from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers.found import Found, folders_in, pictures_in
from eifer.corpora.readers.words import NAMES
from eifer.vocabulary import Expression


def read(name: str, spec: CorpusSpec) -> Labelled:
    """Every picture in a folder named by its class.

    Raises
    ------
    InputError
        If a folder is named by none, or fewer than two classes have pictures.
    """
    path = Path(spec.path)
    found = Found(name, path)
    for folder in folders_in(path, found):
        meant = NAMES.get(folder.name.casefold())
        for file in pictures_in(folder, found):
            if not isinstance(meant, Expression):
                found.meaning(folder.name.casefold(), NAMES, f"folder {folder.name}")
                if meant is None:
                    break  # An unknown folder is one problem, not one for each of its files.
                continue
            image = f"{folder.name}/{file.name}"
            found.keep(image, meant, file=image)
    return found.labelled()
