"""Every repetition in MLflow: written to a queue first, then sent, so that nothing is lost.

A record (what a repetition was, what it gave, its files) is one JSON file under
``runs/tracking/queue`` before anything is sent. Sending finds or makes the run by
its tags and ends by tagging it with the record's id; so a record can be sent again
after an interruption and adds nothing twice. No call raises: tracking never fails
a stage, and nothing of it enters a DVC output.

``EIFER_TRACKING=off`` records nothing; ``queue`` leaves all sending to `sync`.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import http.client
import importlib
import json
import logging
import math
import os
import re
import shutil
import socket
import sqlite3
import ssl
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from eifer.hashing import sha256_file
from stages._runtime import provenance
from stages._runtime.artifacts import write_json, write_table
from stages._runtime.privacy import keep_private
from stages._runtime.serving import Gate, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DATABASE = Path("runs/mlflow.db")
ARTIFACTS = Path("runs/mlartifacts")
QUEUE = Path("runs/tracking/queue")
LOCK = Path("runs/tracking/lock")
LOCK_WAIT_S = 30.0
PROBE_S = 5.0
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
INTERMEDIATE = ("pretrain_ei",)
"""Stages whose models only start other trainings: their names say so, and no view compares them."""

MODEL_NEEDS = ("numpy", "safetensors", "timm", "torch")
WEIGHTS = "weights.safetensors"
CURRENT = "tags.kind = 'repetition' and tags.superseded = 'no'"
SHOWN_METRICS = ("/macro_f1", "/roc_auc", "threshold")

Record = dict[str, Any]

_failures: list[str] = []
"""After one failure a process only queues: it would meet the same server again, and wait again."""


@dataclass(frozen=True)
class Repetition:
    """Which trained model; `evaluated` finds the run of `trained` by the same values."""

    study: str
    stage: str
    task: str
    training_group: str
    repetition: int
    weights_sha256: str

    @property
    def name(self) -> str:
        """How the run is called: sorts by task, group and number ("arousal High r01")."""
        words = [self.task, self.training_group]
        words += [self.stage] if self.stage in INTERMEDIATE else []
        words += [f"r{self.repetition:02d}"] if self.repetition else []
        return " ".join(words)


@dataclass(frozen=True)
class Input:
    """A file or folder that a run read, under the name MLflow shows for the dataset."""

    name: str
    path: Path
    sha256: str | None = None


@dataclass(frozen=True)
class Model:
    """How the logged weights become a predictor again.

    ``loader`` is ``"eifer.module:function"``; the function takes the path of the
    safetensors file and returns a callable from uint8 crops (n, px, px, 3) to
    float32 scores (n,). MLflow keeps that name and the file: nothing is pickled.
    """

    loader: str
    crop_px: int


@dataclass(frozen=True)
class Counts:
    """What `sync` did: records sent, records that still wait, and why the first of those do."""

    sent: int
    waiting: int
    problems: tuple[str, ...] = ()


def trained(
    which: Repetition,
    *,
    item: Mapping[str, str],
    recipe: Mapping[str, object],
    curves: pd.DataFrame,
    numbers: Mapping[str, object],
    inputs: Sequence[Input],
    weights: Path,
    model: Model | None,
    started_s: float,
    ended_s: float,
) -> None:
    """Record a finished repetition: a run nested under its stage's run.

    Parameters
    ----------
    which
        The repetition. Other weights for the same repetition make a new run; the
        older one stays and is tagged superseded.
    item
        The stage's matrix item, for its DVC address and its parameters.
    recipe
        Parameters, nested as they are in params; logged as ``optimiser.lr``.
    curves
        Rows of the table ``CURVES``: every numeric column becomes a curve, and all a figure.
    numbers
        Single results (threshold, kept epoch ...); what is None or not finite is left out.
    inputs
        What it was trained on; a missing sha256 is computed here.
    weights
        The finished safetensors file. It is linked aside, so it may move afterwards.
    model
        How to load the weights again, or None to keep no model in MLflow.
    started_s, ended_s
        Seconds since 1970.
    """

    def record() -> Record:
        made: Record = _repetition(which, _address(which.stage, item), "training", ended_s)
        made["id"] = _digest(made["run_key"], "training")
        made["parent"] = _stage_run(which.study, which.stage, recipe)
        made["started_ms"] = round(started_s * 1000)
        identity = {
            "task": which.task,
            "training_group": which.training_group,
            "repetition": which.repetition,
            "block": item.get("block", ""),
        }
        made["params"] |= _flat(identity | dict(recipe))
        # MLflow's comparison first plots what came first: a result says more than a loss.
        made["metrics"] = _metrics(numbers) + _curves(curves)
        made["inputs"] = _inputs(inputs)
        made["files"] = _figure("learning_curves", curves)
        if model is not None:
            made["model"] = {**asdict(model), "weights": weights.name}
            made["files"][weights.name] = weights
        return made

    _track(record)


def evaluated(
    which: Repetition,
    *,
    numbers: Mapping[str, object],
    answers: pd.DataFrame,
    inputs: Sequence[Input] = (),
    outputs: Mapping[str, str] | None = None,
) -> None:
    """Add test results to the run of a repetition; without such a run, one is made.

    ``numbers`` are named ``"condition/metric"``: MLflow draws a section per condition.
    ``answers`` are the model's rows of the table ``PREDICTIONS``, drawn as ROC curves;
    ``outputs`` gives each file that the stage made from them by its SHA-256.
    """

    def record() -> Record:
        made = _repetition(which, None, "evaluation", time.time())
        made["metrics"] = _metrics(numbers)
        made["inputs"] = _inputs(inputs, context="testing")
        made["files"] = _figure("roc_curves", answers)
        made["tags"] |= {"evaluated": "yes"} | _outputs(outputs)
        said = made["metrics"], made["inputs"], outputs
        made["id"] = _digest(made["run_key"], "evaluation", *said)
        return made

    _track(record)


def stated(
    *,
    study: str,
    stage: str,
    item: Mapping[str, str],
    recipe: Mapping[str, object],
    numbers: Mapping[str, object],
    by_participant: pd.DataFrame,
    participant_deltas: pd.DataFrame,
    comparison: pd.DataFrame,
    started_s: float,
    ended_s: float,
    inputs: Sequence[Input] = (),
    outputs: Mapping[str, str] | None = None,
) -> None:
    """Record a stage that compares and trains nothing: numbers on the stage's own run.

    The tables are ``BY_PARTICIPANT`` and ``PARTICIPANT_DELTAS``, drawn as the primary analysis, and
    ``COMPARISON``, drawn beside the published differences.
    """

    def record() -> Record:
        from eifer import published

        made = _stage_run(study, stage, recipe)
        made["kind"] = "statement"
        made["made_ms"], made["started_ms"] = round(ended_s * 1000), round(started_s * 1000)
        made["tags"] |= {"dvc_stage": _address(stage, item)} | _outputs(outputs)
        made["params"] = _flat({**item, **recipe})
        made["metrics"] = _metrics(numbers)
        made["inputs"] = _inputs(inputs)
        people = _figure("participant_differences", by_participant, participant_deltas)
        made["files"] = people | _figure("contrasts", comparison, published.contrasts())
        said = made["metrics"], made["params"], made["inputs"], outputs
        made["id"] = _digest(made["run_key"], *said)
        return made

    _track(record)


def table_sha256(table: pd.DataFrame) -> str:
    """The SHA-256 of the file that a stage will write for ``table``."""
    with tempfile.NamedTemporaryFile() as file:
        write_table(Path(file.name), table)
        return sha256_file(Path(file.name))


def sync() -> Counts:
    """Send what waits in the queue, oldest first; safe beside running stages and other syncs."""
    sent, problems = 0, []
    for path in sorted(QUEUE.glob("*.json"), key=_made_ms):
        try:
            with _locked():
                if not path.exists():  # another process sent it meanwhile
                    continue
                _send(json.loads(path.read_text(encoding="utf-8")))
                _forget(path)
            sent += 1
        except Exception as error:
            problems.append(f"{path.name}: {_in_short(error)}")
            if isinstance(error, TimeoutError) or not answers(uri()):
                break
    return Counts(sent, len(list(QUEUE.glob("*.json"))), tuple(problems[:5]))


# --- the pages -----------------------------------------------------------------------------------


def show_pages(base: str) -> None:
    """Print the addresses that compare the repetitions, on the server at ``base``."""
    _print_pages(_open(uri()), base)


def server() -> Gate:
    """MLflow's server for its owner alone: the application that `flows` has MLflow serve."""
    from mlflow.server.fastapi_app import app

    return Gate.from_environment(app)


