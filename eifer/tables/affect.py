"""The affect corpus that the estimator is trained on, and the estimates it makes."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.tables.schema import Column, Rule, Table
from eifer.vocabulary import FrameStatus

IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""How a PNG and a JPEG file begin."""

_FRAME_KEY = ["video_id", "participant_id", "frame"]
_RETRAIN = "Look at the affect stage's card: a network that diverged has CCC near 0; train it anew."


def _accepted_without_estimate(
    table: pd.DataFrame, others: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Rows on one side only: estimates of other frames, and accepted frames without one."""
    frames = others["frames"]
    accepted = frames.loc[frames["status"] == FrameStatus.ACCEPTED, _FRAME_KEY]
    both = table.merge(accepted, on=_FRAME_KEY, how="outer", indicator=True)
    return both.loc[both["_merge"] != "both", list(table.columns)]


def _constant(table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """All rows where an estimate has one value throughout: the network says nothing."""
    del others
    stuck = len(table) > 1 and any(table[name].nunique() < 2 for name in ("arousal", "valence"))
    return table if stuck else table.iloc[:0]


def _not_an_image(table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    del others
    return table[[not bytes(image[:8]).startswith(IMAGE_SIGNATURES) for image in table["image"]]]


ESTIMATES = Table(
    name="estimates",
    meaning="Arousal and valence of every accepted frame, as the affect network estimates them: "
    "model-derived indicators, not ground truth.",
    key=("video_id", "frame"),
    columns=(
        Column("video_id", "string", "the video"),
        Column("participant_id", "string", "whose face it is"),
        Column("frame", "int", "the frame, counted from 0 in decoding order", low=0),
        Column(
            "arousal",
            "float32",
            "estimated arousal: -1 calm, +1 excited",
            low=-1,
            high=1,
            why="Selection ranks frames by the estimate's sign and magnitude.",
            remedy=_RETRAIN,
        ),
        Column(
            "valence",
            "float32",
            "estimated valence: -1 unpleasant, +1 pleasant",
            low=-1,
            high=1,
            why="Selection ranks frames by the estimate's sign and magnitude.",
            remedy=_RETRAIN,
        ),
    ),
    rules=(
        Rule(
            name="one_estimate_per_accepted_frame",
            says="the rows are exactly the accepted frames",
            why="A frame without an estimate would leave the study without a reason; "
            "an estimate of a rejected frame would bring it back.",
            remedy="Run the estimate stage again on these frames' table.",
            broken=_accepted_without_estimate,
            needs=("frames",),
        ),
        Rule(
            name="estimates_vary",
            says="neither estimate has the same value for all frames",
            why="A network with dead or saturated outputs gives one value, "
            "and the ranking would then follow the frame number.",
            remedy=_RETRAIN,
            broken=_constant,
        ),
    ),
)

CORPUS = Table(
    name="corpus",
    meaning="Faces with known arousal and valence, of people who are not in the cohort.",
    key=("image_id",),
    columns=(
        Column("image_id", "string", "the image; its path within the origin where it has one"),
        Column(
            "identity",
            "string",
            "whose face it is, or the image's own id where the origin does not say",
            why="Validation is on faces of people that the network was not trained on.",
            remedy="Give every image of a person the same identity.",
        ),
        Column("image", "bytes", "the picture as a PNG or JPEG file"),
        Column(
            "arousal",
            "float",
            "annotated arousal: -1 calm, +1 excited",
            low=-1,
            high=1,
            why="The network's outputs lie in [-1, 1].",
            remedy="AffectNet marks rows without an annotation by -2: read it with "
            "eifer.affect.corpus.read_affectnet, which leaves them out and counts them.",
        ),
        Column(
            "valence",
            "float",
            "annotated valence: -1 unpleasant, +1 pleasant",
            low=-1,
            high=1,
            why="The network's outputs lie in [-1, 1].",
            remedy="AffectNet marks rows without an annotation by -2: read it with "
            "eifer.affect.corpus.read_affectnet, which leaves them out and counts them.",
        ),
        Column("source", "string", "where the image comes from"),
    ),
    rules=(
        Rule(
            name="image_is_png_or_jpeg",
            says="each image begins as a PNG or a JPEG file does",
            why="Anything else cannot be decoded when the network is trained.",
            remedy="Write the image again as PNG or JPEG.",
            broken=_not_an_image,
        ),
    ),
)
