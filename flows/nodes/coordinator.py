"""Other machines: every instance is a run of the deployment ``stage`` on a node (node.py).

This is the coordinator. It pins the working tree as a snapshot, hands instances to the workers of
a pool, and at the end restores in its own folder what they made: it alone writes dvc.lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterType,
    FlowRunFilter,
    FlowRunFilterName,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, State, StateType, WorkPoolStatus
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelling, Crashed

from eifer.errors import StudyError
from flows.graph import declared
from flows.nodes import snapshot
from flows.nodes.node import EXECUTED, INTERRUPTED, PROVENANCE, RECORDS, Origin
from flows.run import dvc
from flows.run.executor import Log, StageFailed
from flows.run.instances import Instance
from flows.run.supervise import supervised
from flows.servers.addresses import refuse_password, without_password
from flows.servers.heartbeats import watch
from stages._runtime.artifacts import write_json

DEPLOYMENT = "stage/node"
AT_ONCE = 32
REPOSITORY = "EIFER_REPOSITORY"
USABLE = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]
OPEN_OPTIONS = {"url", "endpointurl", "region", "profile", "use_ssl", "ssl_verify", "port", "user"}
"""What a node is told of the DVC remote; keys and passwords it has in its own environment."""
POLL_S = 1.0
UNREACHABLE_S = 300.0
"""A server that restarts is waited for this long."""
LATE_S = 60.0
"""An instance that waits so long may have no worker to wait for."""
START_S = 120.0
"""A process worker that took an instance has started it after 3 to 10 s, or was killed.

