"""Who and what was left out, where, and why: one form for every stage."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from eifer.tables.schema import Column, Table

LEVELS = ("participant", "video", "ecg", "frame", "hrv", "image")

ATTRITION = Table(
    name="attrition",
    meaning="Everything left out by a stage: one row for each reason at each place.",
    key=("level", "participant_id", "video_id", "what", "reason"),
    may_be_empty=True,
    columns=(
        Column("level", "string", "kind of thing left out", values=LEVELS),
        Column("participant_id", "string", "whose it was; n/a where it is nobody's"),
        Column("video_id", "string", "in which recording; n/a where it is not about one"),
        Column("what", "string", "the thing itself: a recording, an HRV variable, frames"),
        Column("reason", "string", "why it was left out, in words"),
        Column("n", "int 1..", "how many"),
    ),
)


def left_out(
    level: str, participant_id: str, what: str, reason: str, *, video_id: str = "n/a", n: int = 1
) -> dict[str, object]:
    """A row of ``ATTRITION``."""
    return {
        "level": level,
        "participant_id": participant_id,
        "video_id": video_id,
        "what": what,
        "reason": reason,
        "n": n,
    }


def images_left_out(what: str, reasons: Mapping[str, int]) -> pd.DataFrame:
    """``reasons`` with their counts of images of ``what``, as the table ``ATTRITION``."""
    return ATTRITION.frame(
        [left_out("image", "n/a", what, reason, n=n) for reason, n in reasons.items() if n]
    )
