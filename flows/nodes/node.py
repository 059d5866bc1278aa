"""What a node does: the flow ``stage`` brings one instance up to date in a clone of its own."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any

import httpx
from platformdirs import user_cache_path
from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.concurrency.asyncio import ConcurrencySlotAcquisitionError
from prefect.concurrency.sync import concurrency
from prefect.runtime import flow_run
from prefect.states import Completed, Failed, State
from pydantic import BaseModel, Field

from eifer.errors import StudyError
from flows.locks import held
from flows.nodes import snapshot
from flows.run import dvc, mirroring
from flows.run.executor import Log, StageFailed
from flows.run.instances import Instance
from flows.run.local import LocalExecutor
from stages._runtime.privacy import close_folders

GPU = "gpu"
"""Prefect's concurrency limit, for GPUs that several workers share."""
LEASE_S = 90
"""A GPU held by a node that died is free again after so long: as long as its death goes unseen."""
REST_S = 60.0
BUSY = httpx.codes.SERVICE_UNAVAILABLE
CLONES = "EIFER_CLONES"
"""Variable that says where a node keeps its clones; by default in the user's cache folder."""
INTERRUPTED = "Interrupted"
"""The name of a failed run that another try may mend."""
PROVENANCE = "eifer-provenance"
"""The type of the artifact by which a record of an execution comes home."""
EXECUTED = "executed: "
RECORDS = Path("runs/provenance")
FULL = os.strerror(errno.ENOSPC)


class Origin(BaseModel):
    """Where a node gets code and data, and where its results go. Never holds a secret."""

    repository: str = Field(
        description="git repository that has the snapshot; a path or an address"
    )
    snapshot: str = Field(description="commit of the study's working tree")
    remote: dict[str, Any] | None = Field(
        default=None, description="DVC remote (url, endpointurl ...) that carries results"
    )
    cache: str | None = Field(
        default=None, description="DVC cache folder that all nodes share, if there is no remote"
    )
    tracking: str | None = Field(
        default=None, description="MLflow server, for a node that has no MLFLOW_TRACKING_URI"
    )


@flow(name="stage", flow_run_name="{address}")
def stage(address: str, origin: Origin, gpu: bool = False) -> State:
    """Bring one instance of a stage up to date on this node, and send its results.

    Parameters
    ----------
    address
        As DVC names the instance: ``extract@1``.
    origin
        Where code and data come from and results go.
    gpu
        Wait for one of the GPUs of the concurrency limit ``gpu``.
    """
    log = get_run_logger().info
    try:
        with one_gpu(log) if gpu else nullcontext():
            return _brought(address, origin, log)
    except httpx.HTTPError as error:
        why = f"Prefect's server did not answer as it should: {error}"
        return Failed(name=INTERRUPTED, message=why)


def _brought(address: str, origin: Origin, log: Log) -> State:
    with _own_clone(origin) as (folder, lock):
        clone = Clone(folder, origin, lock)
        before = set(folder.glob(f"{RECORDS}/*.json"))
        try:
            clone.bring_up_to_date()
            clone.run(_instance(address), log)
            clone.mirror(log)
        except StageFailed as failed:
            return Failed(name=INTERRUPTED if failed.retry else "Failed", message=failed.why)
        except (StudyError, OSError) as error:  # git does not answer, or the disk is full
            return Failed(name=INTERRUPTED, message=str(error))
        finally:
            clone.stop()
            _send_home(set(folder.glob(f"{RECORDS}/*.json")) - before)
    return Completed(message=EXECUTED + json.dumps(clone.executed))


@contextmanager
def one_gpu(log: Log) -> Iterator[None]:
    """One of the GPUs of the limit, when one is free.

    A server that is away ends no training that has its GPU. The training goes on where the GPU
    could not be renewed, although another may be given it; and it ends well where the GPU could
    not be given back, although nobody is given it for `LEASE_S` seconds more.

    Raises
    ------
    ConcurrencySlotAcquisitionError
        If there is no such limit.
    httpx.HTTPError
        If Prefect's server does not answer, or not as it should.
    """
    gpu, held = ExitStack(), False
    while not held:
        try:
            gpu.enter_context(
                concurrency(
                    GPU,
                    occupy=1,
                    strict=True,
                    lease_duration=LEASE_S,
                    raise_on_lease_renewal_failure=False,
                )
            )
            held = True
        except ConcurrencySlotAcquisitionError as error:
            why = error.__cause__
            if not isinstance(why, httpx.HTTPError):
                raise
            if not (isinstance(why, httpx.HTTPStatusError) and why.response.status_code == BUSY):
                raise why from None
            # SQLite refuses, at once, to write where another wrote since it read: on a busy
            # server all six tries of the client's minute. Nothing has begun: the node waits on.
            log("WARNING: Prefect's server is too busy to give a GPU; asking again")
    try:
        yield
    finally:
        with suppress(httpx.HTTPError):
            gpu.close()


