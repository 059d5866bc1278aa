"""``eifer services``: three processes on loopback that start, stay and end together."""

from __future__ import annotations

import configparser
import http.server
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from flows import services
from flows.services import Service, addresses

pytestmark = pytest.mark.xdist_group("prefect")
SECRET = "planted-52ce-secret"
NAMES = ("PREFECT_API_KEY", "MLFLOW_TRACKING_PASSWORD", "AWS_SECRET_ACCESS_KEY")


def command(study: Path, *options: str) -> subprocess.Popen[str]:
    outside = ("PREFECT_", "MLFLOW_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
    return subprocess.Popen(
        [sys.executable, "-m", "flows", "services", *options],
        cwd=study,
        env=environment | {"HOME": str(study / "home")} | dict.fromkeys(NAMES, SECRET),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Any, str]]:
    """The folder, the process and what it said."""
    study = tmp_path_factory.mktemp("study")
    (study / "home").mkdir()
    free = [str(services._port(None, 0, "")) for _ in range(2)]
    process = command(study, "--prefect-port", free[0], "--mlflow-port", free[1])
    assert process.stdout is not None
    said = ""
    while not said.endswith("Ctrl-C ends all.\n"):
        line = process.stdout.readline()
        assert line, said
        said += line
    yield study, process, said
    process.kill()
    process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except OSError:
        return False


def listener(url: str) -> int | None:
    """The process that listens there."""
    port = urllib.parse.urlsplit(url).port
    for connection in psutil.net_connections():
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return connection.pid
    return None


def until(done: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_they_listen_on_loopback_alone_and_keep_to_runs(
    running: tuple[Path, psutil.Popen, str],
) -> None:
    study, process, said = running

    healthy = re.findall(r"(\w+) is well: (\S+)", said)
    assert [name for name, _ in healthy] == ["prefect", "mlflow", "worker"]
    assert all(answers(url) for _, url in healthy)
    family = [process, *psutil.Process(process.pid).children(recursive=True)]
    listening = {
        connection.laddr.ip
        for one in family
        for connection in psutil.Process(one.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1"}
    assert {path.name for path in study.iterdir()} == {"home", "runs"}
    assert list((study / "home").iterdir()) == []  # nothing in ~/.prefect
    told = addresses(study)
    assert told["PREFECT_HOME"] == str(study / "runs/prefect")
    assert all(f"export {name}={value}" in said for name, value in told.items())


def test_no_secret_on_a_command_line_or_in_a_file(running: tuple[Path, Any, str]) -> None:
    study, process, said = running

    family = psutil.Process(process.pid).children(recursive=True)
    lines = [one.cmdline() for one in family if one.environ()[NAMES[0]] == SECRET]
    files = [path for path in study.rglob("*") if path.is_file()]

    assert len(lines) >= 6  # three and their supervisors: they had it
    assert len(files) >= 6
    assert SECRET not in said + str(lines)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def test_no_second_set_in_one_study(running: tuple[Path, Any, str]) -> None:
    study, _, _ = running

    second = command(study)

    said, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert f"services run already in {study}: {addresses(study)['MLFLOW_TRACKING_URI']}" in said


def test_one_that_dies_is_started_again_and_all_end_together(
    running: tuple[Path, Any, str],
) -> None:
    study, process, said = running
    (health,) = re.findall(r"mlflow is well: (\S+)", said)
    before = listener(health)
    for one in psutil.Process(process.pid).children():
        if "mlflow" in one.cmdline():
            one.kill()  # what it supervised would be left, and hold the port

    until(lambda: listener(health) not in (None, before) and answers(health))
    assert process.stdout.readline() == "mlflow had ended; started again\n"
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0
    assert [one for one in family if one.is_running()] == []
    assert addresses(study) == {}


def test_a_service_that_will_not_last_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / services.HOME).mkdir(parents=True)
    monkeypatch.setattr(services.time, "sleep", lambda _: None)
    doomed = Service("doomed", [sys.executable, "-c", "print('no room')"], "", {})

    with pytest.raises(services.StudyError, match=r"doomed died 5 times[\s\S]*no room"):
        services._keep(tmp_path, [doomed_after(tmp_path, doomed)])


def doomed_after(study: Path, service: Service) -> Service:
    services._spawn(study, service)
    return service


def test_who_answers_on_its_port_may_be_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / services.HOME).mkdir(parents=True)
    other = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    late = f"http://127.0.0.1:{other.server_port}"
    monkeypatch.setattr(services.shutil, "disk_usage", lambda _: SimpleNamespace(free=0))

    with pytest.raises(services.StudyError, match=r"late did not start:[\s\S]*taken\n.*is full"):
        services._start(
            tmp_path, [Service("late", [sys.executable, "-c", "exit('port is taken')"], late, {})]
        )
    other.shutdown()


def test_accounts_of_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    secrets = {"MLFLOW_FLASK_SERVER_SECRET_KEY": SECRET, "MLFLOW_AUTH_ADMIN_PASSWORD": SECRET}
    monkeypatch.setattr(os, "environ", mine | secrets)
    study = tmp_path / "100 % ours"
    (study / services.HOME).mkdir(parents=True)

    _, mlflow = services._servers(study, None, None)

    assert mlflow.command[-2:] == ["--app-name", "basic-auth"]
    assert SECRET not in str(mlflow.command)
    written = configparser.ConfigParser()
    written.read(os.environ["MLFLOW_AUTH_CONFIG_PATH"])
    accounts = study / "runs/mlflow_auth.db"
    assert written["mlflow"]["database_uri"] == f"sqlite:///{accounts}"
    assert accounts.stat().st_mode & 0o077 == 0
    # What its worker runs sends records too.
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "admin"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == SECRET


def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()

    with (
        pytest.raises(services.StudyError, match=f"here: .*{tmp_path}/runs"),
        services._alone(tmp_path),
    ):
        pass


def test_a_port_that_is_taken() -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        assert services._port(None, taken, "--prefect-port") != taken
        with pytest.raises(services.StudyError, match=f"port {taken} is taken.*--prefect-port"):
            services._port(taken, 4200, "--prefect-port")
    with pytest.raises(services.StudyError, match="--mlflow-port"):
        services._port(70000, 5000, "--mlflow-port")
