"""``eifer services``: three processes on loopback that start, stay and end together."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed

from eifer.errors import StudyError
from flows.servers import server, services
from flows.servers.addresses import SERVICES, answers, free_port, of_services
from flows.servers.server import Service
from stages._runtime.serving import sqlite_uri
from tests.watched import STILL_S, ended, heard, until

pytestmark = pytest.mark.xdist_group("prefect")
SECRET = "planted-52ce-secret"
NAMES = ("AWS_SECRET_ACCESS_KEY", "EIFER_TEST_SECRET")
ODD = "a ?b=c#d %20 \N{LATIN SMALL LETTER U WITH DIAERESIS}'\"\n$HOME;"
"""The name of a folder."""


def command(study: Path, *options: str) -> subprocess.Popen[str]:
    outside = ("PREFECT_", "MLFLOW_", "no_proxy", "NO_PROXY")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(outside)}
    # Nobody is there: who asks this proxy for a server of this machine gets no answer.
    environment |= dict.fromkeys(("http_proxy", "HTTP_PROXY", "all_proxy"), "http://127.0.0.1:9")
    environment["PREFECT_API_KEY"] = SECRET  # of Prefect Cloud
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
    study = tmp_path_factory.mktemp("services") / ODD
    (study / "home").mkdir(parents=True)
    free = [str(free_port()) for _ in range(2)]
    process = command(study, "--prefect-port", free[0], "--mlflow-port", free[1])
    said = ""
    try:
        while not said.endswith("Ctrl-C ends all.\n"):
            line = process.stdout.readline()
            assert line, said
            said += line
        yield study, process, said
    finally:
        process.kill()
        process.wait()


def listener(url: str) -> int | None:
    """The process that listens there."""
    port = urllib.parse.urlsplit(url).port
    for connection in psutil.net_connections():
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
            return connection.pid
    return None


def test_they_listen_on_loopback_alone_and_keep_to_runs(
    running: tuple[Path, psutil.Popen, str],
) -> None:
    study, process, said = running

    healthy = re.findall(r"(\w+) is well: (\S+)", said)
    assert [name for name, _ in healthy] == ["prefect", "mlflow", "worker"]
    until(lambda: all(answers(url) for _, url in healthy), process.pid)
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
    assert [path.name for path in study.parent.iterdir()] == [ODD]
    assert {path.name for path in (study / "runs").rglob("*.db")} == {"prefect.db", "mlflow.db"}
    told = of_services(study)
    assert told["PREFECT_HOME"] == str(study / "runs/prefect")
    # What it says can be pasted into a shell.
    (source,) = re.findall(r"For commands in other shells: (source [\s\S]*)\nCtrl-C", said)
    shell = ["env", "-i", "bash", "-c", f"{source} && env --null"]
    known = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.split("\0")
    assert {f"{name}={value}" for name, value in told.items()} <= set(known)


def test_no_secret_on_a_command_line_or_in_a_file(running: tuple[Path, Any, str]) -> None:
    study, process, said = running

    family = psutil.Process(process.pid).children(recursive=True)
    lines = [one.cmdline() for one in family if one.environ()[NAMES[0]] == SECRET]
    files = [path for path in study.rglob("*") if path.is_file()]

    assert len(lines) >= 6  # three and their supervisors: they had it
    assert len(files) >= 6
    assert SECRET not in said + str(lines)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    # Their own passwords are in one file, and in memory.
    own = study / SERVICES / "environment"
    assert own.stat().st_mode & 0o777 == 0o600
    told = of_services(study)
    passwords = {told["MLFLOW_TRACKING_PASSWORD"], told["PREFECT_API_AUTH_STRING"].split(":")[1]}
    assert len(passwords) == 2
    for password in passwords:
        assert password not in said + str([one.cmdline() for one in family])
        assert [path for path in files if password.encode() in path.read_bytes()] == [own]
    assert all((study / name).stat().st_mode & 0o077 == 0 for name in ("runs",))


Asked = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def ask(running: tuple[Path, Any, str]) -> Iterator[Asked]:
    """Ask Prefect or MLflow something as their owner does, but for what is given otherwise."""
    told = of_services(running[0])
    logins = {
        "PREFECT_API_URL": tuple(told["PREFECT_API_AUTH_STRING"].split(":")),
        "MLFLOW_TRACKING_URI": (
            told["MLFLOW_TRACKING_USERNAME"],
            told["MLFLOW_TRACKING_PASSWORD"],
        ),
    }

    def one(tool: str, method: str, path: str, login: bool = True, **how: Any) -> httpx.Response:
        auth = logins[tool] if login else None
        for _ in range(BUSY):
            answer = client.request(method, told[tool] + path, auth=auth, **how)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            # SQLite was busy: Prefect's own client asks again, too.
            time.sleep(1)
        return answer

    with httpx.Client(timeout=STILL_S) as client:
        yield one


BUSY = 10
DEPLOYMENT = "/deployments/name/study/study"
MLFLOW = "/api/2.0/mlflow/experiments"
ATTEMPTS = {
    "Prefect: read": ("PREFECT_API_URL", "GET", DEPLOYMENT, None),
    "Prefect: write": ("PREFECT_API_URL", "POST", "/variables/", {"name": "x", "value": "y"}),
    "Prefect: start": ("PREFECT_API_URL", "POST", "/deployments/{id}/create_flow_run", {}),
    "Prefect: delete": ("PREFECT_API_URL", "DELETE", "/deployments/{id}", None),
    "Prefect: page": ("PREFECT_API_URL", "GET", "/../", None),
    "MLflow: read": ("MLFLOW_TRACKING_URI", "POST", f"{MLFLOW}/search", {"max_results": 1}),
    "MLflow: write": ("MLFLOW_TRACKING_URI", "POST", f"{MLFLOW}/create", {"name": "x"}),
    "MLflow: delete": ("MLFLOW_TRACKING_URI", "POST", f"{MLFLOW}/delete", {"experiment_id": "0"}),
    "MLflow: page": ("MLFLOW_TRACKING_URI", "GET", "/", None),
}
FOREIGN = {
    "another origin": ({"origin": "http://evil.example"}, 403),
    "another port": ({"origin": "http://127.0.0.1:1"}, 403),
    "localhost": ({"origin": "http://localhost:4200"}, 403),
    "sandboxed": ({"origin": "null"}, 403),
    "no preflight": ({"origin": "http://evil.example", "content-type": "text/plain"}, 403),
    "a picture": ({"sec-fetch-site": "cross-site", "sec-fetch-dest": "image"}, 403),
    "a frame": ({"sec-fetch-site": "same-site", "sec-fetch-dest": "iframe"}, 403),
    "another name": ({"host": "evil.example"}, 421),
    "another name, right port": ({"host": "evil.example:{port}"}, 421),
}


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_foreign_page_reads_and_changes_nothing(ask: Asked, attempt: str) -> None:
    """Even if the browser sends the password along, as it does after the owner's login."""
    tool, method, path, body = ATTEMPTS[attempt]
    study = ask("PREFECT_API_URL", "GET", DEPLOYMENT).json()["id"]
    port = str(ask(tool, "GET", "/").url.port)
    for who, (headers, status) in FOREIGN.items():
        posing = {name: value.replace("{port}", port) for name, value in headers.items()}
        for login in (True, False):
            path_ = path.replace("{id}", study)
            reply = ask(tool, method, path_, login, content=json.dumps(body), headers=posing)
            assert reply.status_code == status, who
            assert "access-control-allow-origin" not in reply.headers
            assert len(reply.text) < 100
    asked = {"access-control-request-method": method, "origin": "http://evil.example"}
    assert ask(tool, "OPTIONS", path, False, headers=asked).status_code == 403
    assert ask("PREFECT_API_URL", "GET", DEPLOYMENT).json()["id"] == study


