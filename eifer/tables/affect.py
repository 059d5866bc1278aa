"""The affect corpus that the estimator is trained on, and the estimates it makes."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from eifer.tables.schema import Column, Table, in_each, rule
from eifer.vocabulary import ESTIMATORS, FrameStatus

IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")
"""How a PNG and a JPEG file begin."""

_ENDS = {"arousal": "-1 calm, +1 excited", "valence": "-1 unpleasant, +1 pleasant"}
_FRAME_KEY = ["video_id", "participant_id", "frame"]
_RETRAIN = "Look at the affect stage's card: a network that diverged has CCC near 0; train it anew."


@rule(
    "A frame without an estimate would leave the study without a reason; "
    "an estimate of a rejected frame would bring it back.",
    "Run the estimate stage again on these frames' table.",
)
def one_estimate_per_accepted_frame(table: pd.DataFrame, frames: pd.DataFrame) -> pd.DataFrame:
    """The rows are exactly the accepted frames."""
    accepted = frames.loc[frames["status"] == FrameStatus.ACCEPTED, _FRAME_KEY]
    both = table.merge(accepted, on=_FRAME_KEY, how="outer", indicator=True)
    return both.loc[both["_merge"] != "both", list(table.columns)]


@rule(
    "A network with dead or saturated outputs gives one value, "
    "and the ranking would then follow the frame number.",
    _RETRAIN,
)
def estimates_vary(table: pd.DataFrame) -> pd.DataFrame:
    """Neither estimate has the same value for all frames."""
    stuck = len(table) > 1 and any(table[name].nunique() < 2 for name in ("arousal", "valence"))
    return table if stuck else table.iloc[:0]


@rule(
    "Anything else cannot be decoded when the network is trained.",
    "Write the image again as PNG or JPEG.",
)
def image_is_png_or_jpeg(table: pd.DataFrame) -> pd.DataFrame:
    """Each image begins as a PNG or a JPEG file does."""
    return table[[not bytes(image[:8]).startswith(IMAGE_SIGNATURES) for image in table["image"]]]


ESTIMATES = Table(
    name="estimates",
    meaning="Arousal and valence of every accepted frame, by the study's estimator: "
    "model-derived indicators, not ground truth.",
    key=("video_id", "frame"),
    columns=(
        Column("video_id", "string", "the video"),
        Column("participant_id", "string", "whose face it is"),
        Column("frame", "int 0..", "the frame, counted from 0 in decoding order"),
        *(
            Column(
                dimension,
                "float32 -1..1",
                f"estimated {dimension}: {ends}",
                why="Selection ranks frames by the estimate's sign and magnitude.",
                remedy=_RETRAIN,
            )
            for dimension, ends in _ENDS.items()
        ),
    ),
    rules=(one_estimate_per_accepted_frame, estimates_vary),
)

ESTIMATOR = Column(
    "estimator", "string", "which other estimator (params: estimate.also)", values=ESTIMATORS
)

OTHER_ESTIMATES = Table(
    name="other_estimates",
    meaning="Arousal and valence of every accepted frame, by each estimator that stands beside the "
    "study's; empty where params name no other.",
    key=("estimator", *ESTIMATES.key),
    columns=(ESTIMATOR, *ESTIMATES.columns),
    rules=(
        replace(
            one_estimate_per_accepted_frame,
            check=in_each("estimator")(one_estimate_per_accepted_frame.check),
        ),
    ),
    may_be_empty=True,
)

ALL = "all"
"""In the place of a video: all of the wave's."""
MEASURES = {
    "ccc": ("float? -1..1", "concordance (Lin 1989) of the two; none where both are one value"),
    "sagr": ("float 0..1", "share of frames where both have the same sign"),
    "pearson_r": ("float? -1..1", "correlation of the two; none where either is one value"),
}
"""Of agreement, as `eifer.affect.agreement` names them."""

AGREEMENT = Table(
    name="estimators_agreement",
    meaning="How well other estimators agree with the study's on the same frames; empty where "
    "params name no other.",
    key=("wave", "other", "video_id"),
    columns=(
        Column("wave", "string", "of which wave"),
        Column("estimator", "string", "the study's"),
        Column("other", "string", "the one compared with it"),
        Column("video_id", "string", f"the video; {ALL}: over the wave's frames"),
        Column("n_frames", "int 1..", "accepted frames"),
        *(
            Column(f"{dimension}_{name}", form, f"{dimension}: {words}")
            for dimension in _ENDS
            for name, (form, words) in MEASURES.items()
        ),
    ),
    may_be_empty=True,
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
        *(
            Column(
                dimension,
                "float -1..1",
                f"annotated {dimension}: {ends}",
                why="The network's outputs lie in [-1, 1].",
                remedy="AffectNet marks rows without an annotation by -2: read it with "
                "eifer.affect.corpus.read_affectnet, which leaves them out and counts them.",
            )
            for dimension, ends in _ENDS.items()
        ),
        Column("source", "string", "where the image comes from"),
    ),
    rules=(image_is_png_or_jpeg,),
)
