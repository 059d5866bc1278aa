"""AffectNet, in both forms in which it was published, and in two of its small public copies.

Structure (Mollahosseini et al. 2019, doi:10.1109/TAFFC.2017.2740923)::

    training.csv, validation.csv        subDirectory_filePath, face_x, ... expression, ...
    Manually_Annotated_Images/          the pictures, faces in them by the lists' boxes

    train_set|val_set/images/N.jpg      numbered, faces cut out
    train_set|val_set/annotations/N_exp.npy

Both have the codes of `CODES`. The small copies, in which faces are cut out as well::

    labels.csv                          (index),pth,label,relFCs; labels are partly a model's
    anger/image0000006.jpg              the folder is AffectNet's own label

    train|valid|test/images/NAME.png    labels/NAME.txt: lines of class, and a box in shares of the
    data.yaml                           picture: centre x, centre y, width, height
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np

from eifer.affect.corpus import AFFECTNET_IMAGES, AFFECTNET_LISTS, affectnet_list, affectnet_rows
from eifer.corpora.labelled import Box, CorpusSpec, Labelled
from eifer.corpora.readers import lists
from eifer.corpora.readers.found import Found, pictures_in
from eifer.corpora.readers.words import NAMES, code, codes
from eifer.errors import InputError

CODES = codes("neutral happy sad surprise fear disgust angry contempt none uncertain no-face")
YOLO_NAMES = ("anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise")
"""The classes of the YOLO form, whose codes count from 0 in this order."""
YOLO = codes(" ".join(YOLO_NAMES))
SETS = ("train_set", "val_set")
YOLO_PARTS = ("train", "valid", "test")
_UNPACK = "unpack AffectNet again"


def read_lists(name: str, spec: CorpusSpec) -> Labelled:
    """AffectNet's lists, with and without a header; each face is cut out by its box."""
    path = Path(spec.path)
    found = Found(name, path, path / AFFECTNET_IMAGES)
    for file in AFFECTNET_LISTS:
        source = affectnet_list(path, file)
        if source is None:
            found.missing(path / file, "put both lists into the folder")
            continue
        try:
            rows = affectnet_rows(source, ("expression",))
        except InputError as error:
            for problem in error.problems:
                found.wrong(problem.what, f"{file}: {problem.where}", problem.remedy)
            continue
        for row in rows.itertuples(index=False):
            image = str(row.image_id)
            label = found.meaning(code(str(row.expression)), CODES, f"{file} {image}")
            if label is None:
                continue
            box = Box(row.face_x, row.face_y, row.face_width, row.face_height)  # type: ignore[arg-type]
            if not (np.isfinite(box[:4]).all() and box.width > 0 and box.height > 0):
                found.wrong(
                    "box without a place, a width or a height",
                    f"{file} {image}: {', '.join(map(str, box[:4]))}",
                    "correct the box, or leave the image out of the list",
                )
            elif place := found.file(image, file):
                part = file.removesuffix(".csv")
                found.keep(image, label, file=place, box=box, official=part)
    found.promise([file.removesuffix(".csv") for file in AFFECTNET_LISTS], _UNPACK)
    return found.labelled()


def read_arrays(name: str, spec: CorpusSpec) -> Labelled:
    """AffectNet's numbered pictures with an array for each label."""
    path = Path(spec.path)
    found = Found(name, path)
    for part in SETS:
        folder = path / part / "annotations"
        if not folder.is_dir():
            found.missing(folder, _UNPACK)
            continue
        for file in sorted(folder.glob("*_exp.npy")):
            image = f"{part}/images/{file.name.removesuffix('_exp.npy')}.jpg"
            where = f"{part}/annotations/{file.name}"
            try:
                # Not read into memory: a header may claim more than there is.
                text = str(float(np.load(file, mmap_mode="r", allow_pickle=False)))
            except (OSError, TypeError, ValueError, EOFError):
                found.wrong("annotation that is no number", where, _UNPACK)
                continue
            label = found.meaning(code(text), CODES, where)
            if label is not None and (place := found.file(image, where)):
                found.keep(image, label, file=place, official=part)
    found.promise(SETS, _UNPACK)
    return found.labelled()