The server's own watch (heartbeats.py) knows nothing of how busy a worker is, and waits longer.
"""


class NodesExecutor:
    """Runs instances on the workers of a Prefect work pool, each in a clone of its own.

    Parameters
    ----------
    study
        The folder of dvc.yaml: the top of a git repository.
    at_once
        Instances that are handed out at a time; the pool's workers take them as they can.

    Nodes fetch the code from the git repository that ``EIFER_REPOSITORY`` names, to which this
    machine can push; else from ``study`` itself, for nodes that see this folder.

    Raises
    ------
    StudyError
        If nodes could not get code or data, there is no such deployment, or a secret would leave.
    """

    def __init__(self, study: Path, *, at_once: int = 0) -> None:
        self.study = study.resolve()
        self.slots = at_once or AT_ONCE
        self._done: dict[str, UUID] = {}
        self._runs: set[UUID] = set()
        self._warned = float("-inf")
        self._guard = threading.Lock()
        self._stopped = False
        remote, cache = _store(self.study)
        repository = os.environ.get(REPOSITORY) or str(self.study)
        refuse_password("the git repository", repository)
        _check_deployment()
        tracking = os.environ.get("MLFLOW_TRACKING_URI", "")
        self.origin = Origin(
            repository=repository,
            snapshot=snapshot.take(self.study),
            remote=remote,
            cache=cache,
            tracking=without_password(tracking) if tracking.startswith("http") else None,
        )
        self._on_gpu = {
            name
            for name, block in declared(self.study).items()
            if block.get("meta", {}).get("gpu", False)
        }
        if remote:
            # What was made here before is upstream of what nodes will make.
            code, lines = self._dvc("push", "--run-cache", log=lambda _: None)
            if code != 0:
                raise StudyError(
                    f"the DVC remote {remote['url']} took no results from here:\n{lines}"
                )
        snapshot.publish(self.study, self.origin.snapshot, self.origin.repository)

    def run(self, instance: Instance, log: Log, *, beside: int = 1) -> None:
        """Have one instance brought up to date by a node, and wait for it."""
        try:
            run = self._run(instance, log)
        except httpx.HTTPError as error:  # after a minute of the client's own tries
            why = f"Prefect's server did not answer as it should: {error}"
            raise StageFailed(instance.address, why, retry=not self._stopped) from None
        state = cast(State[Any], run.state)
        if not state.is_completed():
            why = state.message or str(state.name)
            if state.is_crashed():
                why = f"its node was lost{_by(run)}: {why}"
            elif state.name == INTERRUPTED:
                why = f"its node could not do it{_by(run)}: {why}"
            lost = state.is_crashed() or state.name == INTERRUPTED
            raise StageFailed(instance.address, why, retry=lost and not self._stopped)
        executed = json.loads((state.message or "").removeprefix(EXECUTED) or "[]")
        if others := [name for name in executed if name != instance.address]:
            log(f"WARNING: the node also executed {', '.join(others)}: their results had not come")
        self._done[instance.address] = run.id

    def collect(self, log: Log) -> None:
        """Restore here what nodes made, which writes dvc.lock; nothing may have to be executed.

        Raises
        ------
        StudyError
            If DVC failed, or if it executed something instead of restoring it.
        """
        snapshot.withdraw(self.study, self.origin.snapshot, self.origin.repository)
        if not self._done:
            return
        executed: list[str] = []
        pull = ["--pull"] if self.origin.remote else []
        code, lines = self._dvc("repro", *pull, *self._done, log=dvc.counting(log, executed))
        if code != 0:
            raise StudyError("collecting what nodes made failed:\n" + lines)
        if executed:
            raise StudyError(
                f"{len(executed)} of {len(self._done)} instances were executed here although nodes "
                f"had made them ({', '.join(executed[:5])}). All is up to date, but the results of "
                "the nodes did not arrive: do nodes and this machine share the DVC remote (or "
                "cache)? Outputs with `persist`, or of a stage without deps, are never restored"
            )
        log(f"collected {len(self._done)} instances: 0 executed here")
        with suppress(httpx.HTTPError, ObjectNotFound), get_client(sync_client=True) as client:
            for run in self._done.values():
                client.update_flow_run(run, tags=[])  # nobody need find it any more

    def stop(self) -> None:
        """Cancel what nodes still run for this study."""
        with self._guard:
            self._stopped = True
            runs, self._runs = self._runs, set()
        if runs:
            # Without a server each would be tried for a minute: the next start finds them.
            with suppress(httpx.TransportError), get_client(sync_client=True) as client:
                for run in runs:
                    with suppress(httpx.HTTPStatusError, ObjectNotFound):
                        _cancel(client, run)

    def _run(self, instance: Instance, log: Log) -> FlowRun:
        with get_client(sync_client=True) as client:
            run = self._earlier(client, instance) or self._submit(instance)
            with self._guard:
                self._runs.add(run.id)
                stopped = self._stopped
            if stopped:
                _cancel(client, run.id)
            log(f"flow run {run.name!r} {run.id} in pool {run.work_pool_name!r}")
            run = self._wait(client, run, log)
            self._keep_records(client, run.id)
            return run

    def _submit(self, instance: Instance) -> FlowRun:
        run = run_deployment(
            DEPLOYMENT,
            parameters={
                "address": instance.address,
                "origin": self.origin.model_dump(),
                "gpu": instance.stage in self._on_gpu,
            },
            flow_run_name=instance.address,
            tags=[self._tag],
            timeout=0,
        )
        return cast(FlowRun, run)  # nothing to await: this is no coroutine

    @property
    def _tag(self) -> str:
        """Of runs that any coordinator may take over: same code, and results in the same place."""
        return "origin " + hashlib.sha256(self.origin.model_dump_json().encode()).hexdigest()[:12]

    def _earlier(self, client: SyncPrefectClient, instance: Instance) -> FlowRun | None:
        """A run of a coordinator that died: the node went on, or has its results in the remote."""
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                name=FlowRunFilterName(any_=[instance.address]),
                tags=FlowRunFilterTags(all_=[self._tag]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=USABLE)),
            ),
            limit=1,
            offset=0,
        )
        return runs[0] if runs else None

    def _wait(self, client: SyncPrefectClient, run: FlowRun, log: Log) -> FlowRun:
        """The run when it has ended, or its worker did not start it; what happens goes to log."""
        seen: str | None = None
        answered = since = time.monotonic()
        while True:
            try:
                run = client.read_flow_run(run.id)
                answered = time.monotonic()
                if run.state is not None and run.state.name != seen:
                    seen, since = run.state.name, answered
                    log(f"on the node: {seen}{_by(run)}")
                if run.state is not None and run.state.is_final():
                    with self._guard:
                        self._runs.discard(run.id)
                    return run
                if answered - since > START_S and _not_started(run):
                    died: State[None] = Crashed(
                        message=f"not started {START_S:g} s after it was taken"
                    )
                    client.set_flow_run_state(run.id, died)
                if answered - since > LATE_S and run.state and run.state.is_scheduled():
                    self._warn(client, str(run.work_pool_name), log)
            except httpx.HTTPError:
                if time.monotonic() - answered > UNREACHABLE_S:
                    raise
            time.sleep(POLL_S)

    def _warn(self, client: SyncPrefectClient, name: str, log: Log) -> None:
        """Say, once a minute, that nobody will take what waits; busy workers need no words."""
        with self._guard:
            if time.monotonic() - self._warned < LATE_S:
                return
            self._warned = time.monotonic()
        pool = client.read_work_pool(name)
        if pool.status == WorkPoolStatus.PAUSED:
            log(f"WARNING: pool {name!r} is paused: prefect work-pool resume {name}")
        elif pool.status == WorkPoolStatus.NOT_READY:
            log(
                f"WARNING: pool {name!r} has no worker. Start one where it shall run: "
                f"prefect worker start --pool {name} --type {pool.type} --limit 1"
            )

    def _keep_records(self, client: SyncPrefectClient, run: UUID) -> None:
        artifacts = client.read_artifacts(
            artifact_filter=ArtifactFilter(
                flow_run_id=ArtifactFilterFlowRunId(any_=[run]),
                type=ArtifactFilterType(any_=[PROVENANCE]),
            ),
            limit=200,
            offset=0,
        )
        for artifact in artifacts:
            path = self.study / RECORDS / Path(artifact.description or f"{artifact.id}.json").name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, artifact.data)

    def _dvc(self, *words: str, log: Log) -> tuple[int, str]:
        """The exit code and last lines of a dvc command in the study."""
        command, lines = dvc.command(*words), deque[str](maxlen=5)
        with supervised(command, cwd=self.study, env=dvc.environment()) as process:
            dvc.listen(process, log, lines)
            return process.wait(), "\n".join(lines)


def _store(study: Path) -> tuple[dict[str, Any] | None, str | None]:
    """How results travel, by the study's DVC configuration: a remote, or else a shared cache."""
    from dvc.repo import Repo  # type: ignore[import-untyped]

    with Repo(str(study)) as repo:
        name = repo.config["core"].get("remote")
        remote = dict(repo.config["remote"][name]) if name else None
        cache = repo.config["cache"].get("dir")
    if remote is None and cache is None:
        raise StudyError(
            f"{study}: nodes need a DVC remote (dvc remote add --default NAME URL), or a cache "
            "folder that all of them see (dvc cache dir --local FOLDER)"
        )
    if remote is None:
        return None, str((study / ".dvc" / cache).resolve())
    for address in ("url", "endpointurl"):
        refuse_password(f"the DVC remote {name!r}", remote.get(address, ""))
    return {key: value for key, value in remote.items() if key in OPEN_OPTIONS}, None


def _check_deployment() -> None:
    with get_client(sync_client=True) as client:
        try:
            client.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound:
            raise StudyError(
                f"Prefect has no deployment {DEPLOYMENT!r}: run `prefect --no-prompt deploy --all`"
            ) from None
        watch(client)


def _by(run: FlowRun) -> str:
    """Who took it, once a worker has: `` (worker gpu-1)``."""
    name = run.labels.get("prefect.worker.name")
    return f" (worker {name})" if name else ""


def _not_started(run: FlowRun) -> bool:
    """Whether a process worker has taken it and not started it; a pod may rightly take long."""
    taken = run.labels.get("prefect.worker.type", "process") == "process"
    return taken and run.start_time is None and not (run.state and run.state.is_scheduled())


def _cancel(client: SyncPrefectClient, run: UUID) -> None:
    client.set_flow_run_state(run, Cancelling(message="the study was stopped"))
