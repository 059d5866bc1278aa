"""One video and no study: every face in it, who is who, and how each looks over time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from eifer.affect.estimators import Choice


def estimate(
    video: str | os.PathLike[str],
    *,
    estimator: str | Choice = "expression",
    per_second: float = 10.0,
) -> pd.DataFrame:
    """Estimate arousal and valence, and where it can the expression, of every face in a video.

    Parameters
    ----------
    video
        An mp4, mov, mkv, webm or avi file.
    estimator
        ``"expression"``, ``"blendshapes"``, or what `eifer.affect.spec` describes, such as an
        ONNX file.
    per_second
        Frames looked at in a second, by time stamps; all of them where there are fewer.

    Returns
    -------
    DataFrame
        A row per frame looked at and face; docs/outputs.md explains each column. Estimates
        are of expressions, not of feelings.

    Raises
    ------
    RecordingError
        If the video cannot be decoded to its end.
    AssetError
        If a model file is not there (`eifer assets --fetch`).
    """
    from eifer.errors import RecordingError
    from eifer.video.reading import ReadingSpec, opened, ready

    choice = ready(estimator) if isinstance(estimator, str) else estimator
    reading = opened(choice, ReadingSpec(per_second=per_second))(Path(video))
    if reading.cut_short:
        raise RecordingError(reading.cut_short)
    return reading.faces
