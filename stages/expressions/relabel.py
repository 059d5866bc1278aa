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
    "published": "All training images took the label of the last of these networks.",
    "confident_weight": """Labels that confident learning doubts [@northcutt2021] were not trained
        on.""",
    "confident_relabel": """Labels that confident learning doubts [@northcutt2021] were replaced
        where the network's label had a probability above {above:g}.""",
}
JUDGED = {
    "none": "",
    "confident": """Training labels were judged by {n} networks, each of the images of a fold,
        none of which, nor a copy of one, it had seen.""",
    "published": """A network was trained on all training images, then anew on those whose labels
        it predicted rightly (networks: {n}); the last one judged all training images, those
        it was trained on too.""",
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
    judgements = run.read(catalogue.JUDGED)
    found = relabelling.relabel(labels, wanted.methods, judgements, wanted.how)
    first, *others = [found[name].assign(method=name) for name in wanted.methods]
    otherwise = pd.concat([OTHERWISE.empty(), *others], ignore_index=True)
    made = {catalogue.RELABELLED: first.drop(columns="method"), catalogue.OTHERWISE: otherwise}
    networks = judgements.groupby("by")["network"].max().to_dict()
    return Outcome(made, _report(first, wanted.how, networks[wanted.how.method]))


def _report(found: pd.DataFrame, spec: relabelling.RelabelSpec, networks: int) -> Report:
    changed = int((found["label"] != found["original"]).sum())
    dropped, doubted = int((found["weight"] == 0).sum()), int(found["flagged"].sum())
    return Report(
        f"{JUDGED[spec.method]} {HOW[spec.name]}".format(n=networks, above=spec.above),
        {"images": len(found), "doubted": doubted, "changed": changed, "left_out": dropped},
        f"""Of {len(found)} training labels {doubted} were doubted: {changed} were changed, and
        {dropped} images were left out of training.""",
    )


if __name__ == "__main__":
    relabel.main()
