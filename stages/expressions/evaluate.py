"""What every network says of every image of the evaluator and the test part, and how good it is."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer.corpora.evaluation import evaluate as measured
from eifer.corpora.stored import faces
from eifer.tables.expressions import ANSWERS, PROBABILITIES
from stages._runtime.places import MadeTable
from stages._runtime.stage import Outcome, Report, Run, stage
from stages.expressions import catalogue


@stage(
    catalogue.EVALUATE,
    params=("study.seed", "arithmetic", "networks", "train", "evaluate"),
    given=(
        catalogue.DESCRIBED,
        catalogue.ATOMS,
        catalogue.EVALUATED,
        catalogue.DIVISION,
        catalogue.RELABELLED,
        catalogue.PICTURES,
        catalogue.FILL_INS,
        catalogue.TRAINED,
    ),
)
def evaluate(run: Run) -> Outcome:
    """Ask every network once about every image that none of them learnt from."""
    division, evaluator = run.read(catalogue.DIVISION), run.read(catalogue.EVALUATED)
    tested = division.loc[division["part"].isin(["test", "evaluator"]), "image_id"]
    ids = sorted({*tested, *evaluator["image_id"]})
    answers = ANSWERS.conform(pd.concat(_asked(run, ids), ignore_index=True))
    found = measured(
        answers,
        run.read(catalogue.DESCRIBED),
        division,
        evaluator,
        run.read(catalogue.ATOMS),
        run.read(catalogue.RELABELLED),
        run.params.evaluate,
        run.seed(),
    )
    spec, n = run.params.evaluate, int((~evaluator["drawn"]).sum())
    return Outcome(
        {
            catalogue.ANSWERS: answers,
            catalogue.MATRIX: found.matrix,
            catalogue.BY_CLASS: found.by_class,
            catalogue.CONFUSION: found.confusion,
            catalogue.BY_CELL: found.by_cell,
            catalogue.CONTRASTS: found.contrasts,
        },
        Report(
            f"""Every network answered for the evaluator's images and for the test part, none of
            which any network had seen, nor copies of them or other pictures of the same people.
            Scores are on the corpora's own labels, and on the majority of the votes where there
            are votes. Differences have {spec.level:.0%} intervals by {spec.draws} draws of a
            bootstrap over groups of copies and people, and are corrected over the whole matrix
            [@benjamini1995].""",
            {"images": len(ids), "evaluator": n},
        ),
    )


def _asked(run: Run, ids: list[str]) -> list[pd.DataFrame]:
    from eifer.corpora.recipes import probabilities
    from eifer.training.weights import load_weights

    stored = [*run.paths(catalogue.PICTURES), *run.paths(catalogue.FILL_INS)]
    trained = run.read(catalogue.TRAINED).groupby("network")
    hardware = run.params.arithmetic.hardware(run.machine.hold)
    answers = []
    for network, rows in trained:
        recipe = run.params.networks[network]
        images = faces(stored, ids, recipe.size_px, run.folder)
        for row in rows.to_dict("records"):
            place: MadeTable = catalogue.TRAINED.at(network=str(network), data=row["trained_on"])
            file = run.path(place).with_name(f"repetition-{row['repetition']}.safetensors")
            state = load_weights(file, row["weights_sha256"])
            said: Any = probabilities(state, recipe, images, hardware)
            named = {name: row[name] for name in ("trained_on", "network", "repetition")}
            table = pd.DataFrame(said, columns=list(PROBABILITIES))
            answers.append(table.assign(image_id=ids, **named))
    return answers


if __name__ == "__main__":
    evaluate.main()
