"""``eifer services``: Prefect's server, MLflow's server and a worker, on this machine alone.

They run until Ctrl-C. Each is started again if it dies, and none outlives this process. All they
write is in ``runs``: logs and addresses in ``runs/services``, Prefect's own in ``runs/prefect``.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import psutil  # type: ignore[import-untyped]

from eifer.errors import StudyError
from flows.addresses import LOOPBACK, answers, free_port, try_prefect, without_password
from flows.executors.local import MARK, kill_left_over
from flows.executors.supervise import supervised
from flows.graph import ROOT
from stages._runtime.artifacts import write_json
from stages._runtime.privacy import no_telemetry

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

PREFECT_PORT, MLFLOW_PORT = 4200, 5000
POOLS = ("local", "gpu")
HOME = Path("runs/services")
PREFECT_HOME = Path("runs/prefect")
ADDRESSES = "addresses.json"
START_S = 120.0
DEATHS = 5
"""A service that died so often, each time within `DEATHS_S`, is not started again."""
DEATHS_S = 60.0


@dataclass
class Service:
    """One server or worker, and how to ask whether it is well."""

    name: str
    command: Sequence[str]
    health: str
    environment: Mapping[str, str]
    process: subprocess.Popen[str] | None = None
    deaths: list[float] = field(default_factory=list)


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
    no_telemetry()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with _alone(study):
        services: list[Service] = []
        try:
            servers = _servers(study, prefect_port, mlflow_port)
            services += servers
            _start(study, servers)
            try_prefect()
            prepare(study, gpus)
            worker = _worker()
            services.append(worker)
            _start(study, [worker])
            _announce(study, services)
            _keep(study, services)
        except KeyboardInterrupt:
            print()
        except (OSError, httpx.HTTPError) as error:
            raise StudyError(f"services failed: {error}; their logs: {study / HOME}") from None
        finally:
            (study / HOME / ADDRESSES).unlink(missing_ok=True)
            _stop(study, services)


def addresses(study: Path) -> dict[str, str]:
    """The variables by which tools find the running services; none if there are none."""
    try:
        return json.loads((study / HOME / ADDRESSES).read_text()) if _taken(study) else {}
    except OSError:
        return {}


def _servers(study: Path, prefect_port: int | None, mlflow_port: int | None) -> list[Service]:
    """What is to be started, with the environment told where it will be."""
    # Never the profile or the database of the user's home.
    os.environ.setdefault("PREFECT_HOME", str(study / PREFECT_HOME))
    if "PREFECT_SERVER_API_AUTH_STRING" in os.environ:
        os.environ.setdefault(
            "PREFECT_API_AUTH_STRING", os.environ["PREFECT_SERVER_API_AUTH_STRING"]
        )
    found = []
    if "PREFECT_API_URL" not in os.environ:
        port = _port(prefect_port, PREFECT_PORT, "--prefect-port")
        os.environ["PREFECT_API_URL"] = f"http://{LOOPBACK}:{port}/api"
        found.append(
            Service(
                "prefect",
                _python("prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)),
                f"http://{LOOPBACK}:{port}/api/health",
                {
                    # Runs of long ago are forgotten: the database grows by 20 kB a task run.
                    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "true",
                    # In memory, a server that was killed would leave GPUs taken for ever.
                    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
                        "prefect.server.concurrency.lease_storage.filesystem"
                    ),
                },
            )
        )
    if not os.environ.get("MLFLOW_TRACKING_URI", "").startswith("http"):
        from stages._runtime.tracking import ARTIFACTS, DATABASE

        port = _port(mlflow_port, MLFLOW_PORT, "--mlflow-port")
        database = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{study / DATABASE}"
        os.environ["MLFLOW_TRACKING_URI"] = f"http://{LOOPBACK}:{port}"
        command = _python("mlflow", "server", "--workers", "1", "--host", LOOPBACK)
        # Files go where the stages put them, not through the server, as in `eifer ui`.
        command += ["--port", str(port), "--no-serve-artifacts"]
        if "MLFLOW_FLASK_SERVER_SECRET_KEY" in os.environ:
            command += ["--app-name", "basic-auth"]
            _write_accounts(study)
            if "MLFLOW_AUTH_ADMIN_PASSWORD" in os.environ:  # the worker's runs send records too
                os.environ.setdefault("MLFLOW_TRACKING_USERNAME", "admin")
                os.environ.setdefault(
                    "MLFLOW_TRACKING_PASSWORD", os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"]
                )
        settings = {
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": (study / ARTIFACTS).as_uri(),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # four processes, for language models
        }
        found.append(Service("mlflow", command, f"http://{LOOPBACK}:{port}/health", settings))
    return found


def _write_accounts(study: Path) -> None:
    """Where MLflow keeps its accounts; the first one's password comes from the environment."""
    if "MLFLOW_AUTH_CONFIG_PATH" in os.environ:
        return
    accounts = study / "runs/mlflow_auth.db"
    accounts.touch(mode=0o600)  # hashes of passwords
    path = study / HOME / "mlflow_auth.ini"
    path.write_text(
        "[mlflow]\ndefault_permission = READ\nadmin_username = admin\n"
        f"database_uri = sqlite:///{accounts}\n".replace("%", "%%")
    )
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(path)


