"""The addresses in MLflow's pages that compare the repetitions of a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from stages._runtime.mlflow_store import client
from stages._runtime.records import APART

FINAL = "tags.kind = 'repetition'" + "".join(f" and tags.stage != '{s}'" for s in APART)
FINAL += " and tags.assignment = 'ei'"
CURRENT, FORMER = (f"{FINAL} and tags.superseded = '{answer}'" for answer in ("no", "yes"))
COMPARED = ("/roc_auc", "/macro_f1")
TAGS = ("task", "training_group", "repetition")
MODE = "workflowType=machine_learning"
"""Without it the pages show what is for language models, and call a model an agent version."""


def show_pages(base: str) -> None:
    """Print the addresses that compare the repetitions, on the server at ``base``."""
    mlflow = client()
    for experiment in mlflow.search_experiments():
        number = experiment.experiment_id
        runs = mlflow.search_runs([number], CURRENT, order_by=["attributes.run_name"])
        if not runs:
            continue
        for name, view in views(runs).items():
            tag = f"mlflow.sharedViewState.{name}"
            mlflow.set_experiment_tag(number, tag, json.dumps(view))
        page = f"{base}/#/experiments/{number}/runs?{MODE}"
        lines = {
            f"compare {task}": f"{page}&compareRunsMode=CHART&viewStateShareKey=compare-{task}"
            for task in sorted({run.data.tags["task"] for run in runs})
        } | {
            "every repetition": f"{page}&viewStateShareKey=repetitions",
            "means of the repetitions": f"{page}&viewStateShareKey=means",
            "the models": f"{base}/#/experiments/{number}/models?{MODE}",
            "the best of each": f"{base}/#/models?{MODE}",
        }
        if mlflow.search_runs([number], FORMER, max_results=1):
            lines["superseded by later ones"] = f"{page}&viewStateShareKey=superseded"
        print(experiment.name)
        for says, address in lines.items():
            print(f"  {says:<26}{address}")


def views(runs: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """What MLflow's pages keep of a table or charts of ``runs``, by the key of their address."""
    metrics = sorted({metric for run in runs for metric in run.data.metrics})
    # What is measured at .5 (condition_half) can be added; with it the table is too wide to read.
    compared = [m for m in metrics if m.endswith(COMPARED) and "_half/" not in m]
    tags = [f"tags.`{tag}`" for tag in TAGS]
    numbers = [f"metrics.`{metric}`" for metric in (*compared, "threshold")]
    shown = [*tags, *numbers]
    name = "attributes.`Run Name`"
    repetitions: dict[str, Any] = {
        "searchFilter": CURRENT,
        "orderByKey": "attributes.`run_name`",
        "orderByAsc": True,
        "selectedColumns": shown,
        "columnOrder": [name, *shown],
        "columnWidths": {name: 170, **dict.fromkeys(shown, 150), **dict.fromkeys(tags, 110)},
        "runsHiddenMode": "SHOW_ALL",
    }
    means = {
        "selectedColumns": numbers,
        "columnOrder": [name, *numbers],
        "columnWidths": {name: 330, **dict.fromkeys(numbers, 190)},
        "groupBy": {
            "aggregateFunction": "average",
            "groupByKeys": [{"mode": "tag", "groupByData": "model"}],
        },
        "groupsExpanded": {f"tag.model.{run.data.tags['model']}": False for run in runs},
    }
    charts = _charts(compared)
    tasks = sorted({run.data.tags["task"] for run in runs})
    return {
        f"compare-{task}": repetitions
        | charts
        | {"searchFilter": f"{CURRENT} and tags.task = '{task}'"}
        for task in tasks
    } | {
        "repetitions": repetitions,
        "means": repetitions | means,
        "superseded": repetitions | {"searchFilter": FORMER},
    }


def _charts(metrics: Sequence[str]) -> dict[str, Any]:
    """A section a kind of metric; for each condition a bar a repetition, in its group's colour."""
    return {
        "compareRunSections": [
            {"uuid": kind, "name": kind[1:], "display": True, "isReordered": True, "columns": 3}
            for kind in COMPARED
        ],
        "compareRunCharts": [
            {
                "type": "BAR",
                "uuid": metric,
                "metricKey": metric,
                "metricSectionId": next(kind for kind in COMPARED if metric.endswith(kind)),
                "runsCountToCompare": 100,
                "deleted": False,
                "isGenerated": False,
            }
            for metric in metrics
        ],
        "isAccordionReordered": True,
    }