def _print_pages(client: MlflowClient, base: str) -> None:
    for experiment in client.search_experiments():
        runs = client.search_runs(
            [experiment.experiment_id], CURRENT, order_by=["attributes.run_name"]
        )
        if not runs:
            continue
        for name, view in _views(runs).items():
            tag = f"mlflow.sharedViewState.{name}"
            client.set_experiment_tag(experiment.experiment_id, tag, json.dumps(view))
        mode = "workflowType=machine_learning"  # the pages open for language models otherwise
        page = f"{base}/#/experiments/{experiment.experiment_id}/runs?{mode}&viewStateShareKey="
        print(f"{experiment.name}")
        print(f"  every repetition      {page}repetitions")
        print(f"  their means           {page}means")
        final = [run for run in runs if run.data.tags["stage"] not in INTERMEDIATE]
        for task in sorted({run.data.tags["task"] for run in final}):
            ids = [run.info.run_id for run in final if run.data.tags["task"] == task]
            query = f"runs={json.dumps(ids)}&experiments={json.dumps([experiment.experiment_id])}"
            address = f"{base}/#/compare-runs?{urllib.parse.quote(query, safe='=&')}&{mode}"
            print(f"  compare {task:<13} {address}")


def _views(runs: Sequence[Run]) -> dict[str, dict[str, object]]:
    """The table of repetitions and that of their means, as MLflow's pages keep a shared view."""
    metrics = sorted({metric for run in runs for metric in run.data.metrics})
    # What is measured at .5 (condition_half) can be added; with it the table is too wide to read.
    shown = [
        f"metrics.`{metric}`"
        for metric in metrics
        if metric.endswith(SHOWN_METRICS) and "_half/" not in metric
    ]
    name = "attributes.`Run Name`"
    repetitions: dict[str, object] = {
        "searchFilter": CURRENT + "".join(f" and tags.stage != '{s}'" for s in INTERMEDIATE),
        "orderByKey": "attributes.`run_name`",
        "orderByAsc": True,
        "selectedColumns": shown,
        "columnOrder": [name, *shown],
        "columnWidths": {name: 240, **dict.fromkeys(shown, 160)},
        "runsHiddenMode": "SHOW_ALL",
    }
    keys = [{"mode": "tag", "groupByData": "model"}]
    means = {
        "groupBy": {"aggregateFunction": "average", "groupByKeys": keys},
        "groupsExpanded": {f"tag.model.{run.data.tags['model']}": False for run in runs},
    }
    return {"repetitions": repetitions, "means": repetitions | means}


