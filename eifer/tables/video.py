"""What is read from one video: a row for every face in every frame that was looked at."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from eifer.tables.schema import Column, Table

CHANCE = "_probability"
"""How the columns of expressions' probabilities end."""

FACE = (
    Column("box_x_px", "float? px", "left edge of the face's box, in the upright frame"),
    Column("box_y_px", "float? px", "top edge of the box"),
    Column("box_w_px", "float? px", "width of the box"),
    Column("box_h_px", "float? px", "height of the box"),
    Column("face_score", "float? 0..1", "the detector's confidence"),
    Column("presence_score", "float? 0..1", "the mesh model's probability of a face"),
    Column("eye_closed_score", "float? 0..1", "how far the less closed eye is closed; 1 is shut"),
    Column("yaw_deg", "float? deg -90..90", "turn of the head; above 0 to the person's left"),
    Column("pitch_deg", "float? deg -180..180", "nod of the head; above 0 upwards"),
    Column("roll_deg", "float? deg -180..180", "tilt of the head; above 0 to the left shoulder"),
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
