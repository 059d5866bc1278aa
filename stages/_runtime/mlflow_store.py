"""MLflow as `mirror` needs it: a run found or made by what it is, filled, and its model kept.

The only module that imports mlflow. Every call may be repeated: what is there is left alone.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import re
import shutil
import sqlite3
import tempfile
import urllib.parse
import urllib.request
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from eifer.hashing import sha256_file
from stages._runtime.artifacts import write_json
from stages._runtime.mlflow_place import (
    ARTIFACTS,
    BUSY_S,
    DATABASE,
    answers,
    come_home,
    own_uri,
    uri,
    without_password,
)
from stages._runtime.privacy import keep_private
from stages._runtime.serving import Gate, sqlite_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MODEL_NEEDS = ("numpy", "safetensors", "timm", "torch")
WEIGHTS = "weights.safetensors"
OF_MODEL = ("task", "training_group", "network", "trained_on", "repetition")
"""Tags of a run that its model has too; of each study those that it has."""
BEST = "best"
"""The alias of the registered model of a task and training group."""

Point = tuple[str, float, int, int | None]
"""Name, value, step, and milliseconds since 1970 (None: when the run started)."""


@dataclass(frozen=True)
class Model:
    """Weights, and how they become a predictor again.

    ``loader`` is ``"eifer.module:function"``; the function takes the path of the safetensors file
    and returns a callable from uint8 crops (n, px, px, 3) to float32 scores: (n,), or ``scores``
    of each crop (n, scores). MLflow keeps that name and the file: nothing is pickled.
    """

    weights: Path
    sha256: str
    loader: str
    crop_px: int
    scores: int | None = None


@dataclass(frozen=True)
class Content:
    """What a run shows of an output; ``results`` replace what it had, ``history`` is added."""

    params: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, float] = field(default_factory=dict)
    history: Sequence[Point] = ()
    inputs: Sequence[tuple[str, str, str, str]] = ()
    """Name, path, SHA-256, and what for ("training", "testing")."""
    figures: Mapping[str, bytes] = field(default_factory=dict)
    """SVG by file name."""
    model: Model | None = None


@dataclass(frozen=True)
class Record:
    """A finished output as a run of MLflow.

    ``key`` says what the run is of: it is found by it. Of the runs of one ``slot`` the one whose
    output lies in ``data`` is current, others are superseded. ``kind`` says which part of the run
    this is, and ``digest`` follows what ``content`` reads: a run that carries it is complete.
    ``drawn`` follows the code that draws its figures.
    """

    kind: str
    key: str
    slot: str
    name: str
    digest: str
    drawn: str
    tags: Mapping[str, str]
    content: Callable[[], Content]
    started_ms: int | None = None
    ended_ms: int | None = None


class Store:
    """The runs of one study in MLflow."""

    def __init__(self, study: str) -> None:
        self.client = client()
        self.experiment = _experiment(self.client, study)
        self.runs: dict[str, Run] = {}
        for run in self._search("tags.kind != ''"):
            self._keep(run)

    def put(self, record: Record) -> bool:
        """Bring the run of ``record`` to what it says; whether anything was missing."""
        run = self.runs.get(record.key) or self._make(record)
        done = {f"drawn.{record.kind}": record.drawn, f"mirrored.{record.kind}": record.digest}
        if done.items() <= run.data.tags.items():
            return False
        self._fill(run, record)
        # Set last: they say that all is there.
        for name, value in done.items():
            self.client.set_tag(run.info.run_id, name, value)
        return True

    def supersede(self, current: Mapping[str, str]) -> None:
        """Tag which runs are of outputs that others replaced; ``current`` is a key by its slot."""
        for key, run in self.runs.items():
            tags = run.data.tags
            if tags["slot"] in current:
                superseded = "no" if current[tags["slot"]] == key else "yes"
                if tags["superseded"] != superseded:
                    self.client.set_tag(run.info.run_id, "superseded", superseded)

    def register(self, name: str, key: str) -> None:
        """Have the alias `BEST` of the registered model ``name`` stand for the model of a run."""
        from mlflow import MlflowException

        run_id = self.runs[key].info.run_id
        (model,) = self._models(run_id)
        with contextlib.suppress(MlflowException):  # it is there
            self.client.create_registered_model(name)
        versions = self.client.search_model_versions(f"name = '{name}'")
        number = next((known.version for known in versions if known.run_id == run_id), None)
        if number is None:
            source = f"models:/{model.model_id}"
            made = self.client.create_model_version(name, source, run_id, model_id=model.model_id)
            number = made.version
        if str(self.client.get_registered_model(name).aliases.get(BEST)) != str(number):
            self.client.set_registered_model_alias(name, BEST, str(number))

    def _search(self, condition: str) -> list[Run]:
        ids, search = [self.experiment], self.client.search_runs
        return _all(lambda token: search(ids, condition, page_token=token))

    def _keep(self, run: Run) -> None:
        """Take a run for the one of its key; of two that were made at the same time, one goes.

        Which one is the same whoever looks: another machine may have made the other.
        """
        known = self.runs.setdefault(run.data.tags["run_key"], run)
        if known.info.run_id != run.info.run_id:
            kept, twice = sorted((known, run), key=lambda same: same.info.run_id)
            self.client.delete_run(twice.info.run_id)
            self.runs[run.data.tags["run_key"]] = kept

    def _make(self, record: Record) -> Run:
        tags = {**record.tags, "run_key": record.key, "slot": record.slot, "superseded": "no"}
        self.client.create_run(self.experiment, record.started_ms, tags, record.name)
        for run in self._search(f"tags.run_key = '{record.key}'"):
            self._keep(run)
        return self.runs[record.key]

    def _fill(self, run: Run, record: Record) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
        from mlflow.utils.time import get_current_time_millis

        run_id, made, now = run.info.run_id, run.info.start_time, get_current_time_millis()
        content = record.content()
        tags = dict(record.tags) | {f"sha256.{name}": sha for name, _, sha, _ in content.inputs}
        # MLflow refuses to change a parameter, so those that are there are left alone.
        params = [Param(k, v) for k, v in content.params.items() if k not in run.data.params]
        # A curve's points carry the times of its run: sent again, they are the same points.
        points = [
            Metric(k, v, now, 0) for k, v in content.results.items() if run.data.metrics.get(k) != v
        ] + [Metric(k, v, made if t is None else t, step) for k, v, step, t in content.history]
        for start in range(0, max(len(points), len(params) * 10, 1), 1000):  # limits of one call
            self.client.log_batch(
                run_id,
                points[start : start + 1000],
                params[start // 10 : start // 10 + 100],
                [RunTag(k, v) for k, v in tags.items()] if start == 0 else [],
            )
        inputs = [
            DatasetInput(
                # A digest in MLflow has 36 characters at most; the tag holds all of it.
                Dataset(name, sha256[:16], "local", json.dumps({"uri": path})),
                [InputTag("mlflow.data.context", context)],
            )
            for name, path, sha256, context in content.inputs
        ]
        if inputs:
            self.client.log_inputs(run_id, inputs)
        with tempfile.TemporaryDirectory() as folder:
            for name, svg in content.figures.items():
                path = Path(folder, name)
                path.write_bytes(svg)
                self.client.log_artifact(run_id, str(path), "figures")
        if content.model:
            self._log_model(run, record, content.model)
        if record.kind != "evaluation":  # the run is as long as its training
            self.client.set_terminated(run_id, "FINISHED", record.ended_ms or made)

    # --- models without pickles ---

    def _models(self, run_id: str) -> list[Any]:
        """The finished models of a run, the one to be used first."""
        models = self.client.search_logged_models([self.experiment], f"source_run_id = '{run_id}'")
        return sorted((m for m in models if str(m.status) == "READY"), key=lambda m: m.model_id)

    def _log_model(self, run: Run, record: Record, model: Model) -> None:
        """Log the weights with a signature, to be read back by `_load_pyfunc`."""
        from mlflow.entities import LoggedModelOutput

        run_id = run.info.run_id
        if self._models(run_id):
            return
        if sha256_file(model.weights) != model.sha256:
            raise ValueError(f"{model.weights}: not the weights of this run (being restored?)")
        for cut in self.client.search_logged_models(
            [self.experiment], f"source_run_id = '{run_id}'"
        ):
            self.client.delete_logged_model(cut.model_id)  # an interrupted upload
        tags = {name: record.tags[name] for name in OF_MODEL if name in record.tags}
        logged = self.client.create_logged_model(
            self.experiment, record.name.replace(" ", "-"), run_id, tags
        )
        with tempfile.TemporaryDirectory() as temporary:
            saved = Path(temporary) / "saved"
            _describe(model, logged, run_id, Path(temporary) / "loader", saved)
            inside = f"data/loader/{WEIGHTS}"
            place = urllib.parse.urlsplit(logged.artifact_location)
            if place.scheme == "file":
                # On this machine the weights are not copied: hundreds of megabytes a repetition.
                self.client.log_model_artifacts(logged.model_id, str(saved))
                _link(model.weights, Path(urllib.request.url2pathname(place.path)) / inside)
            else:
                _link(model.weights, saved / inside)
                self.client.log_model_artifacts(logged.model_id, str(saved))
        self.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
        self.client.finalize_logged_model(logged.model_id, "READY")
        for twice in self._models(run_id)[1:]:  # of another machine, at the same time
            self.client.delete_logged_model(twice.model_id)


def _describe(model: Model, logged: Any, run_id: str, data: Path, saved: Path) -> None:
    """Write what MLflow keeps of a model beside its weights."""
    import mlflow
    from mlflow.models import Model as Description
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    data.mkdir()
    write_json(data / "loader.json", {"loader": model.loader})
    crops = TensorSpec(np.dtype("uint8"), (-1, model.crop_px, model.crop_px, 3))
    shape = (-1,) if model.scores is None else (-1, model.scores)
    scores = TensorSpec(np.dtype("float32"), shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # asks for an example beside the signature
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


def _link(source: Path, target: Path) -> None:
    """A second name for the bytes of ``source``, which may then be moved, replaced or removed."""
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def _load_pyfunc(data_path: str) -> SimpleNamespace:
    """Called by ``mlflow.pyfunc.load_model``; loads nothing but functions of eifer.

    MLflow calls ``predict``, which gives the scores of crops as `Model` says.
    """
    folder = Path(data_path)
    loader = json.loads((folder / "loader.json").read_text(encoding="utf-8"))["loader"]
    module, _, function = loader.partition(":")
    if not module.startswith("eifer."):
        raise ValueError(f"{folder}: {loader} is not a loader of eifer")
    load = getattr(importlib.import_module(module), function)
    return SimpleNamespace(predict=load(folder / WEIGHTS))


# --- the server or database ---


def server() -> Gate:
    """MLflow's server for its owner alone: the application that `flows` has MLflow serve."""
    from mlflow.server.fastapi_app import app

    return Gate.from_environment(app)


