"""``eifer services``: Prefect's server, MLflow's server and a worker, on this machine alone.

They run until Ctrl-C. Each is started again if it dies, and none outlives this process. All they
write is in ``runs``: logs and addresses in ``runs/services``, Prefect's own in ``runs/prefect``.
"""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from eifer.errors import StudyError
from flows.graph import ROOT
from flows.locks import held
from flows.run.supervise import finished
from flows.servers import server
from flows.servers.addresses import (
    ENVIRONMENT,
    LOCK,
    LOOPBACK,
    SERVICES,
    free_port,
    of_services,
    try_prefect,
    without_password,
)
from flows.servers.server import Service
from stages._runtime import serving
from stages._runtime.privacy import close_folders, keep_private

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
POOLS = ("local", "gpu")
LOGINS = ("PREFECT_API_AUTH_STRING", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
HEARTBEAT = {"type": "object", "additionalProperties": False, "properties": {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": {"type": "string", "pattern": "^[0-9]+$"}
}}  # fmt: skip
JOB: dict[str, Any] = {
    "job_configuration": {"env": "{{ env }}"},
    "variables": {"type": "object", "additionalProperties": False, "properties": {
        "env": HEARTBEAT
    }},
}  # fmt: skip
"""What a worker of our pools starts: a flow run of Prefect, with what prefect.yaml sets.

Prefect's own template takes a command, any environment and a folder from whoever starts a run.
"""
DEATHS = 5
"""A service that died so often, each time within `DEATHS_S`, is not started again."""
DEATHS_S = 60.0


def run(study: Path, *, prefect_port: int | None, mlflow_port: int | None, gpus: int) -> None:
    """Start all three, print where they are, and keep them until interrupted.

    A server that the environment names (``PREFECT_API_URL``, ``MLFLOW_TRACKING_URI``) is used, and
    none started. The usual ports are taken if free, else any; a port that is given must be free.

    Raises
    ------
    StudyError
        If they run already, a port is taken, one of them does not start or does not last, or a
        server that runs elsewhere does not answer or refuses.
    """
    study = study.resolve()
    keep_private()
    given = set(os.environ)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _alone(study):
        close_folders(study)
        try:
            servers = _servers(study, prefect_port, mlflow_port)
            with _start(*servers):
                try_prefect()
                prepare(study, gpus)
                worker = pool_worker(study)
                with _start(worker):
                    _announce(study, [*servers, worker], given)
                    _keep([*servers, worker])
        except KeyboardInterrupt:
            print()
        except (OSError, httpx.HTTPError) as error:
            raise StudyError(f"services failed: {error}; their logs: {study / SERVICES}") from None
        finally:
            (study / SERVICES / ENVIRONMENT).unlink(missing_ok=True)


def _servers(study: Path, prefect_port: int | None, mlflow_port: int | None) -> list[Service]:
    """What is to be started, with the environment told where it will be."""
    servers = []
    if "PREFECT_API_URL" not in os.environ:
        port = free_port(prefect_port, usual=PREFECT_PORT, option="--prefect-port")
        prefect = server.prefect(study, port, _log(study, "prefect"))
        prefect.environment |= {
            # Runs of long ago are forgotten: the database grows by 20 kB a task run.
            "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "true",
            # In memory, a server that was killed would leave GPUs taken for ever.
            "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                "prefect.server.concurrency.lease_storage.filesystem"
            ),
        }
        servers.append(_marked(prefect))
    os.environ.setdefault("PREFECT_HOME", str(study / server.PREFECT_HOME))
    if not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
        from stages._runtime.mlflow_place import own_uri

        port = free_port(mlflow_port, usual=MLFLOW_PORT, option="--mlflow-port")
        database = os.environ.get("MLFLOW_TRACKING_URI") or own_uri(study)
        os.environ["MLFLOW_TRACKING_URI"] = f"http://{LOOPBACK}:{port}"
        servers.append(_marked(server.mlflow(study, database, port, _log(study, "mlflow"))))
    return servers


def pool_worker(study: Path) -> Service:
    """The worker of pool ``local``, which starts the study's flow runs one at a time."""
    port = free_port()
    command = server.python("prefect", "worker", "start", "--pool", POOLS[0], "--type", "process")
    # One study at a time in one folder.
    command += ["--limit", "1", "--with-healthcheck"]
    # It would listen on all interfaces otherwise.
    listens = {
        "PREFECT_WORKER_WEBSERVER_HOST": LOOPBACK,
        "PREFECT_WORKER_WEBSERVER_PORT": str(port),
    }
    health = f"http://{LOOPBACK}:{port}/health"
    return _marked(Service("worker", command, health, listens, study, _log(study, "worker")))


