"""Which Prefect server a run talks to."""

from __future__ import annotations

import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from eifer.errors import StudyError
from flows.servers import addresses, server
from flows.servers.addresses import try_prefect

RUNNING = {
    "PREFECT_API_URL": "http://127.0.0.1:1/api",
    "PREFECT_API_AUTH_STRING": "eifer:one",
    "MLFLOW_TRACKING_URI": "http://127.0.0.1:2",
    "MLFLOW_TRACKING_PASSWORD": "two",
}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the code takes for the environment, without any server in it."""
    mine = {name: value for name, value in os.environ.items() if name not in RUNNING}
    monkeypatch.setattr(os, "environ", mine)
    monkeypatch.setattr(server, "spawn", lambda *_, **__: pytest.fail("started a server"))
    monkeypatch.setattr(server, "try_prefect", lambda: None)
    return mine


def test_services_that_run_in_the_study_are_used_without_being_exported(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "of_services", {tmp_path: RUNNING}.__getitem__)
    server.serve(tmp_path)()
    assert environment.items() >= RUNNING.items()


def test_what_is_exported_counts_more(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "of_services", lambda _: RUNNING)
    environment["PREFECT_API_URL"] = "https://prefect.example/api"
    server.serve(tmp_path)()
    assert environment["PREFECT_API_URL"] == "https://prefect.example/api"
    # A password is told to its own server alone.
    assert "PREFECT_API_AUTH_STRING" not in environment
    assert environment["MLFLOW_TRACKING_PASSWORD"] == "two"


@pytest.mark.usefixtures("environment")
def test_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()

    with pytest.raises(StudyError, match=f"here: .*{tmp_path}/runs"):
        server.serve(tmp_path)


def test_a_password_in_the_address_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://me:word@127.0.0.1:1/api")

    with pytest.raises(StudyError, match=r"http://127\.0\.0\.1:1/api.*AUTH_STRING") as refused:
        try_prefect()
    assert "me:" not in str(refused.value)


def test_who_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    silent = "http://127.0.0.1:1/api"
    monkeypatch.setenv("PREFECT_API_URL", silent)

    with (
        temporary_settings({PREFECT_API_URL: silent, PREFECT_CLIENT_MAX_RETRIES: 0}),
        pytest.raises(StudyError, match=r"no Prefect server .* http://127\.0\.0\.1:1/api "),
    ):
        try_prefect()


def test_who_refuses_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(401)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        with (
            temporary_settings({PREFECT_API_URL: url}),
            pytest.raises(StudyError, match=r"refuses \(401\).*PREFECT_API_AUTH_STRING"),
        ):
            try_prefect()
        other.shutdown()