@stage.on_failure
def _rest(flow: object, flow_run: object, state: State[Any]) -> None:
    """Keep the worker busy for a while after a fault that may be this node's own.

    How it ended is known already: the next try goes to another node, if there is one. A node that
    fails fast would otherwise be the first to be free, and draw every instance to itself.
    """
    if state.name == INTERRUPTED:
        time.sleep(REST_S)


class Clone(LocalExecutor):
    """One clone of the study on a node: ``dvc repro`` with what others made, restored.

    ``--single-item`` would fail here: what the instance reads is not in the clone yet.
    """

    def __init__(self, folder: Path, origin: Origin, lock: IO[str]) -> None:
        super().__init__(folder, at_once=1)
        self.origin = origin
        self.executed: list[str] = []
        self._lock = lock
        self._sending = False

    def bring_up_to_date(self) -> None:
        """Check out the snapshot and say to DVC where the others' results are."""
        snapshot.check_out(self.study, self.origin.snapshot, self.origin.repository)
        close_folders(self.study)
        options = ["[core]"]
        if self.origin.remote is not None:
            options += ["    remote = nodes", "['remote \"nodes\"']"]
            options += [f"    {name} = {value}" for name, value in self.origin.remote.items()]
        elif self.origin.cache is not None:
            options += ["[cache]", f"    dir = {self.origin.cache}"]
        (self.study / ".dvc/config.local").write_text("\n".join(options) + "\n")

    def mirror(self, log: Log) -> None:
        """Show in MLflow what this node executed, if it knows a server."""
        environment = self._environment(_instance("mirror"), 1)
        if self.executed and "MLFLOW_TRACKING_URI" in environment:
            self._stream(mirroring.command(self.executed), environment, [], log)

    def _repro(self, instance: Instance, log: Log, share: int, lock: int) -> tuple[int, deque[str]]:
        environment, locks = self._environment(instance, share), [lock, self._lock.fileno()]
        pull = ["--pull"] if self.origin.remote else []
        command = dvc.command("repro", *pull, instance.address)
        count = dvc.counting(log, self.executed)
        code, lines = self._stream(command, environment, locks, count)
        if code == 0 and self.origin.remote:
            self._sending = True
            # With what it needs: some of that may have been executed here too.
            command = dvc.command("push", "--run-cache", "--with-deps", instance.address)
            code, lines = self._stream(command, environment, locks, log)
        return code, lines

    def _environment(self, instance: Instance, share: int) -> dict[str, str]:
        environment = super()._environment(instance, share)
        if self.origin.tracking:
            environment.setdefault("MLFLOW_TRACKING_URI", self.origin.tracking)
        return environment

    def _failure(self, instance: Instance, code: int, lines: deque[str]) -> StageFailed:
        if self._sending and not self._stopped:
            why = "its results did not reach the DVC remote: " + "\n".join(list(lines)[-5:])
            return StageFailed(instance.address, why, retry=True)
        if not self._stopped and FULL in "\n".join(lines):  # another node may have room
            return StageFailed(instance.address, f"{FULL}: {self.study}", retry=True)
        return super()._failure(instance, code, lines)


@contextmanager
def _own_clone(origin: Origin) -> Iterator[tuple[Path, IO[str]]]:
    """The first clone of this repository on this node that no other run is using, and its lock."""
    root = Path(os.environ.get(CLONES) or user_cache_path("eifer") / "clones")
    root.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(origin.repository.encode()).hexdigest()[:12]
    for number in itertools.count(1):
        with held(root / f"{name}-{number}.lock") as lock:
            if lock is not None:
                yield root / f"{name}-{number}", lock
                return


def _instance(address: str) -> Instance:
    return Instance(address, address.partition("@")[0])


def _send_home(records: set[Path]) -> None:
    with get_client(sync_client=True) as client:
        for path in sorted(records):
            client.create_artifact(
                ArtifactCreate(
                    type=PROVENANCE,
                    description=path.name,
                    data=json.loads(path.read_text()),
                    flow_run_id=flow_run.id,
                )
            )