# --- records -------------------------------------------------------------------------------------


def _track(record: Callable[[], Record]) -> None:
    mode = os.environ.get("EIFER_TRACKING", "send")
    if mode == "off":
        return
    try:
        made = record()
        path = _queue(made)
    except Exception as error:
        _warn(f"a record could not be written ({_in_short(error)})")
        return
    if mode == "queue" or _failures:
        return
    try:
        with _locked():
            _send(json.loads(path.read_text(encoding="utf-8")))
            _forget(path)
    except Exception as error:
        _failures.append(_in_short(error))
        _warn(f"{_in_short(error)}; records wait in {QUEUE} for eifer sync-tracking")


def _repetition(which: Repetition, address: str | None, kind: str, made_s: float) -> Record:
    slot = _digest(which.study, which.stage, which.task, which.training_group, which.repetition)
    tags = {
        "kind": "repetition",
        "study": which.study,
        "stage": which.stage,
        "task": which.task,
        "training_group": which.training_group,
        "model": which.name.removesuffix(f" r{which.repetition:02d}"),
        "repetition": f"{which.repetition:02d}",
        "weights_sha256": which.weights_sha256,
        "slot": slot,
    }
    if address is not None:
        tags |= {"dvc_stage": address, "mlflow.source.name": address, **_commit()}
    return {
        "kind": kind,
        "study": which.study,
        "name": which.name,
        "run_key": _digest(slot, which.weights_sha256),
        "made_ms": round(made_s * 1000),
        "tags": tags,
        "params": {},
    }


