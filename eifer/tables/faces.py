"""What was found in each frame of each video, and how the frames add up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from eifer.tables.schema import Column, Rule, Table
from eifer.vocabulary import FrameStatus, RejectionReason

Others = Mapping[str, pd.DataFrame]

STATUSES = tuple(status.value for status in FrameStatus)
REASONS = tuple(reason.value for reason in RejectionReason)

EYES = ("right_eye", "left_eye")
POINTS = (*EYES, "nose", "mouth_right", "mouth_left")
BOX = ("box_x_px", "box_y_px", "box_w_px", "box_h_px")
POINT_COLUMNS = tuple(f"{point}_{axis}_px" for point in POINTS for axis in "xy")
CHANGE = "change_levels"
SCORES = ("face_score", "presence_score", "eye_closed_score", "occlusion_score")
POSE = ("yaw_deg", "pitch_deg", "roll_deg")
MEASURES = (*BOX, *POINT_COLUMNS, CHANGE, *SCORES, *POSE)
"""Everything measured on a face: all of it missing where there is none."""

_AGAIN = "Run extract again; if it stays, the video changed while it was read."


def _status_without_reason(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    rejected = table["status"] == FrameStatus.REJECTED.value
    return table[rejected != table["reason"].notna()]


def _half_measured(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    found = table["n_faces"] > 0
    measured = table[list(MEASURES)].notna()
    no_face = table["reason"] == RejectionReason.NO_FACE.value
    wrong = (measured.all(axis=1) != found) | (measured.any(axis=1) != found) | (no_face == found)
    return table[wrong]


def _gaps(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    ordered = table.sort_values(["video_id", "frame"])
    return ordered[ordered["frame"] != ordered.groupby("video_id").cumcount()]


def _backwards(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    ordered = table.sort_values(["video_id", "frame"])
    return ordered[ordered.groupby("video_id")["time_s"].diff() <= 0]


def _unbalanced(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    parts = ["frames_accepted", *(f"rejected_{reason}" for reason in REASONS)]
    return table[table[parts].sum(axis=1) != table["frames_decoded"]]


def _miscounted(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    again = count(others["frames"]).reset_index()
    # A video whose numbers differ comes twice, once as counted and once as it should be.
    both = table.merge(again, how="outer", on=list(again.columns), indicator="side")
    return both.loc[both["side"] != "both", list(table.columns)]


def count(frames: pd.DataFrame) -> pd.DataFrame:
    """Count each video's frames: decoded, accepted, rejected by reason, with several faces.

    The video is the index.
    """
    flags = pd.DataFrame({"frames_decoded": np.ones(len(frames), dtype="int64")})
    flags["frames_accepted"] = (frames["status"] == FrameStatus.ACCEPTED.value).to_numpy()
    for reason in REASONS:
        flags[f"rejected_{reason}"] = (frames["reason"] == reason).to_numpy(dtype=bool)
    flags["frames_several_faces"] = (frames["n_faces"] > 1).to_numpy()
    sums = flags.astype("int64").groupby(frames["video_id"].to_numpy()).sum()
    return sums.rename_axis("video_id")


def _measure(
    name: str, meaning: str, unit: str = "", low: float | None = None, high: float | None = None
) -> Column:
    return Column(name, "float", meaning, unit=unit, low=low, high=high, missing=True)


_FACE = "of the largest face, in the upright frame"

FRAMES = Table(
    name="frames",
    meaning="Every decoded frame: the face in it, its quality, and whether it may be used.",
    key=("video_id", "frame"),
    columns=(
        Column("video_id", "string", "recording of one elicitation run"),
        Column("participant_id", "string", "whose recording it is"),
        Column("frame", "int", "index in decoding order, from 0", low=0),
        Column("time_s", "float", "time after the video's first frame", unit="s", low=0),
        Column(
            "status",
            "string",
            "accepted, or rejected with a reason",
            values=STATUSES,
            why="Only accepted frames are estimated and can be selected.",
        ),
        Column(
            "reason",
            "string",
            "why it is rejected, the first that holds in the order listed; missing if accepted",
            values=REASONS,
            missing=True,
        ),
        Column(
            "n_faces",
            "int",
            "confident faces; 1 if the only one is of low confidence. Above 1: the largest is used",
            low=0,
            why="A second person may be the wrong one: such frames are counted in the report.",
        ),
        _measure("box_x_px", f"left edge of the box {_FACE}; may lie outside it", "px"),
        _measure("box_y_px", f"top edge of the box {_FACE}; may lie outside it", "px"),
        _measure("box_w_px", f"width of the box {_FACE}", "px", low=1),
        _measure("box_h_px", f"height of the box {_FACE}", "px", low=1),
        *(
            _measure(f"{point}_{axis}_px", f"{axis} of the {words}, from the face mesh", "px")
            for point, words in zip(
                POINTS,
                (
                    "person's right eye, midway between its corners",
                    "person's left eye, midway between its corners",
                    "tip of the nose",
                    "person's right corner of the mouth",
                    "person's left corner of the mouth",
                ),
                strict=True,
            )
            for axis in "xy"
        ),
        _measure(
            CHANGE,
            "how far the face's picture is from the last that was new; 255 for the first frame",
            "grey levels",
            low=0,
            high=255,
        ),
        _measure("face_score", "the detector's confidence", low=0, high=1),
        _measure("presence_score", "the mesh model's probability of a face", low=0, high=1),
        _measure(
            "eye_closed_score", "how far the less closed eye is closed; 1 is shut", low=0, high=1
        ),
        _measure(
            "occlusion_score",
            "share of the face that does not look as it does in the rest of the video",
            low=0,
            high=1,
        ),
        _measure(
            "yaw_deg", "turn of the head; above 0 to the person's left", "deg", low=-90, high=90
        ),
        _measure("pitch_deg", "nod of the head; above 0 upwards", "deg", low=-180, high=180),
        _measure(
            "roll_deg",
            "tilt of the head; above 0 to the person's left shoulder",
            "deg",
            low=-180,
            high=180,
        ),
    ),
    rules=(
        Rule(
            name="rejected_with_reason",
            says="A frame has a reason if and only if it is rejected.",
            why="No frame is dropped silently.",
            remedy=_AGAIN,
            broken=_status_without_reason,
        ),
        Rule(
            name="faces_are_measured",
            says="A frame has its box, points, scores and pose if and only if it has a face, and "
            "one without is rejected for no_face.",
            why="Crops are cut from these numbers, and thresholds are checked on them.",
            remedy=_AGAIN,
            broken=_half_measured,
        ),
        Rule(
            name="no_gaps",
            says="A video's frames are numbered 0, 1, 2 ... without a gap.",
            why="A frame is found again by counting decoded frames.",
            remedy=_AGAIN,
            broken=_gaps,
        ),
        Rule(
            name="time_goes_on",
            says="Within a video every frame is later than the one before.",
            why="Times that stand still or go back mean a damaged or badly remuxed recording.",
            remedy="Remux or re-encode the recording, or exclude the video with a reason.",
            broken=_backwards,
        ),
    ),
)

COUNTS = Table(
    name="frame_counts",
    meaning="How each video's frames add up, and what the video is.",
    key=("video_id",),
    columns=(
        Column("video_id", "string", "recording of one elicitation run"),
        Column("participant_id", "string", "whose recording it is"),
        Column("frames_decoded", "int", "frames in the video", low=1),
        Column(
            "frames_accepted",
            "int",
            "frames whose face may be used",
            low=0,
            why="A video without any adds nothing to the study, whatever its length.",
            remedy="Look at the rejection counts of that video; exclude it with a reason.",
        ),
        Column("rejected_no_face", "int", "frames without a face", low=0),
        Column(
            "rejected_repeated",
            "int",
            "frames that show the picture of an earlier frame once more",
            low=0,
            why="A recording that stood still, or was written at a higher rate than its camera's, "
            "shows each picture several times: it is looked at once.",
        ),
        Column("rejected_low_confidence", "int", "frames whose face is unsure", low=0),
        Column("rejected_eyes_closed", "int", "frames with both eyes closed", low=0),
        Column("rejected_occluded", "int", "frames whose face is partly covered", low=0),
        Column(
            "frames_several_faces", "int", "frames with more than one face, of any status", low=0
        ),
        Column("width_px", "int", "width of the upright frame", unit="px", low=1),
        Column("height_px", "int", "height of the upright frame", unit="px", low=1),
        Column("fps", "float", "mean frame rate, by time stamps", unit="1/s", low=1, high=1000),
        Column(
            "duration_s", "float", "from the first frame to the end of the last", unit="s", low=0
        ),
    ),
    rules=(
        Rule(
            name="parts_add_up",
            says="Accepted and rejected frames add up to the frames decoded.",
            why="A frame that is neither would have vanished.",
            remedy=_AGAIN,
            broken=_unbalanced,
        ),
        Rule(
            name="counts_match_frames",
            says="Counting the frames table again gives these counts, for the same videos.",
            why="The counts go into the report; they must be those of the data used.",
            remedy=_AGAIN,
            broken=_miscounted,
            needs=("frames",),
        ),
    ),
)