@pytest.mark.parametrize("attempt", [name for name in ATTEMPTS if name != "Prefect: page"])
def test_nobody_else_of_this_machine_is_let_in(ask: Asked, attempt: str) -> None:
    tool, method, path, body = ATTEMPTS[attempt]
    content = json.dumps(body) if body is not None else None

    assert ask(tool, method, path, False, content=content).status_code == 401
    wrong = {"authorization": "Basic ZWlmZXI6d3Jvbmc="}
    assert ask(tool, method, path, False, content=content, headers=wrong).status_code == 401


def test_no_socket_is_opened_from_elsewhere(running: tuple[Path, Any, str]) -> None:
    """A page may open one to any server, and no preflight asks before."""
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    told = of_services(running[0])
    address = told["PREFECT_API_URL"].replace("http", "ws") + "/events/in"

    with pytest.raises(InvalidStatus, match="403"):
        connect(address, origin="http://evil.example", subprotocols=["prefect"], proxy=None)
    with connect(address, subprotocols=["prefect"], proxy=None) as socket:
        socket.send(json.dumps({"type": "auth", "token": "eifer:wrong"}))
        with pytest.raises(ConnectionClosed):
            socket.recv(STILL_S)


def test_the_owner_reads_and_starts_and_sees_the_pages(ask: Asked) -> None:
    study = ask("PREFECT_API_URL", "GET", DEPLOYMENT).json()
    own = f"http://{ask('PREFECT_API_URL', 'GET', '/').url.netloc.decode()}"
    page = {"origin": own, "sec-fetch-site": "same-origin"}
    link = {"sec-fetch-site": "cross-site", "sec-fetch-dest": "document"}

    start = f"/deployments/{study['id']}/create_flow_run"
    wanted = {"parameters": {"only": ["nothing"]}, "state": {"type": "PAUSED"}}
    assert ask("PREFECT_API_URL", "POST", start, json=wanted, headers=page).status_code == 201
    for tool in ("PREFECT_API_URL", "MLFLOW_TRACKING_URI"):
        assert "<html" in ask(tool, "GET", "/../", headers=link, follow_redirects=True).text


