"""What the drawn faces were told to show, and what the affect network read from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import canvas, count
from eifer.vocabulary import Dimension


def draw(latent: pd.DataFrame, estimates: pd.DataFrame) -> tuple[Figure, str]:
    """Planted against estimated expression as a density; a panel a dimension."""
    pairs = latent.merge(
        estimates[["video_id", "frame", *Dimension]],
        on=["video_id", "frame"],
        suffixes=("_planted", "_estimated"),
    )
    figure, [row] = canvas(3.3, 1, 2, sharex=True, sharey=True)
    for axes, name in zip(row, Dimension, strict=True):
        planted, estimated = pairs[f"{name}_planted"], pairs[f"{name}_estimated"]
        image = axes.hist2d(
            planted,
            estimated,
            bins=48,
            range=[[-1, 1], [-1, 1]],
            cmap="cividis_r",
            cmin=1,
            rasterized=True,
        )[3]
        axes.plot([-1, 1], [-1, 1], color="black", linewidth=0.8, linestyle=":")
        axes.set_aspect("equal")
        r = np.corrcoef(planted, estimated)[0, 1]
        axes.set_title(f"{name} (r = {r:.2f})")
        axes.set_xlabel("planted expression (-1 to 1)")
    row[0].set_ylabel("estimate (-1 to 1)")
    figure.colorbar(image, ax=row, label="frames", shrink=0.8)
    return figure, (
        f"{count(len(pairs), 'accepted frame')} of "
        f"{count(pairs['video_id'].nunique(), 'video')}: the "
        "arousal and valence that each face was drawn with, and the estimate made from the "
        "encoded video. On the dotted line the two agree."
    )
