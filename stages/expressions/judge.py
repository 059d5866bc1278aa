"""Networks that judge the training labels of all corpora together."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from eifer.corpora import relabelling
from eifer.corpora.division import training_rows
from eifer.corpora.stored import faces
from eifer.tables.expressions import MERGED
from stages._runtime.checkpoints import checkpoints
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.JUDGE,
    params=("study.seed", "arithmetic", "networks", "relabel.network", "relabel.how"),
    given=(catalogue.DIVISION, catalogue.ATOMS, catalogue.PICTURES),
)
def judge(run: Run) -> Outcome:
    """Train them; one that was under way when a run was killed goes on."""
    rows = training_rows(run.read(catalogue.DIVISION), run.read(catalogue.ATOMS), MERGED)
    labels = rows[rows["part"] == "train"].reset_index(drop=True)
    by: Any = run.item["by"]
    found = relabelling.judge(by, _network(run, rows, labels), labels, run.params.relabel.how)
    n = int(found["network"].max())
    # How they judge is told where it is used: by relabel.
    return Outcome({catalogue.JUDGED: found}, Report("", {"images": len(found), "networks": n}))


def _network(run: Run, rows: pd.DataFrame, labels: pd.DataFrame) -> relabelling.Network:
    """Trains on some of ``labels``, validates on the validation images, and judges others."""
    from eifer.corpora.recipes import probabilities, train_expressions

    name = run.params.relabel.network
    recipe = run.params.networks[name]
    hardware = run.params.arithmetic.hardware(run.machine.hold)
    ids = rows["image_id"].tolist()
    place = pd.Series(np.arange(len(rows)), index=rows["image_id"])[labels["image_id"]].to_numpy()

    @cache
    def pictures() -> Any:
        return faces(run.paths(catalogue.PICTURES), ids, recipe.size_px, run.folder)

    def network(learns: relabelling.Mask, asked: relabelling.Mask, number: int) -> Any:
        weights = (rows["part"] == "validation").to_numpy(np.float64)
        weights[place[learns]] = 1.0
        found = train_expressions(
            pictures(),
            rows.assign(weight=weights),
            recipe,
            run.seed(name, number),
            checkpoint=checkpoints(run) / f"network-{number}.pt",
            hardware=hardware,
        )
        return probabilities(found.state, recipe, pictures()[place[asked]], hardware)

    return network


if __name__ == "__main__":
    judge.main()
