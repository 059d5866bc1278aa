"""Tables 4 to 6 of the merging: of what the balanced evaluator is made."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.published import TOTAL
from eifer.tables.expressions import ALL, place
from eifer.vocabulary import Expression

KEY = ["corpus", "label"]
OURS = ["real", "drawn", "lacking"]
_LABELS = [*map(str, Expression), TOTAL]


def table(
    evaluator: pd.DataFrame, evaluator_shortfall: pd.DataFrame, published_evaluator: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """A row a corpus and class, with totals: real images, fill-ins, and places that stay empty.

    ``real_published`` and ``drawn_published`` are the printed numbers of corpora of the same name.
    """
    drawn = evaluator["drawn"].astype(bool)
    short = evaluator_shortfall
    lacking = short.assign(lacking=short["wanted"] - short["found"] - short["filled"])
    counts = pd.concat(
        [
            evaluator[~drawn].groupby(KEY).size().rename("real"),
            evaluator[drawn].groupby(KEY).size().rename("drawn"),
            lacking.groupby(KEY)["lacking"].sum(),
        ],
        axis=1,
    ).fillna(0)
    ours = _with_totals(counts.reset_index()).assign(key=lambda rows: rows["corpus"].str.lower())
    theirs = published_evaluator.rename(columns={"chosen": "real", "filled": "drawn"})
    theirs = theirs.set_index(KEY)[["real", "drawn"]].add_suffix("_published").reset_index()
    made = ours.merge(theirs.rename(columns={"corpus": "key"}), on=["key", "label"], how="outer")
    made["corpus"] = made["corpus"].fillna(made["key"])
    order = made.assign(
        absent=made["real"].isna() & (made["corpus"] != ALL),
        at=made["corpus"].map(place),
        class_at=made["label"].map(_LABELS.index),
    ).sort_values(["absent", "at", "class_at"])
    numbers = [*OURS, "real_published", "drawn_published"]
    made = order[[*KEY, *numbers]].astype(dict.fromkeys(numbers, "Int64")).reset_index(drop=True)
    unknown = (evaluator[["gender", "age", "ethnicity"]] == "unknown").any(axis=1).sum()
    n, filled, empty = len(evaluator), drawn.sum(), lacking["lacking"].sum()
    return made, (
        f"{n} images, {filled} of them drawn ({100 * filled / n:.1f} %); {empty} places stay "
        f"empty. {unknown} images lack a gender, age or ethnicity. In grey: what "
        "Mejia-Escobar et al. 2023 print (Tables 4 and 5; 212 of 1680 drawn, 12.6 %), beside a "
        "corpus of the same name."
    )


def _with_totals(counts: pd.DataFrame) -> pd.DataFrame:
    by_class = counts.groupby("label")[OURS].sum().reset_index().assign(corpus=ALL)
    every = pd.concat([counts, by_class], ignore_index=True)
    by_corpus = every.groupby("corpus")[OURS].sum().reset_index().assign(label=TOTAL)
    return pd.concat([every, by_corpus], ignore_index=True)
