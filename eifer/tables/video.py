"""What is read from one video: a row for every face in every frame that was looked at."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from eifer.tables.faces import FRAMES
from eifer.tables.schema import Column, Table

CHANCE = "_probability"
"""How the columns of expressions' probabilities end."""

SCORES = ("face_score", "presence_score", "eye_closed_score")
FACE = (
    Column("box_x_px", "float? px", "left edge of the face's box, in the upright frame"),
    Column("box_y_px", "float? px", "top edge of the box"),
    Column("box_w_px", "float? px", "width of the box"),
    Column("box_h_px", "float? px", "height of the box"),
    *(column for column in FRAMES.columns if column.name.endswith("_deg") or column.name in SCORES),
)
"""Measured of each face."""


def expressions_of(faces: pd.DataFrame) -> list[str]:
    """The expressions that a table of faces has probabilities of."""
    return [str(name).removesuffix(CHANCE) for name in faces.columns if str(name).endswith(CHANCE)]


def faces_table(expressions: Sequence[str]) -> Table:
    """The table of an estimator that also gives the probabilities of ``expressions``."""
    unsure = "missing without a face, or where the mesh is unsure of it"
    named = (
        Column("expression", "string?", f"the most probable; {unsure}", values=tuple(expressions)),
        Column("uncertain", "bool", "whether its probability is too low to go by"),
        *(Column(f"{name}{CHANCE}", "float? 0..1", f"of {name}") for name in expressions),
    )
    return Table(
        name="faces",
        meaning="Each face in each frame looked at, and how it looks: estimates of expressions, "
        "not of feelings. A frame without a face has one row, without a person.",
        key=("frame", "person"),
        columns=(
            Column("frame", "int 0..", "index in decoding order, from 0"),
            Column("time_s", "float s 0..", "time after the video's first frame"),
            Column("person", "int? 1..", "who it is, numbered in order of appearance"),
            *FACE,
            Column("arousal", "float? -1..1", f"-1 calm, +1 excited; {unsure}"),
            Column("valence", "float? -1..1", f"-1 unpleasant, +1 pleasant; {unsure}"),
            *(named if expressions else ()),
        ),
    )
