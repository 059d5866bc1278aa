"""FER2013: 35 887 grey faces of 48 x 48 px, as CSV or as folders, and FER+'s votes on them.

Structure (Goodfellow et al. 2013, "Challenges in representation learning")::

    fer2013.csv             emotion,pixels,Usage
    icml_face_data.csv      emotion, Usage, pixels      with a space before the last two names
    train.csv, test.csv     emotion,pixels; pixels alone
    train|test/angry/Training_3908.jpg                  in test PublicTest_ and PrivateTest_

``pixels`` are 2304 grey values, row by row. Usage is Training, PublicTest or PrivateTest. FER+
(Barsoum et al. 2016, doi:10.1145/2993148.2993165) has a row of votes for each row of fer2013.csv,
in its order::

    fer2013new.csv          Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,
                            fear,contempt,unknown,NF

Its image names are ``fer0000000.png`` and so on, empty where most annotators saw no face. Images
are named so here too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import lists
from eifer.corpora.readers.found import Found, folders_in, pictures_in
from eifer.corpora.readers.words import FER2013, NAMES, Meanings, code
from eifer.corpora.reading import png
from eifer.errors import did_you_mean
from eifer.vocabulary import Expression

SIDE_PX = 48
USAGES = ("Training", "PublicTest", "PrivateTest")
FILES = ("fer2013.csv", "icml_face_data.csv", "train.csv")
VOTED = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "contempt": "other",
    "unknown": "other",
    "NF": "other",
}
"""FER+'s columns of votes, and the answer that each counts for."""
LEAST_AGREEING = 0.4
"""Share of images whose label is the majority of their votes: measured .71, by chance under .25."""
ENOUGH = 20
"""Images with a majority, below which their agreement says nothing."""
_AGAIN = "fetch the file again from its source, or take the row out"


def read_csv(name: str, spec: CorpusSpec) -> Labelled:
    """FER2013 as CSV: the file itself, or a folder with one of `FILES`, the first of them."""
    path = Path(spec.path)
    found = Found(name, path)
    sources = (
        [path / file for file in FILES if (path / file).is_file()] if path.is_dir() else [path]
    )
    if not sources:
        found.wrong("folder without a file of FER2013", str(path), f"put {FILES[0]} into it")
        found.refuse()
    source = sources[0]
    parts = USAGES if source.name != "train.csv" else USAGES[:1]
    unlabelled = source.with_name("test.csv")
    if source.name == "train.csv" and unlabelled.is_file():
        rows = sum(1 for _ in lists.table(unlabelled, ["pixels"], found))
        if rows:
            found.leave_out("without a label in test.csv", rows)
    votes = None if spec.votes is None else _votes(Path(spec.votes), found)
    return pixel_rows(source, found, FER2013, "fer", parts, votes)


def pixel_rows(
    source: Path,
    found: Found,
    meanings: Meanings,
    prefix: str,
    parts: tuple[str, ...],
    votes: list[dict[str, str]] | None = None,
) -> Labelled:
    """A CSV file of FER2013's columns; of one part alone ``Usage`` may be missing."""
    needed = ["emotion", "pixels"] + ["Usage"] * (
        len(parts) > 1 or "Usage" in lists.columns(source)
    )
    kept: set[int] = set()
    usages: list[str] = []
    agreed: list[bool] = []
    for index, (line, row) in enumerate(lists.table(source, needed, found)):
        where = f"{source.name} line {line}"
        usage = row.get("Usage", parts[0]).strip()
        usages.append(usage)
        if usage not in parts:
            hint = did_you_mean(usage, parts)
            found.wrong(
                "unknown Usage", f"{where}: {usage!r}{hint}", f"write one of {', '.join(parts)}"
            )
        pixels = _pixels(row["pixels"])
        if isinstance(pixels, str):
            found.wrong(
                f"pixels that are not {SIDE_PX**2} grey values", f"{where}: {pixels}", _AGAIN
            )
        label = found.meaning(code(row["emotion"]), meanings, where)
        if label is None:
            continue
        columns: dict[str, Any] = {"official": usage}
        if votes is not None and index < len(votes):
            counts = _counts(votes[index])
            columns |= {f"votes_{answer}": n for answer, n in counts.items()}
            first = max(counts, key=counts.__getitem__)
            if first != "other" and counts[first] > sum(counts.values()) / 2:
                agreed.append(first == label)
        if found.keep(f"{prefix}{index:07d}", label, **columns):
            kept.add(index)
    if votes is not None and not found.problems:
        _refuse_other_votes(found, votes, usages, agreed)
    found.promise(parts, "fetch the file again from its source; it has rows of each part")
    return found.labelled(partial(_pictures, source, kept))


