"""The addresses in MLflow's pages that compare the repetitions of a study."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stages._runtime.expression_records import PROTOCOL
from stages._runtime.mlflow_store import client
from stages._runtime.records import APART

FINAL = "tags.kind = 'repetition'" + "".join(f" and tags.stage != '{s}'" for s in APART)
FINAL += " and tags.assignment = 'ei'"


@dataclass(frozen=True)
class Look:
    """What the pages compare of a kind of study.

    ``runs`` finds its repetitions, each value of the tag ``by`` has charts of its own. Metrics that
    end as one of ``compared`` are shown, without those whose names hold one of ``apart``; of runs
    the ``tags``, and ``beside`` the metrics in a table. ``best``: whether models are registered.
    """

    runs: str
    by: str
    compared: tuple[str, ...]
    apart: tuple[str, ...]
    tags: tuple[str, ...]
    beside: str
    best: bool

    @property
    def current(self) -> str:
        """Finds the repetitions of now."""
        return f"{self.runs} and tags.superseded = 'no'"

    @property
    def former(self) -> str:
        """Finds those that others replaced."""
        return f"{self.runs} and tags.superseded = 'yes'"


EI = Look(
    runs=FINAL,
    by="task",
    compared=("/roc_auc", "/macro_f1"),
    # What is measured at .5 (condition_half) can be added; with it the table is too wide to read.
    apart=("_half/",),
    tags=("task", "training_group", "repetition"),
    beside="threshold",
    best=True,
)
EXPRESSIONS = Look(
    runs=f"tags.kind = 'repetition' and tags.protocol = '{PROTOCOL}'",
    by="protocol",
    compared=("/accuracy", "/macro_f1"),
    # The corpora's own labels and images first; the others can be added.
    apart=("_with_fill_ins", "_agreement_with_a_model"),
    tags=("network", "trained_on", "repetition"),
    beside="validation_macro_f1",
    best=False,
)
MODE = "workflowType=machine_learning"
"""Without it the pages show what is for language models, and call a model an agent version."""


def show_pages(base: str) -> None:
    """Print the addresses that compare the repetitions, on the server at ``base``."""
    mlflow = client()
    for experiment in mlflow.search_experiments():
        number = experiment.experiment_id
        for look in (EI, EXPRESSIONS):
            runs = mlflow.search_runs([number], look.current, order_by=["attributes.run_name"])
            if not runs:
                continue
            for name, view in views(runs, look).items():
                tag = f"mlflow.sharedViewState.{name}"
                mlflow.set_experiment_tag(number, tag, json.dumps(view))
            page = f"{base}/#/experiments/{number}/runs?{MODE}"
            lines = {
                f"compare {part}": f"{page}&compareRunsMode=CHART&viewStateShareKey=compare-{part}"
                for part in sorted({run.data.tags[look.by] for run in runs})
            } | {
                "every repetition": f"{page}&viewStateShareKey=repetitions",
                "means of the repetitions": f"{page}&viewStateShareKey=means",
                "the models": f"{base}/#/experiments/{number}/models?{MODE}",
            }
            if look.best:
                lines["the best of each"] = f"{base}/#/models?{MODE}"
            if mlflow.search_runs([number], look.former, max_results=1):
                lines["superseded by later ones"] = f"{page}&viewStateShareKey=superseded"
            print(experiment.name)
            for says, address in lines.items():
                print(f"  {says:<26}{address}")


def views(runs: Sequence[Any], look: Look = EI) -> dict[str, dict[str, Any]]:
    """What MLflow's pages keep of a table or charts of ``runs``, by the key of their address."""
    metrics = sorted({metric for run in runs for metric in run.data.metrics})
    compared = [
        m for m in metrics if m.endswith(look.compared) and not any(a in m for a in look.apart)
    ]
    tags = [f"tags.`{tag}`" for tag in look.tags]
    numbers = [f"metrics.`{metric}`" for metric in (*compared, look.beside)]
    shown = [*tags, *numbers]
    name = "attributes.`Run Name`"
    repetitions: dict[str, Any] = {
        "searchFilter": look.current,
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
    charts = _charts(compared, look.compared)
    parts = sorted({run.data.tags[look.by] for run in runs})
    return {
        f"compare-{part}": repetitions
        | charts
        | {"searchFilter": f"{look.current} and tags.{look.by} = '{part}'"}
        for part in parts
    } | {
        "repetitions": repetitions,
        "means": repetitions | means,
        "superseded": repetitions | {"searchFilter": look.former},
    }


def _charts(metrics: Sequence[str], kinds: Sequence[str]) -> dict[str, Any]:
    """A section a kind of metric; for each condition a bar a repetition, in its group's colour."""
    return {
        "compareRunSections": [
            {"uuid": kind, "name": kind[1:], "display": True, "isReordered": True, "columns": 3}
            for kind in kinds
        ],
        "compareRunCharts": [
            {
                "type": "BAR",
                "uuid": metric,
                "metricKey": metric,
                "metricSectionId": next(kind for kind in kinds if metric.endswith(kind)),
                "runsCountToCompare": 100,
                "deleted": False,
                "isGenerated": False,
            }
            for metric in metrics
        ],
        "isAccordionReordered": True,
    }
