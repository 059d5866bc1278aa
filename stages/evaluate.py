"""Every model's answers to the test frames, and how good they are."""

from __future__ import annotations

from typing import Any

import pandas as pd

from eifer import designs, evaluation
from eifer.tables.evaluation import FIRST
from eifer.tables.training import REPETITIONS
from stages import catalogue
from stages._runtime import artifacts
from stages._runtime.answers import answers
from stages._runtime.places import Made
from stages._runtime.stage import Outcome, Report, Run, stage

DRAWN = ["task", "training_group", "repetition", "epoch", "validation_macro_f1"]
TOTAL = catalogue.TRAIN_TOTAL
STEPS = {
    catalogue.PRETRAINED: catalogue.PRETRAIN_EI.repetitions.each("task", "group"),
    catalogue.PREDICTIONS: catalogue.FINE_TUNE_TOTAL.repetitions.each("task", "group"),
}
"""The predictions of the models of each step, and the tables that list those of High and Low."""


@stage(
    catalogue.EVALUATE,
    params=(
        "study.waves",
        "study.crop",
        "arithmetic",
        "training.blocks",
        "split.rotations",
        "split.totals",
    ),
    given=(
        catalogue.CONDITIONS,
        catalogue.CROPS,
        *(made for parts in STEPS.values() for made in parts),
        *TOTAL.repetitions.each("task"),
        catalogue.FINE_TUNE_TOTAL.curves,
        TOTAL.curves,
    ),
)
def evaluate(run: Run) -> Outcome:
    """Show the test frames to every model, once each, and measure the answers."""
    conditions, own = run.read(catalogue.CONDITIONS), run.item["assignment"]
    total = own if own in run.params.split.totals else designs.EI
    made: dict[Made, Any] = {}
    scored: dict[str, Any] = {}  # the Total models are asked of once, and stand in both tables
    for to, parts in STEPS.items():
        listed = [*parts, *TOTAL.repetitions.at(total=total).each("task")]
        made[to] = answers(run, conditions, listed, scored)
        if to is catalogue.PRETRAINED:
            run.seen[FIRST] = run.seen[REPETITIONS.name]
    predictions = made[catalogue.PREDICTIONS]
    metrics = evaluation.measure(predictions)
    summary = evaluation.summarise(metrics)
    learnt = (catalogue.FINE_TUNE_TOTAL.curves, TOTAL.curves.at(total=total))
    curves = pd.concat([run.read(given, DRAWN) for given in learnt], ignore_index=True)
    for name, points in evaluation.plots(predictions, metrics, curves):
        path = run.out(catalogue.PLOTS) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        artifacts.write_json(path, points)
    means = evaluation.means(summary)
    made |= {
        catalogue.METRICS: metrics,
        catalogue.SUMMARY: summary,
        catalogue.PLOTS: None,
    }
    return Outcome(made, _report(predictions, means))


def _report(predictions: pd.DataFrame, means: evaluation.Means) -> Report:
    n, people = len(set(predictions["repetition"]) - {0}), predictions["participant_id"].nunique()
    sizes = predictions.groupby(["condition", "task"])["item_id"].nunique().reset_index()
    listed = ", ".join(f"{c} {t} {size}" for c, t, size in sizes.itertuples(index=False))
    return Report(
        f"""The High, Low and Total models of {n} repetition{"s" * (n > 1)} scored the same frames
        of {people} test participants. A frame was predicted high from the threshold found on
        validation data. The untouched estimator of arousal and valence was scored beside them as a
        reference (Affect), by (estimate + 1) / 2; it had chosen these frames by agreement with
        their labels.""",
        {"repetitions": n, "test_participants": people, "means": means},
        f"The test frames were: {listed}.",
    )


if __name__ == "__main__":
    evaluate.main()