def _pictures(source: Path, kept: set[int]) -> Iterator[bytes]:
    rows = lists.table(source, ["pixels"], Found(source.name, source))
    for index, (_, row) in enumerate(rows):
        if index in kept:
            pixels = _pixels(row["pixels"])
            yield b"" if isinstance(pixels, str) else png(pixels)


def _pixels(text: str) -> NDArray[np.uint8] | str:
    """The picture, grey ``[48, 48]``, or what is wrong with its values."""
    if not re.fullmatch(r"[\d\s]*", text, re.ASCII):
        return "not only whole numbers"
    values = np.fromstring(text, np.int64, sep=" ")
    if values.size != SIDE_PX**2:
        return f"{values.size} values"
    if values.max() > 255:
        return f"a value of {values.max()}"
    return values.astype(np.uint8).reshape(SIDE_PX, SIDE_PX)


def _votes(path: Path, found: Found) -> list[dict[str, str]]:
    """FER+'s rows; what is wrong with a row alone is noted."""
    rows = []
    for line, row in lists.table(path, ["Usage", "Image name", *VOTED], found):
        odd = [column for column in VOTED if not re.fullmatch(r"\s*\d{1,4}\s*", row[column])]
        for column in odd:
            found.wrong(
                "votes that are no whole number",
                f"{path.name} line {line}: {column} {row[column]!r}",
                _AGAIN,
            )
        rows.append(row)
    return rows


def _counts(row: dict[str, str]) -> dict[str, int]:
    counts = dict.fromkeys((*Expression, "other"), 0)
    for column, answer in VOTED.items():
        counts[answer] += int(row[column]) if row[column].strip().isdigit() else 0
    return {str(answer): n for answer, n in counts.items()}


def _refuse_other_votes(
    found: Found, votes: list[dict[str, str]], usages: list[str], agreed: list[bool]
) -> None:
    """Note votes that are not of these images, row by row."""
    remedy = "give FER+'s fer2013new.csv and the whole fer2013.csv, whose order it has"
    if len(votes) != len(usages):
        found.wrong("votes of another number of images", f"{len(votes)} for {len(usages)}", remedy)
        return
    for index, (row, usage) in enumerate(zip(votes, usages, strict=True)):
        image, part = row["Image name"].strip(), row["Usage"].strip()
        if part != usage:
            found.wrong("votes of another part", f"image {index}: {part}, not {usage}", remedy)
        if image and image != f"fer{index:07d}.png":
            found.wrong("votes of another image", f"image {index}: {image}", remedy)
    if len(agreed) >= ENOUGH and np.mean(agreed) < LEAST_AGREEING:
        found.wrong(
            "votes that contradict the labels",
            f"of {len(agreed)} images with a majority {sum(agreed)} have it as their label",
            remedy,
        )


def read_folders(name: str, spec: CorpusSpec) -> Labelled:
    """FER2013 as folders: a part, a class, files whose names say the part too."""
    path = Path(spec.path)
    found = Found(name, path)
    for folder, parts in (("train", USAGES[:1]), ("test", USAGES[1:])):
        for named in folders_in(path / folder, found):
            for file in pictures_in(named, found):
                where = f"{folder}/{named.name}"
                label = found.meaning(named.name.casefold(), NAMES, where)
                if label is None and found.problems:
                    break  # One unknown folder is one problem, not one a file.
                part = file.name.split("_")[0]
                if part not in parts:
                    found.wrong(
                        f"file in {folder} whose name does not begin with "
                        f"{' or '.join(f'{part}_' for part in parts)}",
                        f"{where}/{file.name}",
                        "move it to its part, or name it so",
                    )
                elif label is not None:
                    image = f"{where}/{file.name}"
                    found.keep(image, label, file=image, official=part)
    found.promise(USAGES, "unpack the corpus again")
    return found.labelled()
