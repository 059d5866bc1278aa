"""How well other estimators agree with the study's on the same frames: over all, and by video."""

from __future__ import annotations

import pandas as pd

from eifer.tables.affect import ALL, MEASURES
from eifer.vocabulary import Dimension


def table(agreement: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row for each wave, other estimator and dimension."""
    over_all = agreement[agreement["video_id"] == ALL]
    by_video = agreement[agreement["video_id"] != ALL]
    rows = []
    for row in over_all.to_dict("records"):
        same = (by_video["wave"] == row["wave"]) & (by_video["other"] == row["other"])
        for dimension in Dimension:
            ccc = by_video.loc[same, f"{dimension}_ccc"]
            rows.append(
                {name: row[name] for name in ("wave", "other", "n_frames")}
                | {"dimension": dimension.value}
                | {name: row[f"{dimension}_{name}"] for name in MEASURES}
                | {f"ccc_{name}": ccc.agg(name) for name in ("median", "min", "max")}
            )
    videos = by_video["video_id"].nunique()
    return pd.DataFrame(rows), (
        f"Compared with {agreement['estimator'].iloc[0]}, by which the study goes, on the accepted "
        f"frames of {videos} videos: concordance (CCC), share of frames with the same sign, and "
        "correlation. Estimators that agree may be wrong together; where they do not, at least one "
        "is, and selected frames and regression targets depend on which was chosen."
    )
