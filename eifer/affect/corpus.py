"""Faces with annotated arousal and valence: several origins, one form, aligned as crops are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eifer.errors import InputError, Problem
from eifer.faces.pictures import decoded
from eifer.faces.stored import mapped_crops
from eifer.tables.affect import CORPUS
from eifer.tables.attrition import ATTRITION, images_left_out

Image = NDArray[np.uint8]

Box = tuple[float, float, float, float]
"""Where the annotated face is: x, y, width and height in px of its picture."""

Align = Callable[[Image, Box | None], Image | None]
"""RGB ``[H, W, 3]`` to the crop ``[S, S, 3]`` of the face at the box, or else of the largest.

None where no face is found (at the box).
"""

Task = tuple[bytes, Box | None]
"""An encoded image and its box."""

Each = Callable[[Callable[[Task], "Image | str"], Iterable[Task]], Iterable["Image | str"]]

NO_ANNOTATION = -2
"""What AffectNet writes for arousal and valence of images without a face or a verdict."""

AFFECTNET_COLUMNS = (
    "subDirectory_filePath",
    "face_x",
    "face_y",
    "face_width",
    "face_height",
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
"""The lists' columns in their order, for copies without a header line."""

_BOX = list(AFFECTNET_COLUMNS[1:5])
AFFECTNET_LISTS = ("training.csv", "validation.csv")
AFFECTNET_IMAGES = "Manually_Annotated_Images"
_AFFECTNET_SETS = ("train_set", "val_set")
_CHUNK = 256


@dataclass(frozen=True)
class Corpus:
    """Annotated images, whose pictures are read only when they are asked for.

    ``annotations`` has a row per image (the columns of ``CORPUS`` without ``image``);
    ``images()`` reads their files' bytes in that order; ``left_out`` are attrition rows;
    ``boxes`` are the annotated faces', where the origin says which face of a picture is meant.
    """

    annotations: pd.DataFrame
    images: Callable[[], Iterator[bytes]]
    left_out: pd.DataFrame
    boxes: list[Box] | None = None


@dataclass(frozen=True)
class AlignedFaces:
    """The corpus as training takes it: crops ``[N, S, S, 3]``, arousal and valence ``[N, 2]``."""

    images: Image
    targets: NDArray[np.float32]
    items: list[str]
    identities: list[str]
    left_out: pd.DataFrame


def open_corpus(path: Path) -> Corpus:
    """Open the corpus at ``path``: a Parquet file (or a folder with ``corpus.parquet``), or
    AffectNet's folder in either layout.

    Raises
    ------
    InputError
        If it is none of these, or breaks its own format.
    """
    table = path / "corpus.parquet" if path.is_dir() else path
    if table.is_file():
        return read_table(table)
    if any(affectnet_list(path, name) for name in AFFECTNET_LISTS):
        return read_affectnet(path)
    if any((path / part / "annotations").is_dir() for part in _AFFECTNET_SETS):
        return read_affectnet_arrays(path)
    raise _input_error(
        path,
        "no corpus of a known form",
        [str(path)],
        "give a Parquet file with the corpus table's columns, AffectNet's folder with "
        f"training.csv, validation.csv and {AFFECTNET_IMAGES}, or its folder with "
        "train_set and val_set, each with images and annotations",
    )


def read_table(path: Path) -> Corpus:
    """Read a corpus kept as one Parquet file of the ``CORPUS`` table (the simulated one)."""
    import pyarrow.parquet as pq

    columns = [name for name in CORPUS.names if name != "image"]
    try:
        absent = [name for name in CORPUS.names if name not in pq.read_schema(path).names]
    except (OSError, ValueError) as error:  # pyarrow's errors of content are ValueErrors
        raise _input_error(path, "not a Parquet file", [str(path)], "make the corpus again") from (
            error
        )
    if absent:
        raise _input_error(
            path, "columns are missing", absent, f"the corpus has {', '.join(CORPUS.names)}"
        )

    def images() -> Iterator[bytes]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_CHUNK, columns=["image"]):
                for image in batch.column(0):
                    yield image.as_py()

    annotations = pq.read_table(path, columns=columns).to_pandas()
    _refuse_bad_values(path, annotations)
    return Corpus(annotations, images, ATTRITION.empty())