def read_labels(name: str, spec: CorpusSpec) -> Labelled:
    """The copy with ``labels.csv``.

    An image whose folder says another class than the list is left out: one of the two is a
    model's guess, and nothing says which is right.
    """
    path = Path(spec.path)
    found = Found(name, path)
    for line, row in lists.table(path / "labels.csv", ["pth", "label"], found):
        where, image = f"labels.csv line {line}", row["pth"].strip()
        folder = PurePosixPath(image).parent.name.casefold()
        label = found.meaning(row["label"].strip().casefold(), NAMES, where)
        if folder not in NAMES:
            found.wrong(
                "folder that is no class", f"{where}: {image!r}", "name folders by their class"
            )
        elif label is None:
            continue
        elif NAMES[folder] != label:
            found.leave_out(f"labelled {label} in the folder of {NAMES[folder]}")
        elif place := found.file(image, where):
            found.keep(image, label, file=place)
    return found.labelled()


def read_yolo(name: str, spec: CorpusSpec) -> Labelled:
    """The copy in YOLO's form; a picture's second face and further ones are images of their own.

    ``data.yaml``, where it is there, must have `YOLO_NAMES`.
    """
    path = Path(spec.path)
    found = Found(name, path)
    _refuse_other_names(path / "data.yaml", found)
    for part in YOLO_PARTS:
        folder, labels = path / part / "images", path / part / "labels"
        absent = [place for place in (folder, labels) if not place.is_dir()]
        for place in absent:
            found.missing(place, _UNPACK)
        if absent:
            continue
        images = {image.stem: image.name for image in pictures_in(folder, found)}
        listed = {file.stem for file in labels.glob("*.txt")}
        if unlisted := len(images.keys() - listed):
            found.leave_out(f"without a file of labels in {part}", unlisted)
        for stem in sorted(listed):
            source = f"{part}/labels/{stem}.txt"
            faces = list(lists.lines(labels / f"{stem}.txt", 5, found))
            if stem not in images:
                found.leave_out("picture is not in images", max(len(faces), 1))
                continue
            if not faces:
                found.leave_out("without a face in its file of labels")
            image = f"{part}/images/{images[stem]}"
            for k, (line, (text, *shares)) in enumerate(faces, start=1):
                where = f"{source} line {line}"
                label = found.meaning(text, YOLO, where)
                box = _box(shares)
                if box is None:
                    found.wrong(
                        "box that is no share of its picture",
                        f"{where}: {' '.join(shares)}",
                        _UNPACK,
                    )
                elif label is not None:
                    face = image if k == 1 else f"{image}#{k}"
                    found.keep(face, label, file=image, box=box, official=part)
    found.promise(YOLO_PARTS, _UNPACK)
    return found.labelled()


def _box(place: list[str]) -> Box | None:
    try:
        x, y, width, height = map(float, place)
    except ValueError:
        return None
    if not all(0 <= value <= 1 for value in (x, y, width, height)) or not width * height:
        return None
    return Box(x - width / 2, y - height / 2, width, height, shares=True)


def _refuse_other_names(path: Path, found: Found) -> None:
    """Note classes in ``data.yaml``, where there is one, of other names or in another order."""
    import yaml

    if not path.is_file():
        return
    try:
        names = yaml.safe_load(path.read_text(encoding="utf-8-sig"))["names"]
        listed = [str(names[k]).casefold() for k in range(len(names))]
    except (yaml.YAMLError, UnicodeDecodeError, LookupError, TypeError):
        listed = []
    if tuple(listed) != YOLO_NAMES:
        found.wrong(
            "classes of another order than the form's",
            f"data.yaml has {', '.join(listed) or 'no list of names'}",
            f"number them {', '.join(f'{k} {name}' for k, name in enumerate(YOLO_NAMES))}",
        )
