"""The numbers by which expression studies are compared (`dvc metrics`)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from eifer.corpora.evaluation import majority
from eifer.tables.expressions import ALL, MERGED, SPECIALISTS

SHOWN = ("accuracy", "macro_f1")


def known_truth(images: pd.DataFrame, planted: pd.DataFrame | None) -> pd.DataFrame:
    """``image_id`` and ``label`` of images whose true class is known.

    It is what was planted (the table TRUTH), else what over half of the annotators say (IMAGES).
    """
    if planted is not None:
        return planted[["image_id", "label"]]
    votes = majority(images.set_index("image_id")).dropna()
    return votes.rename("label").reset_index()


def merging(contrasts: pd.DataFrame) -> list[dict[Hashable, Any]]:
    """The rows of CONTRASTS that say whether merging helps: accuracy on all real images."""
    kind = (contrasts["images"] == "real") & (contrasts["metric"] == "accuracy")
    pair = (contrasts["first"] == MERGED) & (contrasts["second"] == SPECIALISTS)
    return contrasts[kind & pair & (contrasts["tested_on"] == ALL)].to_dict("records")


def outcomes(sources: Mapping[str, Any]) -> dict[str, Any]:
    """Scores on all real images of the evaluator, merging's contrasts, doubted labels, copies.

    ``sources`` has the tables MATRIX, CONTRASTS, RELABELLED and DUPLICATES by their names.
    """
    matrix, contrasts = sources["matrix"], sources["contrasts"]
    kinds = (matrix["images"] == "real") & (matrix["target"] == "original")
    asked = matrix[kinds & (matrix["tested_on"] == ALL)]
    means = asked.groupby(["network", "trained_on"])[list(SHOWN)].mean()
    made: dict[str, Any] = {
        f"{network} {data}": {name: round(float(row[name]), 6) for name in SHOWN}
        for (network, data), row in means.iterrows()
    }
    merged = contrasts[(contrasts["first"] == MERGED) & (contrasts["images"] == "real")]
    for row in merged.to_dict("records"):
        place = f"{row['network']} {row['first']}-{row['second']} on {row['tested_on']}"
        numbers = {name: row[name] for name in ("difference", "low", "high", "q")}
        made[f"{place}, {row['metric']}"] = numbers
    made["labels"] = {
        "doubted": int(sources["relabelled"]["flagged"].sum()),
        "changed": int((sources["relabelled"]["label"] != sources["relabelled"]["original"]).sum()),
    }
    made["copies"] = {"groups": int(sources["duplicates"]["copies"].nunique())}
    return made