def _worker() -> Service:
    port = free_port()
    command = _python("prefect", "worker", "start", "--pool", POOLS[0], "--type", "process")
    # One study at a time in one folder.
    command += ["--limit", "1", "--with-healthcheck"]
    # It would listen on all interfaces otherwise.
    listens = {
        "PREFECT_WORKER_WEBSERVER_HOST": LOOPBACK,
        "PREFECT_WORKER_WEBSERVER_PORT": str(port),
    }
    return Service("worker", command, f"http://{LOOPBACK}:{port}/health", listens)


def prepare(study: Path, gpus: int) -> None:
    """Pools, the GPU limit, the deployments and the watch over their runs; pools and limit stay."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, WorkPoolCreate
    from prefect.exceptions import ObjectNotFound
    from prefect.workers.process import ProcessWorker

    from flows.executors.node import GPU
    from flows.heartbeats import watch

    with get_client(sync_client=True) as client:
        for name in POOLS:
            try:
                client.read_work_pool(name)
            except ObjectNotFound:
                template = ProcessWorker.get_default_base_job_template()
                client.create_work_pool(
                    WorkPoolCreate(name=name, type="process", base_job_template=template)
                )
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

    from flows.heartbeats import DEPLOYMENTS

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
    done = subprocess.run(
        _python("prefect", "--no-prompt", "deploy", "--all", *file),
        cwd=study,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise StudyError("prefect deploy failed:\n" + "\n".join(done.stderr.splitlines()[-5:]))


def _start(study: Path, services: Sequence[Service]) -> None:
    for service in services:
        _spawn(study, service)
    for service in services:
        deadline = time.monotonic() + START_S
        while not (_listens(service) and answers(service.health)):
            if service.process is None or service.process.poll() is not None:
                raise StudyError(f"{service.name} did not start:\n{_last_words(study, service)}")
            if time.monotonic() > deadline:
                raise StudyError(
                    f"{service.name} does not answer at {service.health} after {START_S:g} s:\n"
                    + _last_words(study, service)
                )
            time.sleep(0.2)


def _spawn(study: Path, service: Service) -> None:
    kill_left_over(_mark(study, service))  # it would hold the port
    environment = os.environ | service.environment | {MARK: _mark(study, service)}
    with _log(study, service).open("a") as log:
        service.process = supervised(service.command, cwd=study, env=environment, to=log)


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
                    + _last_words(study, service)
                )
            print(f"{service.name} had ended; started again", flush=True)
            _spawn(study, service)


def _stop(study: Path, services: Sequence[Service]) -> None:
    """The worker first, then what it talks to."""
    for several in ([one for one in services if one.name == "worker"], services):
        running = [one.process for one in several if one.process is not None]
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
        for service in several:
            kill_left_over(_mark(study, service))


def _announce(study: Path, services: Sequence[Service]) -> None:
    names = ("PREFECT_API_URL", "PREFECT_HOME", "MLFLOW_TRACKING_URI")
    told = {name: without_password(os.environ[name]) for name in names}
    write_json(study / HOME / ADDRESSES, told)
    print(f"Prefect  {told['PREFECT_API_URL'].removesuffix('/api')}")
    print(f"MLflow   {told['MLFLOW_TRACKING_URI']}")
    print(f"worker   of pool {POOLS[0]!r}; all logs are in {study / HOME}")
    for service in services:
        print(f"         {service.name} is well: {service.health}")
    print("For commands in other shells:")
    for name, value in told.items():
        print(f"  export {name}={shlex.quote(value)}")
    print("Ctrl-C ends all.", flush=True)


def _mark(study: Path, service: Service) -> str:
    return f"{study}:services:{service.name}"


def _python(*words: str) -> list[str]:
    return [sys.executable, "-m", *words]


def _log(study: Path, service: Service) -> Path:
    return study / HOME / f"{service.name}.log"


def _last_words(study: Path, service: Service) -> str:
    words = _log(study, service).read_text(errors="replace").splitlines()[-10:]
    if shutil.disk_usage(study).free < 2**20:  # their last words are cut then
        words.append("the disk is full")
    return "\n".join(words)


def _listens(service: Service) -> bool:
    """Whether what answers there is this service, and not another that took the port first."""
    port = urlsplit(service.health).port
    with suppress(psutil.Error):
        assert service.process is not None
        return any(
            connection.laddr.port == port
            for one in psutil.Process(service.process.pid).children(recursive=True)
            for connection in one.net_connections()
            if connection.status == psutil.CONN_LISTEN
        )
    return False


def _port(wanted: int | None, usual: int, option: str) -> int:
    for port in (wanted or usual, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((LOOPBACK, port))
                return int(trial.getsockname()[1])
            except (OSError, OverflowError):
                if wanted:
                    raise StudyError(
                        f"port {wanted} is taken, or not ours to take; give another with {option}"
                    ) from None
    raise StudyError("this machine has no free port")


@contextmanager
def _alone(study: Path) -> Iterator[None]:
    try:
        (study / HOME).mkdir(parents=True, exist_ok=True)
        lock = (study / HOME / "lock").open("a")
    except OSError as error:
        raise StudyError(f"services write their logs and databases here: {error}") from None
    with lock as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = " ".join(addresses(study).values())
            raise StudyError(f"services run already in {study}: {told}") from None
        yield


def _taken(study: Path) -> bool:
    with (study / HOME / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