def _stage_run(study: str, stage: str, recipe: Mapping[str, object]) -> Record:
    """The run of a stage in one execution of the study: the same commit and the same recipe."""
    commit = _commit()
    shared = {name: value for name, value in recipe.items() if name != "seed"}
    execution = os.environ.get("EIFER_EXECUTION") or _digest(commit["git_commit"], shared)[:8]
    return {
        "study": study,
        "name": f"{stage} {execution}",
        "run_key": _digest(study, stage, execution),
        "tags": {
            "kind": "stage",
            "study": study,
            "stage": stage,
            "execution": execution,
            "slot": _digest(study, stage),
            "mlflow.source.name": stage,
            **commit,
        },
    }


@functools.cache
def _commit() -> dict[str, str]:
    git = provenance.git_state()
    commit = str(git["commit"] or "none")
    return {
        "git_commit": commit,
        "git_changed": "yes" if git["changed"] else "no",
        "mlflow.source.git.commit": commit,
        "mlflow.source.type": "PROJECT",
    }


def _address(stage: str, item: Mapping[str, str]) -> str:
    return stage + ("@" + "-".join(item.values()) if item else "")


def _flat(nested: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            flat[_allowed(prefix + name)] = ", ".join(str(part) for part in value)
        else:
            flat[_allowed(prefix + name)] = str(value)
    return flat


def _metrics(numbers: Mapping[str, object]) -> list[list[Any]]:
    return [
        [_allowed(name), float(value), 0]
        for name, value in numbers.items()
        if isinstance(value, (int, float, np.number)) and math.isfinite(value)
    ]


def _curves(curves: pd.DataFrame) -> list[list[Any]]:
    numeric = curves.select_dtypes("number")
    values = numeric.drop(columns=["epoch", "repetition"], errors="ignore")
    return [
        [f"curves/{_allowed(str(name))}", float(value), int(epoch)]
        for name, column in values.items()
        for epoch, value in zip(curves["epoch"], column, strict=True)
        if pd.notna(value) and math.isfinite(value)
    ]


def _allowed(name: str) -> str:
    # What every store of MLflow takes in a name.
    return re.sub(r"[^\w./ -]", "_", name)


def _inputs(inputs: Sequence[Input], context: str = "training") -> list[dict[str, str]]:
    return [
        {
            "name": given.name,
            "path": given.path.as_posix(),
            "sha256": given.sha256 or _sha256(given.path, given.path.stat().st_mtime_ns),
            "context": context,
        }
        for given in inputs
    ]


@functools.cache
def _sha256(path: Path, changed_ns: int) -> str:
    """The hash of a file, or of a folder's names and hashes, once per process."""
    if path.is_file():
        return sha256_file(path)
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return _digest([[p.relative_to(path).as_posix(), sha256_file(p)] for p in files], length=64)


def _outputs(outputs: Mapping[str, str] | None) -> dict[str, str]:
    return {f"sha256.{name}": sha256 for name, sha256 in (outputs or {}).items()}


def _figure(name: str, *tables: pd.DataFrame) -> dict[str, bytes]:
    """The figure of ``eifer.figures`` called ``name``, as a file of the record.

    Imported here and by no stage, so that a changed figure does not train a network again.
    """
    try:
        from eifer.figures.style import drawing, svg

        draw = importlib.import_module(f"eifer.figures.{name}").draw
        with drawing():
            return {f"figures/{name}.svg": svg(draw(*tables)).encode()}
    except Exception as error:  # the numbers are worth a record without it
        _warn(f"{name} could not be drawn ({_in_short(error)})")
        return {}


def _digest(*parts: object, length: int = 32) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


# --- the queue -----------------------------------------------------------------------------------


def _queue(record: Record) -> Path:
    """Put a record and its files into the queue: the files first, the JSON in one step."""
    path = QUEUE / f"{record['id']}.json"
    folder = path.with_suffix("")
    QUEUE.mkdir(parents=True, exist_ok=True)
    for name, content in record["files"].items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if isinstance(content, bytes):
            target.write_bytes(content)
        else:
            _link(content, target)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    write_json(partial, {**record, "files": sorted(record["files"])})
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    return path


def _link(source: Path, target: Path) -> None:
    """A second name for the bytes of ``source``, which may then be moved, replaced or removed."""
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _forget(path: Path) -> None:
    path.unlink()
    shutil.rmtree(path.with_suffix(""), ignore_errors=True)


def _made_ms(path: Path) -> tuple[int, str]:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["made_ms"]), path.name
    except (OSError, ValueError, KeyError):
        return 0, path.name  # gone meanwhile, or damaged: sync says which


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One sender at a time in this folder; a process that dies lets go of it."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    with LOCK.open("w") as file:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has held {LOCK} for too long") from None
                time.sleep(0.05)
        yield


