"""The classification report of every network on its own corpus, and of merged on all."""

from __future__ import annotations

import pandas as pd

from eifer.tables.expressions import ALL, MERGED, place
from eifer.vocabulary import Expression

KEY = ["network", "trained_on", "tested_on", "images", "label"]
SHARES = ["precision", "recall", "f1"]
_CLASSES = [str(name) for name in Expression]


def _shown(by_class: pd.DataFrame) -> pd.DataFrame:
    """Original labels of real images: the test part where there is one, else the evaluator."""
    own = (by_class["trained_on"] == by_class["tested_on"]) | (
        (by_class["trained_on"] == MERGED) & (by_class["tested_on"] == ALL)
    )
    rows = by_class[own & (by_class["target"] == "original")]
    tested = rows.groupby("tested_on")["images"].transform(lambda kinds: (kinds == "test").any())
    return rows[rows["images"] == tested.map({True: "test", False: "real"})]


def table(by_class: pd.DataFrame, published_report: pd.DataFrame) -> pd.DataFrame:
    """A row a network, training set and class: mean over repetitions, and SD of F1.

    A precision that some repetition has not (it never gave that answer) is the others' mean.
    """
    by = _shown(by_class).groupby(KEY)
    made = pd.concat(
        [by[SHARES].mean(), by["f1"].std().rename("f1_sd"), by["support"].max()], axis=1
    ).reset_index()
    theirs = published_report.set_index("label").add_suffix("_published")
    joined = made.join(theirs, on="label")
    order = joined.assign(
        at=joined["trained_on"].map(place), class_at=joined["label"].map(_CLASSES.index)
    ).sort_values(["network", "at", "class_at"])
    return order.drop(columns=["at", "class_at"]).reset_index(drop=True)


def caption(by_class: pd.DataFrame, published_report: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    rows = _shown(by_class)
    never = int((rows["precision"].isna() & (rows["support"] > 0)).sum())
    return (
        f"Means over repetitions, each on its own corpus, merged on all. {never} of {len(rows)} "
        "classes are never answered by a network: they have no precision, and F1 0. In grey: what "
        f"Kausar et al. print of {published_report['support'].sum()} test images of FER2013; three "
        "digits that our copy misreads are put right."
    )
