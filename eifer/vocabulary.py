"""The words of the study, each with one spelling.

The enumerations are strings, so that a table column, a parameter and a file
name carry the very same text. Identifiers follow BIDS: a participant is
``sub-01``; a video is the recording of one elicitation run, ``sub-01_run-1``;
an item is one frame of it, ``sub-01_run-1_frame-000123``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NewType, get_args

if TYPE_CHECKING:
    import pandas as pd

ParticipantId = NewType("ParticipantId", str)
VideoId = NewType("VideoId", str)
ItemId = NewType("ItemId", str)

EstimatorName = Literal["network", "expression", "blendshapes", "onnx"]
ESTIMATORS: tuple[str, ...] = get_args(EstimatorName)
"""What reads arousal and valence from a face (docs/decisions/0013)."""


class Dimension(StrEnum):
    """The two axes of the affect plane; each is also a binary task."""

    AROUSAL = "arousal"
    VALENCE = "valence"


class Domain(StrEnum):
    """What a stimulus was made to elicit: arousal pair, then valence pair."""

    HAHV = "HAHV"
    HALV = "HALV"
    LAHV = "LAHV"
    LALV = "LALV"

    def label(self, dimension: Dimension) -> int:
        """1 where the domain is high on ``dimension``, else 0."""
        return int(self.value[0 if dimension is Dimension.AROUSAL else 2] == "H")


class LabelSource(StrEnum):
    """Where a video's label came from: the rating, or (rating 4) the stimulus."""

    RATING = "rating"
    STIMULUS = "stimulus"


class Group(StrEnum):
    """Whose data a model was trained on, and which side of the cutoff a person is."""

    HIGH = "High"
    LOW = "Low"
    TOTAL = "Total"


class Condition(StrEnum):
    """The three sets of test frames."""

    BASELINE = "baseline"
    UNAMBIGUOUS = "unambiguous"
    AMBIGUOUS = "ambiguous"


class Partition(StrEnum):
    """The three participant-disjoint parts of the cohort."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class Expression(StrEnum):
    """The seven classes of the expressions study, in alphabetical order: their codes are 0 to 6."""

    ANGRY = "angry"
    DISGUST = "disgust"
    FEAR = "fear"
    HAPPY = "happy"
    NEUTRAL = "neutral"
    SAD = "sad"
    SURPRISE = "surprise"


class EiIndex(StrEnum):
    """The three indices of the emotional-intelligence test."""

    SELF_AWARENESS = "self_awareness"
    OTHERS_AWARENESS = "others_awareness"
    EMOTION_DISCRIMINATION = "emotion_discrimination"


class FrameStatus(StrEnum):
    """Whether a frame's face may be used."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class RejectionReason(StrEnum):
    """Why a frame's face may not be used; the first that holds is kept."""

    NO_FACE = "no_face"
    REPEATED = "repeated"
    LOW_CONFIDENCE = "low_confidence"
    EYES_CLOSED = "eyes_closed"
    OCCLUDED = "occluded"


class Planted(StrEnum):
    """What the simulation put into a frame."""

    FACE = "face"
    NO_FACE = "no_face"
    EYES_CLOSED = "eyes_closed"
    OCCLUDED = "occluded"
    TWO_FACES = "two_faces"


def video_id(participant: str, run: int) -> VideoId:
    """The identifier of a participant's recording of elicitation run ``run``."""
    return VideoId(f"{participant}_run-{run}")


def item_id(video: str, frame: int) -> ItemId:
    """The identifier of frame ``frame`` (counted from 0) of ``video``."""
    return ItemId(f"{video}_frame-{frame:06d}")


def conditions_in_order(names: Iterable[str]) -> list[str]:
    """Test conditions, each once, as the protocol lists them; others after them, by name."""
    place = {str(name): k for k, name in enumerate(Condition)}
    return sorted(set(names), key=lambda name: (place.get(name, len(place)), name))


def in_order(rows: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sort ``rows`` by the columns ``by``; conditions and models stand as the protocol lists them.

    Conditions and models that the protocol does not list come last.
    """
    place = {str(name): k for k, name in enumerate((*Condition, *Group, "Affect"))}
    return rows.sort_values(
        list(by),
        key=lambda column: (
            column.map(place).fillna(len(place))
            if column.name in ("condition", "training_group")
            else column
        ),
        kind="stable",
        ignore_index=True,
    )