def read_affectnet(folder: Path) -> Corpus:
    """AffectNet as first published: lists in CSV, pictures in ``Manually_Annotated_Images``.

    Both lists are read where present (also from ``Manually_Annotated_file_lists``, and
    without a header line, as some copies come). Rows of -2, images that no annotator could
    place, are left out and counted. Where a picture shows several faces, the row's box
    (``face_x`` and so on) says whose annotation it is. AffectNet does not say who is who: each
    image counts as an identity of its own.

    Raises
    ------
    InputError
        If columns, values or pictures are missing or wrong: all of them at once.
    """
    parts = []
    for name in AFFECTNET_LISTS:
        source = affectnet_list(folder, name)
        if source is not None:
            parts.append(
                affectnet_rows(source, ("arousal", "valence")).assign(source=f"AffectNet {name}")
            )
    rows = pd.concat(parts, ignore_index=True)
    return _from_files(folder, folder / AFFECTNET_IMAGES, rows)


def read_affectnet_arrays(folder: Path) -> Corpus:
    """AffectNet as published since 2021: ``train_set`` and ``val_set`` of numbered images.

    Each has ``images/<n>.jpg`` and ``annotations/<n>_aro.npy`` and ``<n>_val.npy``. Treated
    as ``read_affectnet`` treats its rows.

    Raises
    ------
    InputError
        If an annotation or a picture is missing or wrong: all of them at once.
    """
    rows: list[dict[str, object]] = []
    lost: list[str] = []
    for part in _AFFECTNET_SETS:
        for arousal in sorted((folder / part / "annotations").glob("*_aro.npy")):
            number = arousal.name.removesuffix("_aro.npy")
            row: dict[str, object] = {
                "image_id": f"{part}/images/{number}.jpg",
                "source": f"AffectNet {part}",
            }
            for name, file in (
                ("arousal", arousal),
                ("valence", arousal.with_name(f"{number}_val.npy")),
            ):
                try:
                    # Not read into memory: a header may claim more than there is.
                    row[name] = float(np.load(file, mmap_mode="r", allow_pickle=False))
                except (OSError, TypeError, ValueError, EOFError):
                    lost.append(f"{part}/annotations/{file.name}")
            rows.append(row)
    if lost:
        raise _input_error(
            folder, "an annotation is missing or no number", lost, "unpack AffectNet again"
        )
    columns = ["image_id", "source", "arousal", "valence"]
    return _from_files(folder, folder, pd.DataFrame(rows, columns=columns))


def align_corpus(
    corpus: Corpus, align: Align, size_px: int, *, scratch: Path | None = None, each: Each = map
) -> AlignedFaces:
    """Every image's face, cut as video frames' faces are; images without one are counted.

    Parameters
    ----------
    align
        Finds and cuts the face, given the picture and the corpus's box for it. With ``workers``
        above 1 it must be picklable.
    size_px
        The side of its crops.
    scratch
        A folder for the nameless file that holds the crops (AffectNet's at 224 px are 45 GB);
        without one, the system's for temporary files.
    each
        Cuts the images, in their order: ``map``, or what shares the work among processes and
        takes a few images at a time.

    Raises
    ------
    InputError
        If not one image shows a face.
    ValueError
        If ``align`` gives crops of another size.
    """
    n, shape = len(corpus.annotations), (size_px, size_px, 3)
    crops = mapped_crops(n, size_px, scratch)
    kept: list[int] = []
    reasons: Counter[str] = Counter()
    boxes = repeat(None) if corpus.boxes is None else corpus.boxes
    tasks = zip(corpus.images(), boxes, strict=False)
    for row, crop in enumerate(each(partial(cut, align), tasks)):
        if isinstance(crop, str):
            reasons[crop] += 1
            continue
        if crop.shape != shape:
            raise ValueError(f"align gave a crop {crop.shape}, the network takes {shape}")
        crops[len(kept)] = crop
        kept.append(row)
    if not kept:
        lost = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        raise InputError(
            "affect corpus",
            [Problem("not one face to train on", f"{n} images: {lost}", "look at its pictures")],
        )
    rows = corpus.annotations.iloc[kept]
    return AlignedFaces(
        images=crops[: len(kept)],
        targets=rows[["arousal", "valence"]].to_numpy(np.float32),
        items=rows["image_id"].astype(str).tolist(),
        identities=rows["identity"].astype(str).tolist(),
        left_out=ATTRITION.joined([corpus.left_out, images_left_out("affect corpus", reasons)]),
    )


LOST = "image ended the process that decoded it"


def cut(align: Align, task: Task) -> Image | str:
    """Cut the face out of an encoded image, or say why there is none."""
    image, box = task
    try:
        picture = decoded(image)
    except ValueError as error:
        return f"image {error}"
    crop = align(picture, box)
    if crop is None:
        return "no face found in the image" if box is None else "no face found at the face's box"
    return crop