@pytest.mark.parametrize(
    "wanted",
    [
        {"command": "touch here"},
        {"working_dir": "/tmp"},
        {"env": {"PYTHONPATH": "/tmp"}},
        {"env": {"LD_PRELOAD": "x.so"}},
        {"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30; touch here"}},
    ],
)
def test_who_starts_a_run_cannot_say_what_is_executed(ask: Asked, wanted: Any) -> None:
    study = ask("PREFECT_API_URL", "GET", DEPLOYMENT).json()["id"]
    start = f"/deployments/{study}/create_flow_run"

    reply = ask("PREFECT_API_URL", "POST", start, json={"job_variables": wanted})

    assert reply.status_code == 422, reply.text
    for pool in services.POOLS:
        job = ask("PREFECT_API_URL", "GET", f"/work_pools/{pool}").json()["base_job_template"]
        assert job["job_configuration"] == {"env": "{{ env }}"}


def test_no_second_set_in_one_study(running: tuple[Path, Any, str]) -> None:
    study, _, _ = running

    second = command(study)

    said = heard(second)
    assert second.returncode == 1
    told = of_services(study)
    assert f"services run already in {study}: {told['PREFECT_API_URL']}" in said
    assert told["MLFLOW_TRACKING_PASSWORD"] not in said


def test_one_that_dies_is_started_again_and_all_end_together(
    running: tuple[Path, Any, str],
) -> None:
    study, process, said = running
    (health,) = re.findall(r"mlflow is well: (\S+)", said)
    before = listener(health)
    for one in psutil.Process(process.pid).children():
        if "mlflow" in one.cmdline():
            one.kill()  # what it supervised would be left, and hold the port

    until(lambda: listener(health) not in (None, before) and answers(health), process.pid)
    assert process.stdout.readline() == "mlflow had ended; started again\n"
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 0
    assert [one for one in family if one.is_running()] == []
    assert of_services(study) == {}
    assert not (study / SERVICES / "environment").exists()


