"""Servers on loopback that serve their owner alone: how each is started, asked, and ended."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

from eifer.errors import StudyError
from flows.run.local import MARK, kill_left_over
from flows.run.supervise import supervised
from flows.servers.addresses import (
    ENVIRONMENT,
    LOOPBACK,
    answers,
    free_port,
    try_prefect,
    use_services,
)
from stages._runtime import mlflow_place, serving
from stages._runtime.privacy import close_folders, keep_private

PREFECT_HOME = Path("runs/prefect")
DATABASE_CHOICES = {
    *("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL"),
    "PREFECT_SERVER_DATABASE_DRIVER",
}
"""Variables by which a user puts Prefect's database elsewhere."""
START_S = 600.0
"""One that takes longer hangs: 5 s (Prefect), 14 s (MLflow); 150 s on a machine that is busy."""
FULL = re.compile(r"disk is full|No space left|[Qq]uota exceeded")
"""What SQLite and others say of a disk without room, among lines that say nothing else."""


@dataclass
class Service:
    """One server or worker: how to start it, and how to ask whether it is well."""

    name: str
    command: Sequence[str]
    health: str
    environment: dict[str, str]
    folder: Path
    """Where it runs."""
    log: Path
    mark: str = ""
    """Where it has one, what a dead process left of the service is found by it and killed."""
    process: subprocess.Popen[str] | None = None
    deaths: list[float] = field(default_factory=list)


def prefect(study: Path, port: int, log: Path) -> Service:
    """Prefect's server, with the environment told where it will be and what its password is.

    A password that the environment holds already is used.
    """
    # Never the profile or the database of the user's home.
    home = Path(os.environ.setdefault("PREFECT_HOME", str(study / PREFECT_HOME)))
    os.environ["PREFECT_API_URL"] = f"http://{LOOPBACK}:{port}/api"
    login = os.environ.get("PREFECT_SERVER_API_AUTH_STRING") or os.environ.setdefault(
        "PREFECT_API_AUTH_STRING", f"{serving.USER}:{serving.new_password()}"
    )
    os.environ["PREFECT_API_AUTH_STRING"] = login
    os.environ.pop("PREFECT_API_KEY", None)  # of Prefect Cloud: it would be sent instead
    settings = {serving.HOST: f"{LOOPBACK}:{port}", "PREFECT_SERVER_API_AUTH_STRING": login}
    if not os.environ.keys() & DATABASE_CHOICES:
        uri = serving.sqlite_uri(home / "prefect.db", "aiosqlite")
        settings["PREFECT_API_DATABASE_CONNECTION_URL"] = uri
    words = ["uvicorn", "--factory", f"{__name__}:prefect_application", "--log-level", "warning"]
    command = python(*words, "--host", LOOPBACK, "--port", str(port))
    return Service("prefect", command, f"http://{LOOPBACK}:{port}/api/health", settings, study, log)


def prefect_application() -> Any:
    """What `prefect server start` serves, behind a gate; Prefect asks for the password itself."""
    from prefect.server.api.server import create_app

    _let_writers_wait()
    return serving.Gate.from_environment(create_app(final=True))


def _let_writers_wait() -> None:
    """Have each transaction of Prefect take SQLite's lock to write before it reads.

    As Prefect has it, a transaction that read, and then would write, is refused at once where
    another wrote in between (503, "database is locked"): a GPU could not be asked for.
    """
    from prefect.server.database.configurations import AioSqliteConfiguration
    from prefect.server.database.dependencies import set_database_config
    from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL

    class Sqlite(AioSqliteConfiguration):
        def begin_transaction(self, session: Any, with_for_update: bool = False) -> Any:
            return super().begin_transaction(session, with_for_update=True)

    url = PREFECT_API_DATABASE_CONNECTION_URL.value()
    if url.startswith("sqlite"):
        set_database_config(Sqlite(connection_url=url))


def mlflow(study: Path, database: str, port: int, log: Path) -> Service:
    """MLflow's server on ``database``; user and password are new where the environment has none."""
    mlflow_place.come_home(study)
    user = os.environ.setdefault("MLFLOW_TRACKING_USERNAME", serving.USER)
    password = os.environ.setdefault("MLFLOW_TRACKING_PASSWORD", serving.new_password())
    settings = {
        serving.HOST: f"{LOOPBACK}:{port}",
        serving.LOGIN: f"{user}:{password}",
        "MLFLOW_BACKEND_STORE_URI": database,  # not on the command line: it may hold a password
        "MLFLOW_DEFAULT_ARTIFACT_ROOT": (study / mlflow_place.ARTIFACTS).resolve().as_uri(),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # four processes, for language models
    }
    # Files go where the stages put them, not through the server.
    words = ["mlflow", "server", "--app-name", "eifer", "--workers", "1", "--no-serve-artifacts"]
    command = python(*words, "--host", LOOPBACK, "--port", str(port))
    return Service("mlflow", command, f"http://{LOOPBACK}:{port}/health", settings, study, log)


