"""Table 10 of the merging: every training set on every set of images."""

from __future__ import annotations

import pandas as pd

from eifer.tables.expressions import SCORES, place

KEY = ["network", "trained_on", "tested_on", "images"]
KINDS = ["real", "with_fill_ins", "test"]
OTHER = {"majority": "majority", "relabelled": "agreement"}
"""What else is held true, and how its accuracy is called: a score on labels that a model gave is
agreement with a model."""


def table(matrix: pd.DataFrame, published_matrix: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a network, training set and set of images: ``<score>_mean`` and ``_sd``, and ``n``.

    ``n_majority, majority_mean``: accuracy on the majority of votes, of the images that have one;
    ``n_agreement, agreement_mean``: on the labels that relabelling proposes. Missing where there
    are none. ``accuracy_published`` stands beside what has the same names and fill-ins (real
    images where there are no fill-ins); what is printed of other corpora has rows of its own.
    """
    original = matrix[matrix["target"] == "original"]
    by = original.groupby(KEY)
    made = pd.concat(
        [
            by["n"].max(),
            by[list(SCORES)].mean().add_suffix("_mean"),
            by[list(SCORES)].std().add_suffix("_sd"),
        ],
        axis=1,
    )
    for target, name in OTHER.items():
        of = matrix[matrix["target"] == target].groupby(KEY)
        made[f"n_{name}"], made[f"{name}_mean"] = of["n"].max(), of["accuracy"].mean()
    made = made.reset_index()
    kind = KINDS[1] if (made["images"] == KINDS[1]).any() else KINDS[0]
    theirs = published_matrix.assign(images=kind).rename(
        columns={"accuracy": "accuracy_published", "network": "network_published"}
    )
    keys = {name: f"{name}_key" for name in ("trained_on", "tested_on")}
    lower = made.assign(**{key: made[name].str.lower() for name, key in keys.items()})
    joined = lower.merge(theirs.rename(columns=keys), on=[*keys.values(), "images"], how="outer")
    for name, key in keys.items():
        joined[name] = joined[name].fillna(joined[key])
    order = joined.assign(
        absent=joined["n"].isna(),
        row=joined["trained_on"].map(place),
        column=joined["tested_on"].map(place),
        kind=joined["images"].map(KINDS.index),
    ).sort_values(["absent", "network", "row", "kind", "column"], kind="stable")
    counts = dict.fromkeys(("n", "n_majority", "n_agreement"), "Int64")
    columns = [*made.columns, "network_published", "accuracy_published"]
    made = order[columns].astype(counts).reset_index(drop=True)
    repetitions = matrix["repetition"].nunique()
    agreement = (
        " Agreement is with the labels that a model proposes for these images: no evidence that "
        "they are recognised."
        if (matrix["target"] == "relabelled").any()
        else ""
    )
    return made, (
        f"Mean (SD) over {repetitions} repetition{'' if repetitions == 1 else 's'}; macro F1 and "
        "balanced accuracy over the classes that are there. Specialists: each image by the "
        "network of its own corpus. In grey: what Mejia-Escobar et al. "
        "2023 print (Table 10; one training each, on images with fill-ins and relabelled by a "
        f"model).{agreement}"
    )
