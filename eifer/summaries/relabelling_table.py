"""What relabelling changes, and whether labels become truer or only more like the model."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.relabelling import judged
from eifer.tables.expressions import ALL

COUNTS = ("n", "flagged", "changed", "left_out", "seen", "n_known", "wrong", "right")
USED = "used"


def table(
    relabelled: pd.DataFrame, relabelled_otherwise: pd.DataFrame, known_truth: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """A row a corpus, and all, of what is used; then a row of all for each other method.

    The columns after ``method`` and ``corpus`` are those of `judged`; ``known_truth`` has
    ``image_id`` and ``label``, of images whose true class is known.
    """
    truth = known_truth.set_index("image_id")["label"]
    parts = [
        *((USED, str(corpus), rows) for corpus, rows in relabelled.groupby("corpus")),
        (USED, ALL, relabelled),
        *((str(name), ALL, rows) for name, rows in relabelled_otherwise.groupby("method")),
    ]
    rows = [
        {"method": method.replace("_", ", "), "corpus": corpus, **judged(rows, truth)}
        for method, corpus, rows in parts
    ]
    made = pd.DataFrame(rows).astype({name: "Int64" for name in COUNTS})
    used = judged(relabelled, truth)
    if not used["n_known"]:
        told = "The truth is known of no image, so nobody can say which labels are wrong."
    else:
        told = (
            f"Of {used['n_known']} the truth is known: what was planted, or what over half of the "
            "annotators say. Labels that training takes agree with it in "
            f"{100 * used['agreement_before']:.1f} % before and "
            f"{100 * used['agreement_after']:.1f} % after."
        )
    leak = (
        " A method that judges images by a network that learnt their labels (seen) repeats wrong "
        "ones, and agrees with its own network, whatever is true."
    )
    return made, f"{used['n']} training images. {told}{leak * (len(relabelled_otherwise) > 0)}"
