"""Faces of participants who allowed it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from eifer.figures.style import canvas, count


def draw(allowed_faces: pd.DataFrame) -> tuple[Figure, str]:
    """A row a person, a column a video; nobody is named."""
    people = [of["crop"] for _, of in allowed_faces.groupby("person")]
    columns = max(map(len, people), default=1)
    figure, grid = canvas(max(1, len(people)) * min(1.7, 7 / columns), max(1, len(people)), columns)
    shapes = allowed_faces[["height_px", "width_px"]].drop_duplicates().to_numpy()
    for axes in (axes for row in grid for axes in row):
        axes.set_axis_off()
    for row, crops in zip(grid, people, strict=False):
        for axes, crop in zip(row, crops, strict=False):
            pixels = np.frombuffer(crop, np.uint8).reshape(*shapes[0], 3)
            axes.imshow(pixels, interpolation="nearest")
    return figure, (
        f"The aligned crop of the best rank in each of {count(len(allowed_faces), 'video')} of "
        f"{count(len(people), 'participant')} who allowed it (report.faces), a row a person. They "
        "are what the networks saw. No other face is shown."
    )