def client(address: str | None = None) -> MlflowClient:
    """MLflow at ``address``, or else at `uri`.

    Raises
    ------
    ConnectionError
        If nobody answers there.
    """
    address = address or uri()
    if not answers(address):
        raise ConnectionError(f"no answer from {without_password(address)}")
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
            make_database(DATABASE)
    elif address.startswith("sqlite:///") and not plain.exists():
        make_database(plain)
    mlflow.set_tracking_uri(address)
    return mlflow.MlflowClient(address)


def erase(study: str, address: str) -> int:
    """Delete all runs and models of a study with their files; how many there were.

    From a database they go for good, as ``mlflow gc`` deletes (which would take what others
    deleted, too). A server marks them as deleted, until somebody calls ``mlflow gc`` there.

    Raises
    ------
    ConnectionError
        If nobody answers at ``address``.
    """
    from mlflow import MlflowException
    from mlflow.entities import ViewType
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    store = client(address)
    database: Any = store._tracking_client.store
    for_good = hasattr(database, "_hard_delete_run")
    experiment = store.get_experiment_by_name(study)
    if experiment is None:
        return 0
    ids = [experiment.experiment_id]
    every = ViewType.ALL if for_good else ViewType.ACTIVE_ONLY
    runs = _all(lambda token: store.search_runs(ids, "", every, page_token=token))
    models = _all(lambda token: store.search_logged_models(ids, page_token=token))
    names = {run.info.run_id for run in runs}
    for model in _all(lambda token: store.search_registered_models(page_token=token)):
        versions = store.search_model_versions(f"name = '{model.name}'")
        ours = [made for made in versions if made.run_id in names]
        for made in ours:
            store.delete_model_version(model.name, made.version)
        if ours and len(ours) == len(versions):
            store.delete_registered_model(model.name)
    for logged in models:
        store.delete_logged_model(logged.model_id)
    for run in runs:
        if run.info.lifecycle_stage == "active":
            store.delete_run(run.info.run_id)
    if for_good:
        places = [
            (run.info.artifact_uri, database._hard_delete_run, run.info.run_id) for run in runs
        ]
        places += [
            (m.artifact_location, database._hard_delete_logged_model, m.model_id) for m in models
        ]
        for place, delete, name in places:
            with contextlib.suppress(OSError, MlflowException):  # no files, or gone already
                get_artifact_repository(place).delete_artifacts()
            delete(name)
    if address == own_uri():
        # What another try left, or mirrors that were cut; and what the database's file still holds.
        shutil.rmtree(ARTIFACTS / _folder(study), ignore_errors=True)
        with contextlib.closing(sqlite3.connect(DATABASE, timeout=BUSY_S)) as connection:
            connection.execute("VACUUM")
    return len(runs) + len(models)


def _all(page: Callable[[str | None], Any]) -> list[Any]:
    """What a search finds, page after page."""
    found, token = [], None
    while True:
        part = page(token)
        found += part
        if not (token := part.token):
            return found


def make_database(path: Path) -> None:
    """Make the tables elsewhere and move them in place: processes that meet half of them crash."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    store = SqlAlchemyStore(sqlite_uri(partial), ARTIFACTS.resolve().as_uri())
    store.engine.dispose()
    partial.replace(path)


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow import MlflowException

    # A server decides itself where files go; a plain database needs to be told.
    own = not uri().startswith("http")
    place = (ARTIFACTS / _folder(name)).resolve().as_uri() if own else None
    # Without a kind, MLflow's pages show what is for language models and ask what this is.
    kind = {"mlflow.experimentKind": "custom_model_development"}
    if client.get_experiment_by_name(name) is None:
        with contextlib.suppress(MlflowException):  # another machine made it meanwhile
            client.create_experiment(name, artifact_location=place, tags=kind)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return str(experiment.experiment_id)


def _folder(study: str) -> str:
    return re.sub(r"[^\w.-]", "_", study)