# --- MLflow --------------------------------------------------------------------------------------


def uri() -> str:
    """Where records go: the server or database that the environment names, else the study's own."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_uri()


def own_uri(study: Path = Path()) -> str:
    """The address of the database in ``study``."""
    return sqlite_uri(study / DATABASE)


def _client() -> MlflowClient:
    where = uri()
    if not answers(where):
        raise ConnectionError(f"no answer from {without_password(where)}")
    return _open(where)


def answers(address: str) -> bool:
    """Whether anybody answers there; asked before mlflow, which takes seconds to import."""
    where = urllib.parse.urlsplit(address)
    try:
        if where.scheme in {"http", "https"}:
            urllib.request.urlopen(f"{without_password(address)}/health", timeout=PROBE_S).close()
        elif where.hostname:
            port = where.port or DATABASE_PORTS.get(where.scheme.split("+")[0], 0)
            socket.create_connection((where.hostname, port), timeout=PROBE_S).close()
    except urllib.error.HTTPError:
        return True  # it answered; whether it lets us in is for mlflow to find out
    except urllib.error.URLError as error:
        return isinstance(error.reason, ssl.SSLError)  # likewise
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return True


def without_password(address: str) -> str:
    """``address`` without the user and password that it may hold."""
    where = urllib.parse.urlsplit(address)
    return where._replace(netloc=where.netloc.rpartition("@")[2]).geturl().rstrip("/")


@functools.cache
def _open(address: str) -> MlflowClient:
    keep_private()
    # mlflow's own defaults wait for an absent server for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import mlflow

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    plain = Path(address.removeprefix("sqlite:///"))
    if address == own_uri():
        come_home()
        if not DATABASE.exists():
            _make_database(DATABASE)
    elif address.startswith("sqlite:///") and not plain.exists():
        _make_database(plain)
    mlflow.set_tracking_uri(address)
    return mlflow.MlflowClient(address)


def _make_database(path: Path) -> None:
    """Make the tables elsewhere and move them in place: processes that meet half of them crash."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    store = SqlAlchemyStore(sqlite_uri(partial), ARTIFACTS.resolve().as_uri())
    store.engine.dispose()
    partial.replace(path)


PLACES = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
}
"""Where MLflow keeps whole paths of files, by table."""