def doomed(study: Path, words: str, health: str = "") -> Service:
    """A server that says something and ends."""
    (study / SERVICES).mkdir(parents=True)
    log = study / SERVICES / "doomed.log"
    return Service("doomed", [sys.executable, "-c", words], health, {}, study, log)


def test_a_service_that_will_not_last_ends_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.time, "sleep", lambda _: None)
    service = doomed(tmp_path, "print('no room')")

    with (
        pytest.raises(StudyError, match=r"doomed died 5 times[\s\S]*no room"),
        server.started(service),
    ):
        services._keep([service])


@pytest.mark.parametrize(
    ("words", "free", "told"),
    [
        ("port is taken", 2**30, r"doomed did not start:\nport is taken\n"),
        ("port is", 0, r"doomed did not start:\n.*/services takes no more: its disk has 0 MB"),
        (
            "OperationalError: database or disk is full",
            2**30,
            r"takes no more: its disk has 1024 MB free, or",
        ),
        ("OSError: [Errno 28] No space left on device", 2**30, r"your quota there is used up"),
        ("OSError: [Errno 122] Disk quota exceeded", 2**30, r"your quota there is used up"),
    ],
)
def test_why_a_server_does_not_come_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, free: int, told: str
) -> None:
    """Also where another answers on its port."""
    other = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    late = f"http://127.0.0.1:{other.server_port}"
    monkeypatch.setattr(server.shutil, "disk_usage", lambda _: SimpleNamespace(free=free))

    with (
        pytest.raises(StudyError, match=told) as failed,
        services._start(doomed(tmp_path, f"exit({words!r})", late)),
    ):
        pass
    other.shutdown()
    assert "Error" not in str(failed.value)


def test_a_password_of_the_user_is_kept_and_written_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "MLFLOW_"))}
    mine |= {"PREFECT_SERVER_API_AUTH_STRING": f"me:{SECRET}", "MLFLOW_TRACKING_PASSWORD": SECRET}
    monkeypatch.setattr(os, "environ", dict(mine))
    (tmp_path / SERVICES).mkdir(parents=True)

    prefect, mlflow = services._servers(tmp_path, None, None)
    services._announce(tmp_path, [], mine)

    assert os.environ["PREFECT_API_AUTH_STRING"] == f"me:{SECRET}"
    assert prefect.environment["PREFECT_SERVER_API_AUTH_STRING"] == f"me:{SECRET}"
    assert mlflow.environment["EIFER_GATE_LOGIN"] == f"eifer:{SECRET}"
    assert SECRET not in str([prefect.command, mlflow.command])
    assert "MLFLOW_TRACKING_USERNAME" in (tmp_path / SERVICES / "environment").read_text()


@pytest.mark.parametrize("name", ["plain", "a?b", "a#b", "100 % ours", "%41", "[x]", ODD])
def test_a_database_lies_where_it_should_whatever_its_folder_is_called(
    tmp_path: Path, name: str
) -> None:
    import sqlalchemy

    file = tmp_path / name / "x.db"
    file.parent.mkdir()

    with sqlalchemy.create_engine(sqlite_uri(file)).connect() as database:
        database.execute(sqlalchemy.text("CREATE TABLE t (i)"))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()

    with (
        pytest.raises(StudyError, match=f"here: .*{tmp_path}/runs"),
        services._alone(tmp_path),
    ):
        pass


def test_a_port_that_is_taken() -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]

        assert free_port(usual=taken) != taken
        with pytest.raises(StudyError, match=f"port {taken} is taken.*--prefect-port"):
            free_port(taken, usual=4200, option="--prefect-port")
    with pytest.raises(StudyError, match="--mlflow-port"):
        free_port(70000, usual=5000, option="--mlflow-port")
