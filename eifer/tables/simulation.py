"""What the simulation planted in each frame of a made-up cohort."""

from __future__ import annotations

from eifer.tables.schema import Column, Table
from eifer.vocabulary import Dimension, Planted

LATENT = Table(
    name="latent",
    meaning="The planted truth of a made-up cohort: one row for every frame of every video.",
    key=("video_id", "frame"),
    columns=(
        Column("video_id", "string", "the recording of one elicitation run"),
        Column("participant_id", "string", "whose face it is"),
        Column("frame", "int 0..", "frame of the video, counted from 0"),
        *(
            Column(
                dimension,
                "float -1..1",
                f"{dimension} that the drawn face was told to show, also where no face is seen",
                why="Estimates are judged against it (recovery of the planted signal).",
            )
            for dimension in map(str, Dimension)
        ),
        Column(
            "planted",
            "string",
            "what was drawn: a plain face, or why it should not be used",
            values=tuple(Planted),
            why="Rejections by extract are judged against it.",
        ),
    ),
)
