"""Corpora in Parquet: labels and image files in the same rows.

Structure::

    image_id        of the corpus alone, or after the corpus's name and a slash
    corpus          if it is there, the name that params give it
    label           a class's name (`eifer.corpora.readers.words.NAMES`)
    image           the file's bytes, or png, or jpeg
    official        the corpus's own part, or usage           these and all below may be absent
    identity        whose face it is, or person_id
    votes_*         annotators who said so: FER+'s ten answers, or this study's
    gender, age, ethnicity      this study's words; gender_source and so on: where from

Other columns are not read; one whose name is nearly one of these is refused. The form ``drawn`` is
that of the project's own drawn corpora: a folder with ``images.parquet``, whose attributes are
planted.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers.fer2013 import VOTED
from eifer.corpora.readers.found import Found
from eifer.corpora.readers.words import NAMES
from eifer.errors import did_you_mean
from eifer.tables.expressions import ATTRIBUTES, UNKNOWN, VOTES

IMAGE = ("image", "png", "jpeg")
OFFICIAL = ("official", "usage")
IDENTITY = ("identity", "person_id")
ANSWERS = {**VOTED, "nf": "other", **{str(answer): str(answer) for answer in VOTES}}
COLUMNS = (
    *("image_id", "corpus", "label", *IMAGE, *OFFICIAL, *IDENTITY),
    *(f"votes_{answer}" for answer in ANSWERS),
    *ATTRIBUTES,
    *(f"{name}_source" for name in ATTRIBUTES),
)
"""All that is read."""
SOURCES = ("corpus", "predicted", "planted", "none")
_BATCH = 256
_WRITE = "write the file again"


def read(name: str, spec: CorpusSpec) -> Labelled:
    """A Parquet file, or all that a name with ``*`` stands for, as ``faces_*.parquet``."""
    path = Path(spec.path)
    files = sorted(path.parent.glob(path.name)) if "*" in path.name else [path]
    return _read(name, path, files, "corpus")


def read_drawn(name: str, spec: CorpusSpec) -> Labelled:
    """A drawn corpus's folder."""
    path = Path(spec.path)
    return _read(name, path, [path / "images.parquet"], "planted")


def _read(name: str, path: Path, files: list[Path], source: str) -> Labelled:
    found = Found(name, path)
    if not files:
        found.missing(path, "give a file, or a name with * that some files have")
    kept = [_table(file, found, source) for file in files]
    return found.labelled(partial(_pictures, kept))


def _pictures(kept: list[tuple[Path, str, list[bool]]]) -> Iterator[bytes]:
    import pyarrow.parquet as pq

    for path, column, taken in kept:
        done = 0
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_BATCH, columns=[column]):
                for image in batch.column(0):
                    if taken[done]:
                        yield image.as_py() or b""
                    done += 1


def _table(path: Path, found: Found, source: str) -> tuple[Path, str, list[bool]]:
    """Note a file's images; its column of pictures, and which of its rows were kept."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        schema = pq.read_schema(path)
    except FileNotFoundError:
        found.missing(path)
        return path, "", []
    except (OSError, ValueError) as error:  # pyarrow's errors of content are ValueErrors
        found.wrong("no Parquet file", f"{path.name}: {error}", _WRITE)
        return path, "", []
    image, official, identity = (
        next((name for name in names if name in schema.names), None)
        for names in (IMAGE, OFFICIAL, IDENTITY)
    )
    for names in (("image_id",), ("label",), IMAGE):
        if not any(name in schema.names for name in names):
            hint = did_you_mean(names[0], schema.names)
            found.wrong(
                f"column {' or '.join(names)} is missing",
                f"{path.name} has {', '.join(schema.names)}{hint}",
                "add it",
            )
    if image is None or not {"image_id", "label"} <= set(schema.names):
        return path, "", []
    field = schema.field(image).type
    if not (pa.types.is_binary(field) or pa.types.is_large_binary(field)):
        found.wrong("pictures that are no bytes", f"{path.name}: {image} is {field}", _WRITE)
        return path, "", []
    for column in schema.names:
        near = get_close_matches(column.casefold(), COLUMNS, 1, 0.8)
        if column not in COLUMNS and near and near[0] not in schema.names:
            where = f"{path.name}: {column!r}; did you mean {near[0]!r}?"
            found.wrong("column that is not read", where, "rename it, or take it out")
    votes = {
        f"votes_{answer}": meant
        for answer, meant in ANSWERS.items()
        if f"votes_{answer}" in schema.names
    }
    known = ("image_id", "corpus", "label", official, identity, *ATTRIBUTES, *votes)
    wanted = [name for name in (*known, *(f"{name}_source" for name in ATTRIBUTES)) if name]
    rows = pq.read_table(path, columns=[n for n in wanted if n in schema.names]).to_pandas()
    _refuse_votes(path, rows[list(votes)], found)
    attributes = [name for name in ATTRIBUTES if name in rows]
    for other in sorted({_text(corpus) for corpus in rows.get("corpus", ())} - {found.corpus}):
        found.wrong(
            "rows of a corpus of another name",
            f"{path.name}: {other!r}, not {found.corpus!r}",
            "call it in params as its file does",
        )
    taken = []
    for k, row in enumerate(rows.to_dict("records")):
        where = f"{path.name} row {k}"
        label = found.meaning(_text(row["label"]).casefold(), NAMES, where)
        columns: dict[str, Any] = {}
        for attribute in attributes:
            columns |= _attribute(attribute, row, source, where, found)
        name = _text(row["image_id"]).removeprefix(f"{found.corpus}/")
        if not name:
            found.wrong("row without image_id", where, "name the image")
        if label is None or not name:
            taken.append(False)
            continue
        for column, key in ((official, "official"), (identity, "identity")):
            if column is not None:
                columns[key] = _text(row[column]) or None
        if not found.problems:
            for column, answer in votes.items():
                if pd.notna(row[column]):
                    key = f"votes_{answer}"
                    columns[key] = int(row[column]) + int(columns.get(key, 0))
        taken.append(found.keep(name, label, **columns))
    return path, image, taken


def _text(value: Any) -> str:
    return str(value).strip() if isinstance(value, str) or pd.notna(value) else ""


def _attribute(
    name: str, row: dict[str, object], source: str, where: str, found: Found
) -> dict[str, object]:
    word = _text(row[name]) or UNKNOWN
    known = (*ATTRIBUTES[name], UNKNOWN)
    if word not in known:
        found.wrong(
            f"unknown word of {name}",
            f"{where}: {word!r}{did_you_mean(word, known)}",
            f"write one of {', '.join(known)}",
        )
    origin = _text(row.get(f"{name}_source")) or source
    if origin not in SOURCES or (word != UNKNOWN and origin == "none"):
        found.wrong(
            f"unknown source of {name}",
            f"{where}: {origin!r}",
            f"write one of {', '.join(SOURCES)}, none where it is unknown",
        )
    return {name: word, f"{name}_source": origin}


def _refuse_votes(path: Path, votes: pd.DataFrame, found: Found) -> None:
    for column in votes:
        numbers = pd.to_numeric(votes[column], errors="coerce")
        odd = votes[column].notna() & ~((numbers >= 0) & (numbers % 1 == 0))
        for k in votes.index[odd]:
            found.wrong(
                "votes that are no whole number",
                f"{path.name} row {k}: {column} {votes[column][k]}",
                _WRITE,
            )
