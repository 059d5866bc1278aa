"""Every model's answers to the test frames, and how good they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from eifer import evaluation
from eifer.tables.evaluation import METRICS, PREDICTIONS, SUMMARY
from eifer.tables.partitions import CONDITIONS
from eifer.tables.selection import CROPS
from eifer.tables.training import CURVES, REPETITIONS
from eifer.vocabulary import Dimension
from stages._runtime import artifacts, tracking
from stages._runtime.stage import PARAMS, Given, Made, Outcome, Report, Run, stage
from stages.params import load_params

TESTING = Given("data/split/conditions.parquet", CONDITIONS)
IMAGES = Given("data/select/wave-${study.waves}/crops", CROPS)
NAMES = [f"fine_tune_total/task-{task}_group-{g}" for task in Dimension for g in ("High", "Low")]
NAMES += [f"train_total/task-{task}" for task in Dimension]
FOLDERS = [f"data/{name}_block-${{training.blocks}}" for name in NAMES]
TRAINED = tuple(Given(f"{folder}/repetitions.parquet", REPETITIONS) for folder in FOLDERS)
LEARNT = tuple(Given(f"{folder}/curves.parquet", CURVES) for folder in FOLDERS)
MODEL = ("task", "training_group", "repetition", "threshold")
TRACKED = ("stage", "task", "training_group", "repetition", "weights_sha256")
DRAWN = ["task", "training_group", "repetition", "epoch", "validation_macro_f1"]
ANSWERS = Made("predictions.parquet", PREDICTIONS)
MEASURED = Made("metrics.parquet", METRICS)
SUMMARISED = Made("summary.parquet", SUMMARY)
MEANS, PLOTS = Made("metrics.json"), Made("plots")


@stage(
    params=("study.waves", "training.blocks"),
    given=(TESTING, IMAGES, *TRAINED, *LEARNT),
    made=(ANSWERS, MEASURED, SUMMARISED, MEANS, PLOTS),
)
def evaluate(run: Run) -> Outcome:
    """Show the test frames to every model, once each, and measure the answers."""
    conditions, models = run.read(TESTING), list(_models(run))
    predictions = PREDICTIONS.conform(pd.concat(_answers(run, conditions, models)))
    metrics = evaluation.measure(predictions)
    summary = evaluation.summarise(metrics)
    curves = pd.concat([run.read(given, DRAWN) for given in LEARNT], ignore_index=True)
    for name, points in evaluation.plots(predictions, metrics, curves):
        path = run.out(PLOTS) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        artifacts.write_json(path, points)
    _track(run, models, metrics)
    means = evaluation.means(summary)
    tables = {ANSWERS: predictions, MEASURED: metrics, SUMMARISED: summary}
    return Outcome({**tables, MEANS: means, PLOTS: None}, _report(predictions, means))


def _models(run: Run) -> Iterator[Any]:
    parts = []  # with each model its row of REPETITIONS and the file of its weights
    for given in TRAINED:
        parts.append(run.read(given))
        for row in parts[-1].to_dict("records"):
            model = evaluation.Model(*(row[name] for name in MODEL))
            name = f"repetition-{model.repetition}.safetensors"
            files = [path.with_name(name) for path in run.paths(given)]
            yield model, row, next((path for path in files if path.exists()), files[0])
    # The rules of predictions look at the models of all folders, not of the last one read.
    run.seen[REPETITIONS.name] = pd.concat(parts, ignore_index=True)


def _answers(run: Run, conditions: pd.DataFrame, models: list[Any]) -> Iterator[pd.DataFrame]:
    from eifer.models.scoring import load
    from eifer.models.spec import Hardware

    yield evaluation.predict_by_estimate(conditions)
    # float32 everywhere: these scores are the result, and there are few.
    hardware, batch = Hardware(device=run.machine.torch_device()), run.machine.batch
    tested = {f"{video}.parquet" for video in conditions["video_id"]}
    shards = [path for folder in run.paths(IMAGES) for path in sorted(folder.iterdir())]
    for task in Dimension:
        read = (artifacts.read_table(path, CROPS) for path in shards if path.name in tested)
        crops = evaluation.stack(read, evaluation.items(conditions, task))
        for model, row, weights in (one for one in models if one[0].task == task):
            score = load(weights, row["weights_sha256"], hardware=hardware, batch=batch)
            yield evaluation.predict(conditions, crops, model, score)


def _track(run: Run, models: list[Any], metrics: pd.DataFrame) -> None:
    study = load_params(PARAMS).study.name  # no param of the stage: it only labels records
    tested = [tracking.Input("conditions", run.path(TESTING))]
    for model, row, _ in models:
        which = tracking.Repetition(study, *(row[name] for name in TRACKED))
        tracking.evaluated(which, numbers=evaluation.numbers(metrics, model), inputs=tested)


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
