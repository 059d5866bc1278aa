"""Which training set is best, in short: accuracy and macro F1 on the images of all corpora."""

from __future__ import annotations

import pandas as pd

from eifer.tables.expressions import ALL, place

KEY = ["network", "trained_on"]
KINDS = {"real": "of the evaluator", "with_fill_ins": "with fill-ins", "test": "of the test part"}
"""Kinds of images, in words."""
SHOWN = ("accuracy", "macro_f1")


def table(matrix: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a network and training set; scores are on the corpora's own labels.

    ``<images>_<score>_mean`` and ``_sd`` over the repetitions, on the images of all corpora,
    missing where there are none; ``corpora``: the mean accuracy on the real images of each, and
    how many these are.
    """
    original = matrix[matrix["target"] == "original"]
    parts = {}
    for images in KINDS:
        of = original[(original["images"] == images) & (original["tested_on"] == ALL)]
        for score in SHOWN:
            by = of.groupby(KEY)[score]
            parts[f"{images}_{score}_mean"], parts[f"{images}_{score}_sd"] = by.mean(), by.std()
    apart = original[(original["images"] == "real") & (original["tested_on"] != ALL)]
    means = apart.groupby([*KEY, "tested_on"])[["accuracy", "n"]].mean().reset_index()
    words = means["tested_on"] + means["accuracy"].map(" {:.3f}".format)
    words += means["n"].map(" ({:.0f})".format)
    parts["corpora"] = words.groupby([means[name] for name in KEY]).agg(", ".join)
    made = pd.DataFrame(parts).rename_axis(KEY).reset_index()
    order = made.assign(row=made["trained_on"].map(place)).sort_values(["network", "row"])
    made = order.drop(columns="row").reset_index(drop=True)
    sizes = original[original["tested_on"] == ALL].groupby("images")["n"].max()
    counts = ", ".join(f"{sizes[kind]} {told}" for kind, told in KINDS.items() if kind in sizes)
    n = matrix["repetition"].nunique()
    return made, (
        f"Mean (SD) over {n} repetition{'' if n == 1 else 's'}, on the original labels of all "
        f"corpora's images: {counts}. Specialists: each image by the network of its own corpus."
    )
