"""Which training labels networks doubt, and what becomes of them."""

from __future__ import annotations

import pandas as pd

from eifer.corpora import relabelling
from eifer.corpora.division import training_rows
from eifer.tables.expressions import MERGED, OTHERWISE
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue

HOW = {
    "none": "The corpora's own labels were taken as they are.",
    "published": "All training images took the label of the last of its networks.",
    "confident_weight": """Labels that confident learning doubts [@northcutt2021] were not trained
        on.""",
    "confident_relabel": """Labels that confident learning doubts [@northcutt2021] were replaced
        where the network's label had a probability above {above:g}.""",
}


@stage(
    catalogue.RELABEL,
    params=("relabel",),
    given=(catalogue.DIVISION, catalogue.ATOMS, catalogue.JUDGED),
)
def relabel(run: Run) -> Outcome:
    """Apply every method to its judgements; no label of validation or evaluation is touched."""
    wanted = run.params.relabel
    rows = training_rows(run.read(catalogue.DIVISION), run.read(catalogue.ATOMS), MERGED)
    labels = rows[rows["part"] == "train"].reset_index(drop=True)
    found = relabelling.relabel(labels, wanted.methods, run.read(catalogue.JUDGED), wanted.how)
    first, *others = [found[name].assign(method=name) for name in wanted.methods]
    otherwise = pd.concat([OTHERWISE.empty(), *others], ignore_index=True)
    made = {catalogue.RELABELLED: first.drop(columns="method"), catalogue.OTHERWISE: otherwise}
    return Outcome(made, _report(first, wanted.how))


def _report(found: pd.DataFrame, spec: relabelling.RelabelSpec) -> Report:
    changed = int((found["label"] != found["original"]).sum())
    dropped, doubted = int((found["weight"] == 0).sum()), int(found["flagged"].sum())
    return Report(
        HOW[spec.name].format(above=spec.above),
        {"images": len(found), "doubted": doubted, "changed": changed, "left_out": dropped},
        f"""Of {len(found)} training labels {doubted} were doubted: {changed} were changed, and
        {dropped} images were left out of training.""",
    )


if __name__ == "__main__":
    relabel.main()
