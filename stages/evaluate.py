"""Every model's answers to the test frames, and how good they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from eifer import evaluation
from eifer.tables.evaluation import METRICS, PREDICTIONS, SUMMARY
from eifer.tables.partitions import CONDITIONS
from eifer.vocabulary import Dimension
from stages._runtime import artifacts
from stages._runtime.crops import IMAGES, read_crops
from stages._runtime.stage import Given, Made, Outcome, Report, Run, stage
from stages._runtime.trained import LEARNT, TRAINED, trained_models

TESTING = Given("data/split/conditions.parquet", CONDITIONS)
MODEL = ("task", "training_group", "repetition", "threshold")
DRAWN = ["task", "training_group", "repetition", "epoch", "validation_macro_f1"]
ANSWERS = Made("predictions.parquet", PREDICTIONS)
MEASURED = Made("metrics.parquet", METRICS)
SUMMARISED = Made("summary.parquet", SUMMARY)
MEANS, PLOTS = Made("metrics.json"), Made("plots")


@stage(
    params=("study.waves", "study.crop", "arithmetic", "training.blocks"),
    given=(TESTING, IMAGES, *TRAINED, *LEARNT),
    made=(ANSWERS, MEASURED, SUMMARISED, MEANS, PLOTS),
)
def evaluate(run: Run) -> Outcome:
    """Show the test frames to every model, once each, and measure the answers."""
    conditions = run.read(TESTING)
    models = [
        (evaluation.Model(*(row[name] for name in MODEL)), row, weights)
        for row, weights in trained_models(run)
    ]
    predictions = PREDICTIONS.conform(pd.concat(_answers(run, conditions, models)))
    metrics = evaluation.measure(predictions)
    summary = evaluation.summarise(metrics)
    curves = pd.concat([run.read(given, DRAWN) for given in LEARNT], ignore_index=True)
    for name, points in evaluation.plots(predictions, metrics, curves):
        path = run.out(PLOTS) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        artifacts.write_json(path, points)
    means = evaluation.means(summary)
    tables = {ANSWERS: predictions, MEASURED: metrics, SUMMARISED: summary}
    return Outcome({**tables, MEANS: means, PLOTS: None}, _report(predictions, means))


def _answers(run: Run, conditions: pd.DataFrame, models: list[Any]) -> Iterator[pd.DataFrame]:
    from eifer.models.scoring import load
    from eifer.models.spec import Hardware

    yield evaluation.predict_by_estimate(conditions)
    # float32 everywhere: these scores are the result, and there are few.
    hardware, batch = Hardware(device=run.params.arithmetic.device), run.params.arithmetic.batch
    for task in Dimension:
        items = evaluation.items(conditions, task)
        crops = read_crops(run, conditions["video_id"], items)
        for model, row, weights in (one for one in models if one[0].task == task):
            score = load(weights, row["weights_sha256"], hardware=hardware, batch=batch)
            yield evaluation.predict(conditions, crops, model, score)


def _report(predictions: pd.DataFrame, means: evaluation.Means) -> Report:
    n, people = len(set(predictions["repetition"]) - {0}), predictions["participant_id"].nunique()
    sizes = predictions.groupby(["condition", "task"])["item_id"].nunique().reset_index()
    listed = ", ".join(f"{c} {t} {size}" for c, t, size in sizes.itertuples(index=False))
    return Report(
        f"""The High, Low and Total models of {n} repetition{"s" * (n > 1)} scored the same frames
        of {people} test participants ({listed}), predicted high from the threshold found on
        validation data. The untouched affect network stands beside them, its score (estimate + 1) /
        2: it chose these frames by agreement with their labels, and the models start from it.""",
        {"repetitions": n, "test_participants": people, "means": means},
    )


if __name__ == "__main__":
    evaluate.main()