def come_home(study: Path = Path()) -> None:
    """Have the database of a study that was copied or moved name the files that lie beside it.

    MLflow has no call for it. Until then what the copy records would go into the original.
    """
    if not (study / DATABASE).exists():
        return
    own, marker = (study / ARTIFACTS).resolve().as_uri(), f"/{ARTIFACTS.as_posix()}"
    with (
        contextlib.closing(sqlite3.connect(study / DATABASE, timeout=LOCK_WAIT_S)) as database,
        database,
    ):
        for table, column in PLACES.items():
            for (place,) in database.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall():
                before, found, rest = (place or "").rpartition(marker)
                ours = found and before.startswith("file:") and rest[:1] in {"", "/"}
                if ours and before + found != own:
                    database.execute(
                        f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (own + rest, place)
                    )


def _send(record: Record) -> None:
    """Bring the run of ``record`` to what it says; the tag set last says that all is there."""
    client = _client()
    experiment = _experiment(client, record["study"])
    parent = record.get("parent")
    if parent is not None:
        above = _find_or_make(client, experiment, parent, record.get("started_ms"))
        record["tags"]["mlflow.parentRunId"] = above.info.run_id
        client.set_terminated(above.info.run_id, "FINISHED", record["made_ms"])
    run = _find_or_make(client, experiment, record, record.get("started_ms"))
    run_id = run.info.run_id
    done = f"record.{record['kind']}"
    if run.data.tags.get(done) != record["id"]:
        _fill(client, run, record)
    latest = max(record["made_ms"], int(run.data.tags.get("latest_ms", 0)))
    client.set_tag(run_id, "latest_ms", str(latest))
    _supersede(client, experiment, record["tags"]["slot"])
    if record["kind"] != "evaluation" or run.info.status != "FINISHED":
        client.set_terminated(run_id, "FINISHED", record["made_ms"])
    client.set_tag(run_id, done, record["id"])


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    # A server decides itself where files go; a plain database needs to be told.
    own = not uri().startswith("http")
    folder = re.sub(r"[^\w.-]", "_", name)
    place = (ARTIFACTS / folder).resolve().as_uri() if own else None
    # Without a kind, MLflow's pages show what is for language models and ask what this is.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(name, artifact_location=place, tags=kind))


def _find_or_make(
    client: MlflowClient, experiment: str, record: Record, started_ms: int | None
) -> Run:
    found = client.search_runs([experiment], f"tags.run_key = '{record['run_key']}'")
    if found:
        return found[-1]
    tags = {**record["tags"], "run_key": record["run_key"], "superseded": "no"}
    return client.create_run(experiment, started_ms, tags, record["name"])