def python(*words: str) -> list[str]:
    """The command that runs a module in this environment."""
    return [sys.executable, "-m", *words]


@contextmanager
def started(*services: Service) -> Iterator[None]:
    """Start ``services``, which may not answer yet, and end them after the block."""
    try:
        for service in services:
            spawn(service)
        yield
    finally:
        stop(*services)


def spawn(service: Service) -> None:
    """Start its process, which cannot outlive this one; it may not answer yet."""
    environment = {**os.environ, **service.environment}
    if service.mark:
        environment[MARK] = service.mark
        kill_left_over(service.mark)  # it would hold the port
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("a") as log:
        service.process = supervised(service.command, cwd=service.folder, env=environment, to=log)


def wait_for(service: Service) -> None:
    """Return when the service answers.

    Raises
    ------
    StudyError
        If it ended, or does not answer in `START_S`: with its last words.
    """
    deadline = time.monotonic() + START_S
    while not (_listens(service) and answers(service.health)):
        if service.process is None or service.process.poll() is not None:
            raise StudyError(f"{service.name} did not start:\n{last_words(service)}")
        if time.monotonic() > deadline:
            raise StudyError(
                f"{service.name} does not answer at {service.health} after {START_S:g} s:\n"
                + last_words(service)
            )
        time.sleep(0.1)


def stop(*services: Service) -> None:
    """End them, with all that they started."""
    running = [service.process for service in services if service.process is not None]
    for process in running:
        process.terminate()
    for process in running:
        process.wait()
    for mark in filter(None, (service.mark for service in services)):
        kill_left_over(mark)


def last_words(service: Service) -> str:
    """The end of its log, or that the disk is full: its last words are cut then."""
    words = "\n".join(service.log.read_text(errors="replace").splitlines()[-10:])
    room = shutil.disk_usage(service.log.parent).free
    if FULL.search(words) or room < 2**20:
        return (
            f"{service.log.parent} takes no more: its disk has {room / 2**20:.0f} MB free, or your "
            "quota there is used up. Make room, and start again"
        )
    return f"{words}\n(all of it is in {service.log})"


def serve(study: Path) -> Callable[[], None]:
    """Let Prefect in this process talk to ``PREFECT_API_URL``, or to a server of its own.

    Where ``eifer services`` run in this study, theirs are used, as if they had been exported.
    Returns what stops that server, which also happens when this process ends.

    To be called before prefect is imported, which reads the environment once; and which, when this
    process ends, still has logs to send: the server is stopped after that. One of its own
    answers in 5 s (8 s with a new database); Prefect's ephemeral one took 9 to 13 s.

    Raises
    ------
    StudyError
        If no server answers, it refuses, or the folder takes no files.
    """
    study = study.resolve()
    keep_private()
    use_services(study)
    home = study / PREFECT_HOME
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"Prefect keeps its settings and database here: {error}") from None
    close_folders(study)
    os.environ.setdefault("PREFECT_HOME", str(home))
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
    if "PREFECT_API_URL" in os.environ:
        try_prefect()
        return lambda: None
    # Ours does not come back once it is gone: give up after 6 s, not after a minute for each call.
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "2")
    given = set(os.environ)
    server = prefect(study, free_port(), home / "server.log")
    server.log.unlink(missing_ok=True)
    file = home / ENVIRONMENT
    names = {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING"} - given
    end = ExitStack()
    atexit.register(end.close)
    end.callback(file.unlink, missing_ok=True)
    serving.write_exports(file, {name: os.environ[name] for name in names})
    end.enter_context(started(server))

    import flows.run.study  # noqa: F401  with prefect: seconds, in which the server starts

    wait_for(server)
    print(f"Prefect's pages ask for the words of PREFECT_API_AUTH_STRING in {file}", flush=True)
    return end.close


def _listens(service: Service) -> bool:
    """Whether what answers there is this service, and not another that took the port first."""
    port = urlsplit(service.health).port
    with suppress(psutil.Error):
        assert service.process is not None
        return any(
            connection.laddr.port == port
            for child in psutil.Process(service.process.pid).children(recursive=True)
            for connection in child.net_connections()
            if connection.status == psutil.CONN_LISTEN
        )
    return False
