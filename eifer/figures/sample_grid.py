"""Faces as they were drawn; photographs of people are never shown."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from eifer.faces.pictures import decoded
from eifer.figures.style import canvas
from eifer.vocabulary import Expression

CLASSES = [str(name) for name in Expression]


def chosen(pictures: pd.DataFrame, planted_truth: pd.DataFrame) -> pd.DataFrame:
    """Of every corpus and class the first image that was drawn so and is labelled so."""
    plain = planted_truth[planted_truth["label"] == planted_truth["given"]]
    plain = plain[plain["copy_of"].isna() & plain["image_id"].isin(pictures["image_id"])]
    first = plain.sort_values("image_id").groupby(["corpus", "label"]).head(1)
    return first.merge(pictures, on="image_id")


def draw(pictures: pd.DataFrame, planted_truth: pd.DataFrame) -> tuple[Figure, str]:
    """A row a corpus, a column a class."""
    shown = chosen(pictures, planted_truth).set_index(["corpus", "label"])["image"]
    corpora = sorted(shown.index.unique("corpus"))
    figure, grid = canvas(0.3 + 1.0 * len(corpora), len(corpora), len(CLASSES))
    for row, corpus in zip(grid, corpora, strict=True):
        for axes, label in zip(row, CLASSES, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
            if (corpus, label) in shown:
                axes.imshow(decoded(shown[corpus, label]), interpolation="nearest")
            if row is grid[0]:
                axes.set_title(label)
        row[0].set_ylabel(corpus)
    return figure, (
        f"{len(shown)} of {len(planted_truth)} drawn faces: of every corpus and class the first "
        "whose label is right. Photographs of people are not shown."
    )