def prepare(study: Path, gpus: int) -> None:
    """Pools, the GPU limit, the deployments and the watch over their runs; pools and limit stay."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import (
        GlobalConcurrencyLimitCreate,
        WorkPoolCreate,
        WorkPoolUpdate,
    )
    from prefect.exceptions import ObjectNotFound

    from flows.nodes.node import GPU
    from flows.servers.heartbeats import watch

    with get_client(sync_client=True) as client:
        for name in POOLS:
            try:
                pool = client.read_work_pool(name)
            except ObjectNotFound:
                client.create_work_pool(
                    WorkPoolCreate(name=name, type="process", base_job_template=JOB)
                )
            else:
                if pool.type == "process" and pool.base_job_template != JOB:
                    client.update_work_pool(name, WorkPoolUpdate(base_job_template=JOB))
        try:
            client.read_global_concurrency_limit_by_name(GPU)
        except ObjectNotFound:
            client.create_global_concurrency_limit(
                GlobalConcurrencyLimitCreate(name=GPU, limit=gpus)
            )
        with _schedules_kept(client):
            deploy(study)
        watch(client)


@contextmanager
def _schedules_kept(client: SyncPrefectClient) -> Iterator[None]:
    """What the deployments are replaced in: a schedule switched off stays off, one added stays."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.exceptions import ObjectNotFound

    from flows.servers.heartbeats import DEPLOYMENTS

    before = {}
    for name in DEPLOYMENTS:
        with suppress(ObjectNotFound):
            before[name] = client.read_deployment_by_name(name).schedules
    yield
    kept = {"schedule", "active", "max_scheduled_runs", "parameters", "slug"}
    for name, schedules in before.items():
        now = client.read_deployment_by_name(name)
        declared = {schedule.slug: schedule.id for schedule in now.schedules}
        for schedule in schedules:
            if schedule.slug not in declared:
                added = DeploymentScheduleCreate(**{key: getattr(schedule, key) for key in kept})
                client.create_deployment_schedules(now.id, [added])
            elif not schedule.active:
                client.update_deployment_schedule(now.id, declared[schedule.slug], active=False)


def deploy(study: Path) -> None:
    """Register the deployments of prefect.yaml for the study in the folder ``study``.

    Raises
    ------
    StudyError
        If Prefect refuses one.
    """
    file = ["--prefect-file", str(ROOT / "prefect.yaml")]
    done = finished(server.python("prefect", "--no-prompt", "deploy", "--all", *file), cwd=study)
    if done.returncode != 0:
        raise StudyError("prefect deploy failed:\n" + "\n".join(done.stderr.splitlines()[-5:]))


@contextmanager
def _start(*services: Service) -> Iterator[None]:
    with server.started(*services):
        for service in services:
            server.wait_for(service)
        yield


def _keep(services: Sequence[Service]) -> None:
    while True:
        time.sleep(1)
        for service in services:
            if service.process is None or service.process.poll() is None:
                continue
            now = time.monotonic()
            service.deaths = [then for then in service.deaths if now - then < DEATHS_S] + [now]
            if len(service.deaths) >= DEATHS:
                raise StudyError(
                    f"{service.name} died {DEATHS} times in {DEATHS_S:g} s:\n"
                    + server.last_words(service)
                )
            print(f"{service.name} had ended; started again", flush=True)
            server.spawn(service)


def _announce(study: Path, services: Sequence[Service], given: Collection[str]) -> None:
    """Say where all is, and write it down for other shells; ``given`` is what the user knows."""
    addresses = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
    shared = {name: without_password(os.environ[name]) for name in addresses}
    shared["PREFECT_HOME"] = os.environ["PREFECT_HOME"]
    shared |= {name: os.environ[name] for name in LOGINS if name in set(os.environ) - set(given)}
    file = study / SERVICES / ENVIRONMENT
    serving.write_exports(file, shared)
    print(f"Prefect  {shared['PREFECT_API_URL'].removesuffix('/api')}")
    print(f"MLflow   {shared['MLFLOW_TRACKING_URI']}")
    print(f"worker   of pool {POOLS[0]!r}; all logs are in {study / SERVICES}")
    for service in services:
        print(f"         {service.name} is well: {service.health}")
    if new := [name for name in LOGINS if name in shared]:
        print(f"The pages ask for a password, new with each start: {', '.join(new)}")
        print(f"in {file}, which only you can read.")
    print(f"For commands in other shells: source {shlex.quote(str(file))}")
    print("Ctrl-C ends all.", flush=True)


def _marked(service: Service) -> Service:
    return replace(service, mark=f"{service.folder}:services:{service.name}")


def _log(study: Path, name: str) -> Path:
    return study / SERVICES / f"{name}.log"


@contextmanager
def _alone(study: Path) -> Iterator[None]:
    try:
        (study / SERVICES).mkdir(parents=True, exist_ok=True)
        (study / SERVICES / LOCK).touch()
    except OSError as error:
        raise StudyError(f"services write their logs and databases here: {error}") from None
    with held(study / SERVICES / LOCK) as lock:
        if lock is None:
            shared = of_services(study).items()
            where = " ".join(value for name, value in shared if name not in LOGINS)
            raise StudyError(f"services run already in {study}: {where}")
        yield
