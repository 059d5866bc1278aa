"""Which training labels networks doubt, and what becomes of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from eifer.corpora import relabelling
from eifer.corpora.division import training_rows
from eifer.corpora.stored import faces
from eifer.tables.expressions import MERGED, OTHERWISE
from stages._runtime.checkpoints import checkpoints
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue

HOW = {
    "none": "The corpora's own labels were taken as they are.",
    "published": """A network was trained, then trained anew on the images whose labels it
        predicted rightly, for at most {rounds} rounds; the last network labelled all training
        images.""",
    "confident": """Training labels were judged by networks that had seen neither the image nor a
        copy of it ({folds} folds). Labels that confident learning doubts [@northcutt2021]
        {then}.""",
}
THEN = {
    "weight": "were not trained on",
    "relabel": "were replaced where the network's label had a probability above {above:g}",
}


@stage(
    catalogue.RELABEL,
    params=("study.seed", "arithmetic", "networks", "relabel"),
    given=(catalogue.DIVISION, catalogue.ATOMS, catalogue.PICTURES),
)
def relabel(run: Run) -> Outcome:
    """Judge the training labels of all corpora together; no other label is touched."""
    spec = run.params.relabel.how
    rows = training_rows(run.read(catalogue.DIVISION), run.read(catalogue.ATOMS), MERGED)
    labels = rows[rows["part"] == "train"].reset_index(drop=True)
    wanted = list(dict.fromkeys([spec.name, *run.params.relabel.also]))
    found = relabelling.relabel(labels, wanted, _network(run, rows, labels), spec)
    others = [found[name].assign(method=name) for name in wanted[1:]]
    otherwise = pd.concat([OTHERWISE.empty(), *others], ignore_index=True)
    made = {catalogue.RELABELLED: found[spec.name], catalogue.OTHERWISE: otherwise}
    return Outcome(made, _report(found[spec.name], spec))


def _network(run: Run, rows: pd.DataFrame, labels: pd.DataFrame) -> relabelling.Network:
    """Trains on some of ``labels``, validates on the validation images, and judges others."""
    from eifer.corpora.recipes import probabilities, train_expressions

    name = run.params.relabel.network
    recipe = run.params.networks[name]
    hardware = run.params.arithmetic.hardware(run.machine.hold)
    ids = rows["image_id"].tolist()
    validates = (rows["part"] == "validation").to_numpy()
    place = pd.Series(np.arange(len(rows)), index=rows["image_id"])[labels["image_id"]].to_numpy()

    @cache
    def pictures() -> Any:
        return faces(run.paths(catalogue.PICTURES), ids, recipe.size_px, run.folder)

    def network(learns: relabelling.Mask, asked: relabelling.Mask, number: int) -> Any:
        weights = validates.astype(np.float64)
        weights[place[learns]] = 1.0
        found = train_expressions(
            pictures(),
            rows["label"].tolist(),
            weights,
            validates,
            ids,
            rows["atom"].tolist(),
            recipe,
            run.seed(name, number),
            checkpoint=checkpoints(run) / f"network-{number}-{int(learns.sum())}.pt",
            hardware=hardware,
        )
        return probabilities(found.state, recipe, pictures()[place[asked]], hardware)

    return network


def _report(found: pd.DataFrame, spec: relabelling.RelabelSpec) -> Report:
    then = THEN[spec.apply].format(above=spec.above)
    folds = 0 if found["fold"].isna().all() else int(found["fold"].max())
    changed = int((found["label"] != found["original"]).sum())
    dropped, doubted = int((found["weight"] == 0).sum()), int(found["flagged"].sum())
    return Report(
        HOW[spec.method].format(rounds=spec.rounds, folds=folds, then=then),
        {"images": len(found), "doubted": doubted, "changed": changed, "left_out": dropped},
        f"""Of {len(found)} training labels {doubted} were doubted: {changed} were changed, and
        {dropped} images were left out of training.""",
    )


if __name__ == "__main__":
    relabel.main()
