"""What relabelling changes, and whether labels become truer or only more like the model."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer.corpora.evaluation import majority
from eifer.tables.expressions import ALL


def table(relabelled: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """A row a corpus, and all: what is changed, and what the annotators' majority says of it.

    The columns are those of `judged`. Without votes only the first five have values.
    """
    truth = _truth(relabelled, images)
    parts = [*relabelled.groupby("corpus"), (ALL, relabelled)]
    rows = [{"corpus": corpus, **judged(rows, truth)} for corpus, rows in parts]
    return pd.DataFrame(rows).astype({name: "Int64" for name in COUNTS})


def _truth(relabelled: pd.DataFrame, images: pd.DataFrame) -> pd.Series:
    known = images[images["image_id"].isin(relabelled["image_id"])]
    return majority(known.set_index("image_id"))


COUNTS = ("n", "flagged", "changed", "left_out", "seen", "n_known", "wrong", "right")


def judged(relabelled: pd.DataFrame, truth: pd.Series) -> dict[str, Any]:
    """Relabelling against what is true, of the images whose truth is known.

    Parameters
    ----------
    relabelled : DataFrame
        Rows of `RELABELLED`.
    truth : Series
        By image the class that is true; missing where it is not known.

    Returns
    -------
    dict
        Numbers of images: ``n``; ``flagged``; ``changed``, whose label is another now;
        ``left_out``, of weight 0; ``seen``, judged by a network that was trained on them; then of
        the ``n_known``: ``wrong`` and ``right`` original labels. Shares: of wrong ones
        ``repaired`` (the label is true now), ``wrong_left_out``, and ``repeated`` (the network
        proposes the same wrong label: what it learnt by heart comes back); of right ones
        ``broken`` (the label is wrong now) and ``right_left_out``; of the flagged
        ``flagged_wrong``; and of all known ``agreement_before`` and ``agreement_after``, of what
        training takes, each image with its weight. NaN where there is none.
    """
    true = relabelled["image_id"].map(truth)
    known, changed = true.notna(), relabelled["label"] != relabelled["original"]
    wrong = known & (relabelled["original"] != true)
    right = known & ~wrong
    out, weight = relabelled["weight"] == 0, relabelled["weight"].where(known, 0)
    fits = relabelled["label"] == true
    flagged = relabelled["flagged"].astype(bool)
    return {
        "n": len(relabelled),
        "flagged": int(flagged.sum()),
        "changed": int(changed.sum()),
        "left_out": int(out.sum()),
        "seen": int(relabelled["fold"].isna().sum()),
        "n_known": int(known.sum()),
        "wrong": int(wrong.sum()),
        "right": int(right.sum()),
        "repaired": fits[wrong & ~out].sum() / wrong.sum() if wrong.any() else float("nan"),
        "wrong_left_out": out[wrong].mean(),
        "repeated": (relabelled["proposed"] == relabelled["original"])[wrong].mean(),
        "broken": (~fits)[right & ~out].sum() / right.sum() if right.any() else float("nan"),
        "right_left_out": out[right].mean(),
        "flagged_wrong": wrong[flagged & known].mean(),
        "agreement_before": right[known].mean(),
        "agreement_after": (fits * weight).sum() / weight.sum() if weight.sum() else float("nan"),
    }


def caption(relabelled: pd.DataFrame, images: pd.DataFrame) -> str:
    """What is shown, and of how many."""
    made = judged(relabelled, _truth(relabelled, images))
    if not made["n_known"]:
        told = "No image has votes, so that nothing says which labels are wrong."
    else:
        told = (
            f"Of {made['n_known']} over half of the annotators agree on a class: what they say is "
            "held true. Labels that training takes agree with it in "
            f"{100 * made['agreement_before']:.1f} % before and "
            f"{100 * made['agreement_after']:.1f} % after."
        )
    leak = (
        f" {made['seen']} of them were judged by a network that had learnt their labels: it "
        "repeats them, wrong ones too."
        if made["seen"]
        else " No image was judged by a network that had seen it or a copy."
    )
    return f"{made['n']} training images. {told}{leak}"
