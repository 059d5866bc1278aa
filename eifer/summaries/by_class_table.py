"""The classification report of every network on its own corpus, and of merged on all."""

from __future__ import annotations

import pandas as pd

from eifer.tables.expressions import ALL, MERGED, place

KEY = ["network", "trained_on", "tested_on", "images", "label"]
SHARES = ["precision", "recall", "f1"]


def table(by_class: pd.DataFrame, published_report: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a network, training set and class: mean over repetitions, and SD of F1.

    Of original labels of real images: the test part where there is one, else the evaluator.
    A precision that some repetition has not (it never gave that answer) is the others' mean.
    """
    own = (by_class["trained_on"] == by_class["tested_on"]) | (
        (by_class["trained_on"] == MERGED) & (by_class["tested_on"] == ALL)
    )
    rows = by_class[own & (by_class["target"] == "original")]
    tested = rows.groupby("tested_on")["images"].transform(lambda kinds: (kinds == "test").any())
    rows = rows[rows["images"] == tested.map({True: "test", False: "real"})]
    by = rows.groupby(KEY)
    made = pd.concat(
        [by[SHARES].mean(), by["f1"].std().rename("f1_sd"), by["support"].max()], axis=1
    ).reset_index()
    theirs = published_report.set_index("label").add_suffix("_published")
    joined = made.join(theirs, on="label")
    order = joined.assign(at=joined["trained_on"].map(place))
    made = order.sort_values(["network", "at", "label"]).drop(columns="at").reset_index(drop=True)
    never = int((rows["precision"].isna() & (rows["support"] > 0)).sum())
    return made, (
        f"Means over repetitions, each on its own corpus, merged on all. {never} of {len(rows)} "
        "classes are never answered by a network: they have no precision, and F1 0. In grey: what "
        f"Kausar et al. print of {published_report['support'].sum()} test images of FER2013; three "
        "digits that our copy misreads are put right."
    )
