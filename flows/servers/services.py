"""``eifer services``: Prefect's server, MLflow's server and a worker, on this machine alone.

They run until Ctrl-C. Each is started again if it dies, and none outlives this process. All they
write is in ``runs``: logs and addresses in ``runs/services``, Prefect's own in ``runs/prefect``.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from eifer.errors import StudyError
from flows.graph import ROOT
from flows.run.local import MARK, kill_left_over
from flows.run.supervise import finished
from flows.servers import server
from flows.servers.addresses import (
    LOOPBACK,
    SERVICES,
    TOLD,
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
        services: list[Service] = []
        try:
            servers = _servers(study, prefect_port, mlflow_port)
            services += servers
            _start(study, servers)
            try_prefect()
            prepare(study, gpus)
            worker = _worker(study)
            services.append(worker)
            _start(study, [worker])
            _announce(study, services, given)
            _keep(study, services)
        except KeyboardInterrupt:
            print()
        except (OSError, httpx.HTTPError) as error:
            raise StudyError(f"services failed: {error}; their logs: {study / SERVICES}") from None
        finally:
            (study / SERVICES / TOLD).unlink(missing_ok=True)
            _stop(study, services)


def _servers(study: Path, prefect_port: int | None, mlflow_port: int | None) -> list[Service]:
    """What is to be started, with the environment told where it will be."""
    found = []
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
        found.append(prefect)
    os.environ.setdefault("PREFECT_HOME", str(study / server.PREFECT_HOME))
    if not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
        from stages._runtime.tracking import own_uri

        port = free_port(mlflow_port, usual=MLFLOW_PORT, option="--mlflow-port")
        database = os.environ.get("MLFLOW_TRACKING_URI") or own_uri(study)
        os.environ["MLFLOW_TRACKING_URI"] = f"http://{LOOPBACK}:{port}"
        found.append(server.mlflow(study, database, port, _log(study, "mlflow")))
    return found


def _worker(study: Path) -> Service:
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
    return Service("worker", command, health, listens, study, _log(study, "worker"))


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
        ours = {one.slug: one.id for one in now.schedules}
        for one in schedules:
            if one.slug not in ours:
                added = DeploymentScheduleCreate(**{key: getattr(one, key) for key in kept})
                client.create_deployment_schedules(now.id, [added])
            elif not one.active:
                client.update_deployment_schedule(now.id, ours[one.slug], active=False)


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


def _start(study: Path, services: Sequence[Service]) -> None:
    for service in services:
        _spawn(study, service)
    for service in services:
        server.wait_for(service)


def _spawn(study: Path, service: Service) -> None:
    mark = _mark(study, service)
    kill_left_over(mark)  # it would hold the port
    server.spawn(service, {MARK: mark})


def _keep(study: Path, services: Sequence[Service]) -> None:
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
            _spawn(study, service)


def _stop(study: Path, services: Sequence[Service]) -> None:
    """The worker first, then what it talks to."""
    for several in ([one for one in services if one.name == "worker"], services):
        server.stop(*several)
        for service in several:
            kill_left_over(_mark(study, service))


def _announce(study: Path, services: Sequence[Service], given: Collection[str]) -> None:
    """Say where all is, and write it down for other shells; ``given`` is what the user knows."""
    addresses = ("PREFECT_API_URL", "MLFLOW_TRACKING_URI")
    told = {name: without_password(os.environ[name]) for name in addresses}
    told["PREFECT_HOME"] = os.environ["PREFECT_HOME"]
    told |= {name: os.environ[name] for name in LOGINS if name in set(os.environ) - set(given)}
    file = study / SERVICES / TOLD
    serving.tell(file, told)
    print(f"Prefect  {told['PREFECT_API_URL'].removesuffix('/api')}")
    print(f"MLflow   {told['MLFLOW_TRACKING_URI']}")
    print(f"worker   of pool {POOLS[0]!r}; all logs are in {study / SERVICES}")
    for service in services:
        print(f"         {service.name} is well: {service.health}")
    if made := [name for name in LOGINS if name in told]:
        print(f"The pages ask for a password, new with each start: {', '.join(made)}")
        print(f"in {file}, which only you can read.")
    print(f"For commands in other shells: source {shlex.quote(str(file))}")
    print("Ctrl-C ends all.", flush=True)


def _mark(study: Path, service: Service) -> str:
    return f"{study}:services:{service.name}"


def _log(study: Path, name: str) -> Path:
    return study / SERVICES / f"{name}.log"


@contextmanager
def _alone(study: Path) -> Iterator[None]:
    try:
        (study / SERVICES).mkdir(parents=True, exist_ok=True)
        lock = (study / SERVICES / "lock").open("a")
    except OSError as error:
        raise StudyError(f"services write their logs and databases here: {error}") from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            found = of_services(study)
            told = " ".join(found[name] for name in found if name not in LOGINS)
            raise StudyError(f"services run already in {study}: {told}") from None
        yield
