"""What was found in each frame of each video, and how the frames add up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eifer.tables.schema import Column, Table, rule
from eifer.vocabulary import FrameStatus, RejectionReason

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

# fmt: off
SHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft",
    "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft",
    "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft",
    "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen",
    "jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft",
    "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)
# fmt: on
"""MediaPipe's 52 blendshapes by its names, in the order of its model's outputs; left and right are
the person's own."""

_AGAIN = "Run extract again; if it stays, the video changed while it was read."


@rule("No frame is dropped silently.", _AGAIN)
def rejected_with_reason(table: pd.DataFrame) -> pd.DataFrame:
    """A frame has a reason if and only if it is rejected."""
    rejected = table["status"] == FrameStatus.REJECTED.value
    return table[rejected != table["reason"].notna()]


@rule("Crops are cut from these numbers, and thresholds are checked on them.", _AGAIN)
def faces_are_measured(table: pd.DataFrame) -> pd.DataFrame:
    """A frame has its box, points, scores and pose if and only if it has a face, and one
    without is rejected for no_face.
    """
    face = table["n_faces"] > 0
    measured = table[list(MEASURES)].notna()
    no_face = table["reason"] == RejectionReason.NO_FACE.value
    wrong = (measured.all(axis=1) != face) | (measured.any(axis=1) != face) | (no_face == face)
    return table[wrong]


@rule("A frame is found again by counting decoded frames.", _AGAIN)
def no_gaps(table: pd.DataFrame) -> pd.DataFrame:
    """A video's frames are numbered 0, 1, 2 ... without a gap."""
    ordered = table.sort_values(["video_id", "frame"])
    return ordered[ordered["frame"] != ordered.groupby("video_id").cumcount()]


@rule(
    "Times that stand still or go back mean a damaged or badly remuxed recording.",
    "Remux or re-encode the recording, or exclude the video with a reason.",
)
def time_goes_on(table: pd.DataFrame) -> pd.DataFrame:
    """Within a video every frame is later than the one before."""
    ordered = table.sort_values(["video_id", "frame"])
    return ordered[ordered.groupby("video_id")["time_s"].diff() <= 0]


@rule("A frame that is neither would have vanished.", _AGAIN)
def parts_add_up(table: pd.DataFrame) -> pd.DataFrame:
    """Accepted and rejected frames add up to the frames decoded."""
    parts = ["frames_accepted", *(f"rejected_{reason}" for reason in REASONS)]
    return table[table[parts].sum(axis=1) != table["frames_decoded"]]


@rule("The counts go into the report; they must be those of the data used.", _AGAIN)
def counts_match_frames(table: pd.DataFrame, frames: pd.DataFrame) -> pd.DataFrame:
    """Counting the frames table again gives these counts, for the same videos."""
    again = count(frames).reset_index()
    # A video whose numbers differ comes twice, once as counted and once as it should be.
    both = table.merge(again, how="outer", on=list(again.columns), indicator="side")
    return both.loc[both["side"] != "both", list(table.columns)]


@rule("What blendshapes say of a face must be of that face, and of each.", _AGAIN)
def a_row_for_each_face(table: pd.DataFrame, frames: pd.DataFrame) -> pd.DataFrame:
    """The rows are exactly the frames with a face."""
    key = ["video_id", "frame"]
    both = table.merge(frames.loc[frames["n_faces"] > 0, key], "outer", key, indicator="side")
    return both.loc[both["side"] != "both", list(table.columns)]


@rule("Anything else is no output of the model.", _AGAIN)
def shapes_are_shares(table: pd.DataFrame) -> pd.DataFrame:
    """Each blendshape is there, and lies in 0 to 1."""
    values = table[list(SHAPES)]
    return table[~((values >= 0) & (values <= 1)).all(axis=1)]


def count(frames: pd.DataFrame) -> pd.DataFrame:
    """Count each video's frames: decoded, accepted, rejected by reason, with several faces.

    The video is the index.
    """
    flags = pd.DataFrame({"frames_decoded": np.ones(len(frames), dtype="int64")})
    flags["frames_accepted"] = (frames["status"] == FrameStatus.ACCEPTED.value).to_numpy()
    for reason in REASONS:
        flags[f"rejected_{reason}"] = (frames["reason"] == reason).to_numpy(dtype=bool)
    flags["frames_several_faces"] = (frames["n_faces"] > 1).to_numpy()
    flags["frames_switched"] = frames["switched"].to_numpy()
    sums = flags.astype("int64").groupby(frames["video_id"].to_numpy()).sum()
    return sums.rename_axis("video_id")


_FACE = "of the participant's face, in the upright frame"

