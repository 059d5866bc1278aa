"""A folder a class, as NHFI has it; or a folder a part, with a folder a class in each.

Structure::

    anger|contempt|disgust|fear|happiness|neutrality|sadness|surprise/*.png
    train|validation|test/angry|disgust|fear|happy|neutral|sad|surprise/*.png

The first is that of NHFI ("Natural Human Face Images for Emotion Recognition": 5 558 grey faces of
224 px, without parts, identities or attributes), as copies describe it; the second is how image
folders are mostly laid out.
"""

from __future__ import annotations

from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers.found import Found, folders_in, pictures_in
from eifer.corpora.readers.words import NAMES
from eifer.vocabulary import Expression


def read(name: str, spec: CorpusSpec) -> Labelled:
    """Every picture in a folder named by its class.

    Folders are parts where none of them is named by a class; the corpus's own part is their name.
    """
    path = Path(spec.path)
    found = Found(name, path)
    outer = folders_in(path, found)
    parts = outer if not any(folder.name.casefold() in NAMES for folder in outer) else []
    listed: list[tuple[str | None, Path]] = [
        (part.name, folder) for part in parts for folder in folders_in(part, found)
    ]
    for part, folder in listed or [(None, folder) for folder in outer]:
        meant = NAMES.get(folder.name.casefold())
        for file in pictures_in(folder, found):
            if not isinstance(meant, Expression):
                place = folder.relative_to(path)
                found.meaning(folder.name.casefold(), NAMES, f"folder {place}")
                if meant is None:
                    break  # An unknown folder is one problem, not one for each of its files.
                continue
            image = file.relative_to(path).as_posix()
            found.keep(image, meant, file=image, official=part)
    return found.labelled()
