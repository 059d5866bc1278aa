"""ExpW: 91 793 faces in 106 962 pictures from the web, each with a box.

Structure (Zhang et al. 2018, doi:10.1007/s11263-017-1055-1, and its readme)::

    label/label.lst     image_name face_id_in_image face_box_top face_box_left face_box_right
                        face_box_bottom face_box_cofidence expression_label
    image/origin/*.jpg

Both may lie in the folder itself: ``label.lst``, ``origin`` or ``image``. Expressions have
FER2013's codes. A box is of px of its picture.
"""

from __future__ import annotations

from pathlib import Path

from eifer.corpora.labelled import Box, CorpusSpec, Labelled
from eifer.corpora.readers import lists
from eifer.corpora.readers.found import Found
from eifer.corpora.readers.words import FER2013, code

LISTS = ("label/label.lst", "label.lst")
FOLDERS = ("image/origin", "origin", "image")
FIELDS = 8


def read(name: str, spec: CorpusSpec) -> Labelled:
    """Every face of ExpW's list, cut out by its box."""
    path = Path(spec.path)
    places = [path / folder for folder in FOLDERS]
    root = next((place for place in places if place.is_dir()), places[0])
    found = Found(name, path, root)
    if not root.is_dir():
        found.missing(root, "unpack ExpW's pictures there")
    source = next((path / file for file in LISTS if (path / file).is_file()), path / LISTS[0])
    for line, (image, face, *place, _, text) in lists.lines(source, FIELDS, found):
        where = f"{source.name} line {line}"
        label = found.meaning(code(text), FER2013, where)
        box = _box(place)
        if box is None:
            found.wrong(
                "box without a place, a width or a height",
                f"{where}: {' '.join(place)}",
                "correct it, in the order top, left, right, bottom",
            )
        elif label is not None and (there := found.file(image, where)):
            found.keep(f"{image}#{face}", label, file=there, box=box)
    return found.labelled()


def _box(place: list[str]) -> Box | None:
    try:
        top, left, right, bottom = map(int, place)
    except ValueError:
        return None
    if right <= left or bottom <= top:
        return None
    return Box(left, top, right - left, bottom - top)
