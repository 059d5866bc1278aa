"""Every model's answers to the test frames, and how good they are."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from pathlib import Path
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
ANSWERS = Made("predictions.parquet", PREDICTIONS)
MEASURED = Made("metrics.parquet", METRICS)
SUMMARISED = Made("summary.parquet", SUMMARY)
MEANS, PLOTS = Made("metrics.json"), Made("plots")

Trained = tuple[evaluation.Model, dict[Hashable, Any], Path]


@stage(
    params=("study.waves", "training.blocks"),
    given=(TESTING, IMAGES, *TRAINED, *LEARNT),
    made=(ANSWERS, MEASURED, SUMMARISED, MEANS, PLOTS),
)
def evaluate(run: Run) -> Outcome:
    """Show the test frames to every model, once each, and measure the answers."""
    conditions, models = run.read(TESTING), list(_models(run))
    answers = [evaluation.predict_by_estimate(conditions), *_answers(run, conditions, models)]
    predictions = PREDICTIONS.conform(pd.concat(answers, ignore_index=True))
    metrics = evaluation.measure(predictions)
    summary = evaluation.summarise(metrics)
    curves = pd.concat([run.read(given) for given in LEARNT], ignore_index=True)
    for name, points in evaluation.plots(predictions, metrics, curves):
        path = run.out(PLOTS) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        artifacts.write_json(path, points)
    _track(run, models, metrics)
    tables = {ANSWERS: predictions, MEASURED: metrics, SUMMARISED: summary}
    means = evaluation.means(summary)
    return Outcome({**tables, MEANS: means, PLOTS: None}, _report(predictions, means))


def _models(run: Run) -> Iterator[Trained]:
    """Every trained model, with its row of REPETITIONS and the file of its weights."""
    names = ("task", "training_group", "repetition", "threshold")
    parts = []
    for path in (path for given in TRAINED for path in run.paths(given)):
        parts.append(run.read(Given(str(path), REPETITIONS)))
        for row in parts[-1].to_dict("records"):
            model = evaluation.Model(*(row[name] for name in names))
            yield model, row, path.with_name(f"repetition-{model.repetition}.safetensors")
    # The rules of predictions look at the models of all folders, not of the last one read.
    run.seen[REPETITIONS.name] = pd.concat(parts, ignore_index=True)


def _answers(run: Run, conditions: pd.DataFrame, models: list[Trained]) -> Iterator[pd.DataFrame]:
    # Here, so that a wrong params file is refused before torch is imported.
    from eifer.models.scoring import load
    from eifer.models.spec import Hardware

    # float32 everywhere: these scores are the result, and there are few.
    hardware, batch = Hardware(device=run.machine.torch_device()), run.machine.batch
    tested = sorted(set(conditions["video_id"]))
    shards = [folder / f"{video}.parquet" for folder in run.paths(IMAGES) for video in tested]
    for task in Dimension:
        read = (artifacts.read_table(path, CROPS) for path in shards if path.exists())
        crops = evaluation.stack(read, evaluation.items(conditions, task))
        for model, row, weights in (one for one in models if one[0].task == task):
            score = load(weights, row["weights_sha256"], hardware=hardware, batch=batch)
            yield evaluation.predict(conditions, crops, model, score)


def _track(run: Run, models: list[Trained], metrics: pd.DataFrame) -> None:
    # Not a param of the stage: the name only labels records, and a new one changes no result.
    study = load_params(PARAMS).study.name
    names = ("stage", "task", "training_group", "repetition", "weights_sha256")
    tested = [tracking.Input("conditions", run.path(TESTING))]
    for model, row, _ in models:
        which = tracking.Repetition(study, *(row[name] for name in names))
        tracking.evaluated(which, numbers=evaluation.numbers(metrics, model), inputs=tested)


def _report(predictions: pd.DataFrame, means: evaluation.Means) -> Report:
    n, people = predictions["repetition"].max(), predictions["participant_id"].nunique()
    sizes = predictions.groupby("condition")["item_id"].nunique().to_dict()
    listed = ", ".join(f"{size} {condition}" for condition, size in sizes.items())
    return Report(
        f"""The High, Low and Total models of {n} repetition{"s" * (n > 1)} scored the same frames
        of {people} test participants for both tasks ({listed}). A frame is predicted high where its
        score reaches the threshold found on validation data; the same is given at .5. Beside them
        stands the affect network, untouched, with the score (estimate + 1) / 2: these frames were
        chosen by how its estimates agree with their labels, and the models start from it, so
        doing as well as it does is not evidence of recognising anything more.""",
        {"repetitions": int(n), "test_participants": people, "test_items": sizes, "means": means},
    )


if __name__ == "__main__":
    evaluate.main()
