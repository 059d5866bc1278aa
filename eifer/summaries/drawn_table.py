"""Table 7 of the merging: faces that nobody has, by class."""

from __future__ import annotations

import pandas as pd

from eifer.corpora.published import TOTAL
from eifer.vocabulary import Expression


def table(evaluator: pd.DataFrame, published_artificial: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """A row a class, and their total: our drawn faces, and how many the source made."""
    classes = [*map(str, Expression), TOTAL]
    ours = evaluator.loc[evaluator["drawn"], "label"].value_counts()
    ours[TOTAL] = ours.sum()
    theirs = published_artificial.pivot(index="label", columns="part", values="n")
    made = theirs.reindex(classes).assign(drawn=ours.reindex(classes, fill_value=0).astype(int))
    made = made.rename_axis("label").reset_index()
    return made, (
        f"{int(evaluator['drawn'].sum())} drawn faces fill the evaluator; nothing is trained on "
        "them. Beside: the faces that Mejia-Escobar et al. 2023 made by Stable Diffusion to train "
        "on and to test on (Table 7)."
    )