FRAMES = Table(
    name="frames",
    meaning="Every decoded frame: the face in it, its quality, and whether it may be used.",
    key=("video_id", "frame"),
    columns=(
        Column("video_id", "string", "recording of one elicitation run"),
        Column("participant_id", "string", "whose recording it is"),
        Column("frame", "int 0..", "index in decoding order, from 0"),
        Column("time_s", "float s 0..", "time after the video's first frame"),
        Column(
            "status",
            "string",
            "accepted, or rejected with a reason",
            values=STATUSES,
            why="Only accepted frames are estimated and can be selected.",
        ),
        Column(
            "reason",
            "string?",
            "why it is rejected, the first that holds in the order listed; missing if accepted",
            values=REASONS,
        ),
        Column(
            "n_faces",
            "int 0..",
            "confident faces; 1 if the only one is of low confidence. Above 1: the participant's "
            "is used",
            why="A second person may be the wrong one: such frames are counted in the report.",
        ),
        Column(
            "switched",
            "bool",
            "whether the face is at another place than the last one used: perhaps another "
            "person's (eifer/faces/following.py)",
            why="From here on another person may be measured: such frames are counted too.",
        ),
        Column("box_x_px", "float? px", f"left edge of the box {_FACE}; may lie outside it"),
        Column("box_y_px", "float? px", f"top edge of the box {_FACE}; may lie outside it"),
        Column("box_w_px", "float? px 1..", f"width of the box {_FACE}"),
        Column("box_h_px", "float? px 1..", f"height of the box {_FACE}"),
        *(
            Column(f"{point}_{axis}_px", "float? px", f"{axis} of the {words}, from the face mesh")
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
        Column(
            CHANGE,
            "float? grey levels 0..255",
            "how far the face's picture is from the last that was new; 255 for the first frame",
        ),
        Column("face_score", "float? 0..1", "the detector's confidence"),
        Column("presence_score", "float? 0..1", "the mesh model's probability of a face"),
        Column(
            "eye_closed_score", "float? 0..1", "how far the less closed eye is closed; 1 is shut"
        ),
        Column(
            "occlusion_score",
            "float? 0..1",
            "share of the face that does not look as it does in the rest of the video",
        ),
        Column("yaw_deg", "float? deg -90..90", "turn of the head; above 0 to the person's left"),
        Column("pitch_deg", "float? deg -180..180", "nod of the head; above 0 upwards"),
        Column(
            "roll_deg",
            "float? deg -180..180",
            "tilt of the head; above 0 to the person's left shoulder",
        ),
    ),
    rules=(rejected_with_reason, faces_are_measured, no_gaps, time_goes_on),
)

COUNTS = Table(
    name="frame_counts",
    meaning="How each video's frames add up, and what the video is.",
    key=("video_id",),
    columns=(
        Column("video_id", "string", "recording of one elicitation run"),
        Column("participant_id", "string", "whose recording it is"),
        Column("frames_decoded", "int 1..", "frames in the video"),
        Column(
            "frames_accepted",
            "int 0..",
            "frames whose face may be used",
            why="A video without any adds nothing to the study, whatever its length.",
            remedy="Look at the rejection counts of that video; exclude it with a reason.",
        ),
        Column("rejected_no_face", "int 0..", "frames without a face"),
        Column(
            "rejected_repeated",
            "int 0..",
            "frames that show the picture of an earlier frame once more",
            why="A recording that stood still, or was written at a higher rate than its camera's, "
            "shows each picture several times: it is looked at once.",
        ),
        Column("rejected_low_confidence", "int 0..", "frames whose face is unsure"),
        Column("rejected_eyes_closed", "int 0..", "frames with both eyes closed"),
        Column("rejected_occluded", "int 0..", "frames whose face is partly covered"),
        Column("frames_several_faces", "int 0..", "frames with more than one face, of any status"),
        Column("frames_switched", "int 0..", "frames whose face is at another place than the last"),
        Column("width_px", "int px 1..", "width of the upright frame"),
        Column("height_px", "int px 1..", "height of the upright frame"),
        Column("fps", "float 1/s 1..1000", "mean frame rate, by time stamps"),
        Column("duration_s", "float s 0..", "from the first frame to the end of the last"),
        Column(
            "declared_s",
            "float? s 0..",
            "length that the file declares, if its end is missing (0: none); null if whole",
        ),
    ),
    rules=(parts_add_up, counts_match_frames),
)

BLENDSHAPES = Table(
    name="face_blendshapes",
    meaning="What moves in each face: MediaPipe's 52 blendshapes of every frame with one.",
    key=("video_id", "frame"),
    columns=(
        Column("video_id", "string", "recording of one elicitation run"),
        Column("frame", "int 0..", "index in decoding order, from 0"),
        *(
            Column(shape, "float32 0..1", "how far the face does it", checked=False)
            for shape in SHAPES
        ),
    ),
    rules=(a_row_for_each_face, shapes_are_shares),
)
