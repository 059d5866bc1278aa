"""RAF-DB, basic emotions: 15 339 aligned faces of 100 px with attributes.

Structure (Li et al. 2017, doi:10.1109/CVPR.2017.277, and its readme)::

    EmoLabel/list_patition_label.txt                    train_00001.jpg 5
    Image/aligned/train_00001_aligned.jpg
    Annotation/manual/train_00001_manu_attri.txt        lines: 5 points, gender, race, age

The folder may also be the one above, with ``basic`` in it. A band of age is taken where it lies
wholly in one of this study's: 0-3 is child, 70+ is old; 4-19, 20-39 and 40-69 lie in two each and
are unknown. Races are taken by their names: Caucasian is white, African-American black, Asian
asian; whether RAF-DB counts people of India among the last it does not say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import lists
from eifer.corpora.readers.found import Found
from eifer.corpora.readers.words import code, codes
from eifer.tables.expressions import UNKNOWN

CODES = codes("surprise fear disgust happy sad angry neutral", first=1)
ATTRIBUTES = {
    "gender": {"0": "male", "1": "female", "2": UNKNOWN},
    "ethnicity": {"0": "white", "1": "black", "2": "asian"},
    "age": {"0": "child", "1": UNKNOWN, "2": UNKNOWN, "3": UNKNOWN, "4": "old"},
}
"""In the order of the file's last three lines; ages are 0-3, 4-19, 20-39, 40-69, 70+."""
POINTS = 5
PARTS = ("train", "test")
LIST = "EmoLabel/list_patition_label.txt"
_UNPACK = "unpack RAF-DB again"


def read(name: str, spec: CorpusSpec) -> Labelled:
    """RAF-DB's list with its aligned faces; attributes are unknown where their folder is absent."""
    path = Path(spec.path)
    if (path / "basic").is_dir():
        path /= "basic"
    found = Found(name, path, path / "Image" / "aligned")
    attributes = path / "Annotation" / "manual"
    for line, (image, text) in lists.lines(path / LIST, 2, found):
        where, stem = f"{LIST} line {line}", image.removesuffix(".jpg")
        label = found.meaning(code(text), CODES, where)
        part = image.split("_")[0]
        if part not in PARTS:
            found.wrong(
                "image of neither part", f"{where}: {image!r}", "name it train_... or test_..."
            )
        elif label is not None and (place := found.file(f"{stem}_aligned.jpg", where)):
            known = _attributes(attributes, stem, found) if attributes.is_dir() else {}
            found.keep(stem, label, file=place, official=part, **known)
    found.promise(PARTS, _UNPACK)
    return found.labelled()


def _attributes(folder: Path, stem: str, found: Found) -> dict[str, Any]:
    path = folder / f"{stem}_manu_attri.txt"
    try:
        texts = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except FileNotFoundError:
        found.wrong("file of attributes is missing", path.name, _UNPACK)
        return {}
    except UnicodeDecodeError:
        texts = []
    texts = [text for text in texts if text]
    if len(texts) != POINTS + len(ATTRIBUTES):
        found.wrong(
            f"file of attributes that has not {POINTS + len(ATTRIBUTES)} lines",
            f"{path.name}: {len(texts)}",
            _UNPACK,
        )
        return {}
    known = {}
    for text, (attribute, meanings) in zip(texts[POINTS:], ATTRIBUTES.items(), strict=True):
        if code(text) in meanings:
            known[attribute] = meanings[code(text)]
        else:
            found.wrong(
                f"unknown code of {attribute}",
                f"{path.name}: {text!r}",
                f"write one of {', '.join(meanings)}",
            )
    return known