def affectnet_list(folder: Path, name: str) -> Path | None:
    """Where a list of AffectNet's lies in its folder; None where it does not."""
    places = (folder / name, folder / "Manually_Annotated_file_lists" / name)
    return next((place for place in places if place.is_file()), None)


def affectnet_rows(source: Path, annotated: tuple[str, ...]) -> pd.DataFrame:
    """A list's images (``image_id``), their numbers of ``annotated``, and their boxes.

    What is no number is missing.

    Raises
    ------
    InputError
        If it is no CSV file, or a column is missing.
    """
    wanted = ["subDirectory_filePath", *annotated, *_BOX]
    try:
        with source.open(encoding="utf-8") as file:
            headed = AFFECTNET_COLUMNS[0] in file.readline()
        table = pd.read_csv(
            source,
            names=None if headed else list(AFFECTNET_COLUMNS),
            header=0 if headed else None,
            dtype="str",
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _input_error(
            source, "not a CSV file in UTF-8", [str(error)], "fetch the list again"
        ) from error
    absent = [name for name in wanted if name not in table]
    if absent:
        raise _input_error(
            source, "columns are missing", absent, f"the list has {', '.join(AFFECTNET_COLUMNS)}"
        )
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in wanted[1:]}
    return pd.DataFrame({"image_id": table[wanted[0]].fillna("").str.strip(), **numbers})


def _from_files(origin: Path, root: Path, rows: pd.DataFrame) -> Corpus:
    """Make the corpus of ``rows`` whose ``image_id`` is a path under ``root``."""
    unplaced = (rows[["arousal", "valence"]] == NO_ANNOTATION).any(axis=1)
    reasons = {
        f"no arousal and valence (-2) in {source}": int(n)
        for source, n in rows.loc[unplaced, "source"].value_counts().items()
    }
    rows = rows[~unplaced].sort_values("image_id", kind="stable", ignore_index=True)
    rows = rows.assign(identity=rows["image_id"])
    places = [PurePosixPath(name) for name in rows["image_id"]]
    outside = [str(p) for p in places if p.is_absolute() or ".." in p.parts or not p.parts]
    if outside:
        raise _input_error(origin, "paths lead out of the folder", outside, "give relative paths")
    absent = [str(place) for place in places if not (root / place).is_file()]
    if absent:
        raise _input_error(
            origin, f"pictures are not in {root.name}", absent, "unpack the pictures again"
        )
    _refuse_bad_values(origin, rows)
    boxes = None
    if set(_BOX) <= set(rows):
        boxes = [box for box in rows[_BOX].astype(float).itertuples(index=False, name=None)]

    def images() -> Iterator[bytes]:
        for place in places:
            yield (root / place).read_bytes()

    columns = [name for name in CORPUS.names if name != "image"]
    return Corpus(rows[columns], images, images_left_out("affect corpus", reasons), boxes)


def _refuse_bad_values(origin: Path, rows: pd.DataFrame) -> None:
    problems = [
        Problem(
            f"{name} is not a number in [-1, 1]",
            f"{image} has {value}",
            "correct the annotation, or leave the image out of the list",
        )
        for name in ("arousal", "valence")
        for image, value in rows.loc[~rows[name].between(-1, 1), ["image_id", name]].itertuples(
            index=False
        )
    ]
    if set(_BOX) <= set(rows):
        sound = np.isfinite(rows[_BOX].to_numpy()).all(axis=1) & (rows[_BOX[2:]] > 0).all(axis=1)
        problems += [
            Problem(
                "the face's box is no place with a width and a height",
                f"{image} has {', '.join(map(str, box))}",
                "correct the box, or leave the image out of the list",
            )
            for image, *box in rows.loc[~sound, ["image_id", *_BOX]].itertuples(index=False)
        ]
    problems += [
        Problem("an image is listed more than once", str(image), "keep one of its rows")
        for image in rows.loc[rows["image_id"].duplicated(), "image_id"]
    ]
    if rows.empty:
        problems.append(Problem("no annotated images", str(origin), "give a corpus with images"))
    if problems:
        raise InputError(f"affect corpus {origin}", problems)


def _input_error(origin: Path, what: str, places: Iterable[str], remedy: str) -> InputError:
    return InputError(f"affect corpus {origin}", [Problem(what, p, remedy) for p in places])