def _fill(client: MlflowClient, run: Run, record: Record) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    run_id, now = run.info.run_id, record["made_ms"]
    tags = record["tags"] | {f"sha256.{i['name']}": i["sha256"] for i in record["inputs"]}
    # MLflow refuses to change a parameter, so those that are there are left alone.
    params = [Param(k, v) for k, v in record["params"].items() if k not in run.data.params]
    metrics = [Metric(name, value, now, step) for name, value, step in record["metrics"]]
    for start in range(0, max(len(metrics), len(params) * 10, 1), 1000):  # limits of one call
        client.log_batch(
            run_id,
            metrics[start : start + 1000],
            params[start // 10 : start // 10 + 100],
            [RunTag(k, v) for k, v in tags.items()] if start == 0 else [],
        )
    if record["inputs"]:
        client.log_inputs(
            run_id,
            [
                DatasetInput(
                    # A digest in MLflow has 36 characters at most; the tag holds all of it.
                    Dataset(i["name"], i["sha256"][:16], "local", json.dumps({"uri": i["path"]})),
                    [InputTag("mlflow.data.context", i["context"])],
                )
                for i in record["inputs"]
            ],
        )
    folder = QUEUE / record["id"]
    for name in record["files"]:
        if name.startswith("figures/"):
            client.log_artifact(run_id, str(folder / name), "figures")
    if "model" in record:
        _log_model(client, run, record)


def _supersede(client: MlflowClient, experiment: str, slot: str) -> None:
    """Only the latest run of a repetition counts; earlier ones stay and say that they are old."""
    runs = client.search_runs([experiment], f"tags.slot = '{slot}'")
    current = max(runs, key=lambda run: (int(run.data.tags.get("latest_ms", 0)), run.info.run_id))
    for run in runs:
        expected = "no" if run is current else "yes"
        if run.data.tags.get("superseded") != expected:
            client.set_tag(run.info.run_id, "superseded", expected)


# --- models without pickles ----------------------------------------------------------------------


def _log_model(client: MlflowClient, run: Run, record: Record) -> None:
    """Log the weights with a signature, to be read back by `_load_pyfunc`."""
    import mlflow
    from mlflow.entities import LoggedModelOutput
    from mlflow.models import Model as Description
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    run_id, experiment, model = run.info.run_id, run.info.experiment_id, record["model"]
    for earlier in client.search_logged_models([experiment], f"source_run_id = '{run_id}'"):
        if str(earlier.status) == "READY":
            return
        client.delete_logged_model(earlier.model_id)  # an interrupted upload
    tags = {name: record["tags"][name] for name in ("task", "training_group", "repetition")}
    logged = client.create_logged_model(
        experiment, record["name"].replace(" ", "-"), source_run_id=run_id, tags=tags
    )
    crops = TensorSpec(np.dtype("uint8"), (-1, model["crop_px"], model["crop_px"], 3))
    scores = TensorSpec(np.dtype("float32"), (-1,))
    with tempfile.TemporaryDirectory(dir=LOCK.parent) as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asks for an example beside the signature
        data, saved = Path(temporary) / "loader", Path(temporary) / "saved"
        data.mkdir()
        write_json(data / "loader.json", {"loader": model["loader"]})
        mlflow.pyfunc.save_model(
            saved,
            loader_module=__name__,
            data_path=str(data),
            mlflow_model=Description(
                artifact_path=logged.artifact_location, run_id=run_id, model_id=logged.model_id
            ),
            signature=ModelSignature(Schema([crops]), Schema([scores])),
            # Given, because mlflow would otherwise run the model in a new process to find out.
            pip_requirements=[f"{name}=={version(name)}" for name in MODEL_NEEDS],
        )
        weights, inside = QUEUE / record["id"] / model["weights"], f"data/loader/{WEIGHTS}"
        place = urllib.parse.urlsplit(logged.artifact_location)
        if place.scheme == "file":
            # On this machine the weights are not copied: hundreds of megabytes a repetition.
            client.log_model_artifacts(logged.model_id, str(saved))
            _link(weights, Path(urllib.request.url2pathname(place.path)) / inside)
        else:
            _link(weights, saved / inside)
            client.log_model_artifacts(logged.model_id, str(saved))
    client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    client.finalize_logged_model(logged.model_id, "READY")


class Predictor:
    """What MLflow calls: scores for an array of crops."""

    def __init__(self, scores: Callable[[np.ndarray], np.ndarray]) -> None:
        self._scores = scores

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Scores (n,) for uint8 ``crops`` (n, px, px, 3)."""
        return self._scores(crops)


def _load_pyfunc(data_path: str) -> Predictor:
    """Called by ``mlflow.pyfunc.load_model``; loads nothing but functions of eifer."""
    folder = Path(data_path)
    loader = json.loads((folder / "loader.json").read_text(encoding="utf-8"))["loader"]
    module, _, function = loader.partition(":")
    if not module.startswith("eifer."):
        raise ValueError(f"{folder}: {loader} is not a loader of eifer")
    return Predictor(getattr(importlib.import_module(module), function)(folder / WEIGHTS))


# --- words ---------------------------------------------------------------------------------------


def _in_short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _warn(text: str) -> None:
    print(f"tracking: {text}", file=sys.stderr)
