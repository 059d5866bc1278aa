"""The answers of other networks to the test frames, and what they show (source: 4.4)."""

from __future__ import annotations

from dataclasses import replace

from eifer import evaluation
from eifer.comparison import participants, published
from eifer.tables.external import ANSWERS
from stages import catalogue
from stages._runtime.answers import answers
from stages._runtime.stage import Outcome, Report, Run, stage

MODELS = catalogue.TRAIN_EXTERNAL.repetitions.each("task", "group")


@stage(
    catalogue.EVALUATE_EXTERNAL,
    params=(
        "study.seed",
        "study.waves",
        "study.crop",
        "arithmetic",
        "split.rotations",
        "external.weights",
        "external.folds",
        "external.unfreezing",
        "stats",
    ),
    given=(catalogue.CONDITIONS, catalogue.CROPS, catalogue.FOLDS, *MODELS),
)
def evaluate_external(run: Run) -> Outcome:
    """Show the test frames to each fold's model, and compare High with Low and Total."""
    name, spec, external = run.item["network"], run.params.stats, run.params.external
    conditions = run.read(catalogue.CONDITIONS)
    run.read(catalogue.FOLDS)
    predictions = ANSWERS.conform(answers(run, conditions, MODELS, {}))
    metrics = evaluation.measure(predictions)
    tests, comparison = published.as_published(predictions, spec.published)
    explored = replace(spec.participants, confirmatory=())
    people = participants.by_participant(
        {name: predictions}, {name: tests}, explored, run.params.study.seed
    )
    made = {
        catalogue.EXTERNAL_ANSWERS: predictions,
        catalogue.EXTERNAL_METRICS: metrics,
        catalogue.EXTERNAL_SUMMARY: evaluation.summarise(metrics).assign(network=name),
        catalogue.EXTERNAL_COMPARISON: comparison.assign(network=name),
        catalogue.EXTERNAL_DELTAS: people.deltas,
        catalogue.EXTERNAL_OVER_PEOPLE: people.compared,
    }
    given, learnt = external.weights.get(name), external.unfreezing.epochs
    start = f"weights given as a file (sha256 {given.sha256})" if given else "random numbers"
    text = f"""As a check, {name} learnt the same labels in {external.folds} folds over those not
        tested, stratified by label and grouped by participant, separately from the High, from the
        Low and from all participants. It started from {start}, under two new linear heads. The
        heads learnt alone first (epochs: {learnt[0]}), then with one more block of the backbone at
        a time, from the output down (epochs: {", ".join(map(str, learnt[1:]))}). In each fold the
        loss weighed the positive class by the fold's own training data, the epoch of best macro F1
        on the people of the fold was kept, and the threshold was chosen on them. Each fold's model
        scored the test frames. Folds stood in the place of repetitions in all tests; all of them
        were exploratory."""
    numbers = {
        "network": name,
        "folds": external.folds,
        "started": "given" if given else "random",
    }
    return Outcome(made, Report(text, numbers))


if __name__ == "__main__":
    evaluate_external.main()
