"""Which Prefect server a run talks to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flows import server, services

RUNNING = {"PREFECT_API_URL": "http://127.0.0.1:1/api", "MLFLOW_TRACKING_URI": "http://127.0.0.1:2"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the code takes for the environment, without any server in it."""
    mine = {name: value for name, value in os.environ.items() if name not in RUNNING}
    monkeypatch.setattr(os, "environ", mine)
    monkeypatch.setattr(server, "supervised", lambda *_, **__: pytest.fail("started a server"))
    return mine


def test_services_that_run_in_the_study_are_used_without_being_exported(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "addresses", {tmp_path: RUNNING}.__getitem__)
    server.serve(tmp_path)()
    assert environment.items() >= RUNNING.items()


def test_what_is_exported_counts_more(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "addresses", lambda _: RUNNING)
    environment["PREFECT_API_URL"] = "https://prefect.example/api"
    server.serve(tmp_path)()
    assert environment["PREFECT_API_URL"] == "https://prefect.example/api"
