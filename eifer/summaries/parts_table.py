"""Tables 3 and 8 of the merging: into which parts each corpus is divided."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.published import TOTAL
from eifer.summaries.corpora_table import beside
from eifer.tables.expressions import ALL, MERGED, PARTS


def table(
    division: pd.DataFrame, published_parts: pd.DataFrame, published_division: pd.DataFrame
) -> tuple[pd.DataFrame, str]:
    """A row a corpus of ours or theirs, and all: images by part.

    With ``_published`` the numbers of Table 8, whose test images are the evaluator's, and with
    ``first_`` before them those of Table 3.
    """
    ours = division.groupby(["corpus", "part"]).size().unstack("part")
    ours = ours.reindex(columns=list(PARTS)).fillna(0)
    ours.loc[ALL] = ours.sum()
    ours[TOTAL] = ours.sum(axis=1)
    theirs = published_division.rename(columns={"test": "evaluator"}).set_index("corpus")
    theirs = theirs.join(published_parts.set_index("corpus").add_prefix("first_"))
    made = beside(ours, theirs.rename(index={MERGED: ALL}))
    return made.astype({name: "Int64" for name in made if name != "corpus"}), (
        f"{len(division)} images of {division['corpus'].nunique()} corpora. In grey: what "
        "Mejia-Escobar et al. 2023 print, first for the training with the evaluator (Table 8), "
        "then for the training by corpus (Table 3), beside a corpus of ours that has the same name."
    )
