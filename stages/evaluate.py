"""Every model's answers to the test frames, and how good they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from eifer import evaluation
from eifer.faces.stored import read_crops
from eifer.tables.training import REPETITIONS
from eifer.vocabulary import Dimension
from stages import catalogue
from stages._runtime import artifacts
from stages._runtime.stage import Outcome, Report, Run, stage

MODEL = ("task", "training_group", "repetition", "threshold")
DRAWN = ["task", "training_group", "repetition", "epoch", "validation_macro_f1"]
TRAINED = [
    *catalogue.FINE_TUNE_TOTAL.repetitions.each("task", "group"),
    *catalogue.TRAIN_TOTAL.repetitions.each("task"),
]
LEARNT = (catalogue.FINE_TUNE_TOTAL.curves, catalogue.TRAIN_TOTAL.curves)


@stage(
    catalogue.EVALUATE,
    params=("study.waves", "study.crop", "arithmetic", "training.blocks"),
    given=(catalogue.CONDITIONS, catalogue.CROPS, *TRAINED, *LEARNT),
)
def evaluate(run: Run) -> Outcome:
    """Show the test frames to every model, once each, and measure the answers."""
    conditions = run.read(catalogue.CONDITIONS)
    models = list(_trained(run))
    predictions = catalogue.PREDICTIONS.table.conform(pd.concat(_answers(run, conditions, models)))
    metrics = evaluation.measure(predictions)
    summary = evaluation.summarise(metrics)
    curves = pd.concat([run.read(given, DRAWN) for given in LEARNT], ignore_index=True)
    for name, points in evaluation.plots(predictions, metrics, curves):
        path = run.out(catalogue.PLOTS) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        artifacts.write_json(path, points)
    means = evaluation.means(summary)
    made = {
        catalogue.PREDICTIONS: predictions,
        catalogue.METRICS: metrics,
        catalogue.SUMMARY: summary,
        catalogue.MEANS: means,
        catalogue.PLOTS: None,
    }
    return Outcome(made, _report(predictions, means))


def _trained(run: Run) -> Iterator[tuple[evaluation.Model, Any, Any]]:
    """Each model with its row of ``REPETITIONS`` and the file of its weights."""
    parts = [run.read(made) for made in TRAINED]
    # Rules that look at the models look at those of all folders, not of the last one read.
    run.seen[REPETITIONS.name] = pd.concat(parts, ignore_index=True)
    for made, rows in zip(TRAINED, parts, strict=True):
        for row in rows.to_dict("records"):
            name = f"repetition-{row['repetition']}.safetensors"
            files = [path.with_name(name) for path in run.paths(made)]
            weights = next((path for path in files if path.exists()), files[0])
            yield evaluation.Model(*(row[name] for name in MODEL)), row, weights


def _answers(run: Run, conditions: pd.DataFrame, models: list[Any]) -> Iterator[pd.DataFrame]:
    from eifer.models.scoring import load
    from eifer.training.spec import Hardware

    yield evaluation.predict_by_estimate(conditions)
    # float32 everywhere: these scores are the result, and there are few.
    hardware, batch = Hardware(device=run.params.arithmetic.device), run.params.arithmetic.batch
    side = run.params.study.crop.size_px
    for task in Dimension:
        items = evaluation.items(conditions, task)
        crops = read_crops(
            run.paths(catalogue.CROPS), conditions["video_id"], items, side, run.folder
        )
        for model, row, weights in (candidate for candidate in models if candidate[0].task == task):
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
