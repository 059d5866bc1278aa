"""Secrets come from the environment and go nowhere: planted ones are looked for afterwards."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from eifer.errors import StudyError
from flows.graph import ROOT
from flows.nodes import snapshot
from flows.servers.addresses import refuse_password, without_password
from tests.watched import tool

SECRET = "planted-7d1f-secret"
NAMES = (
    *("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_SERVER_API_AUTH_STRING"),
    *("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> str:
    for name in NAMES:
        monkeypatch.setenv(name, f"{SECRET}-{name}")
    return SECRET


def holding(folder: Path, secret: str) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and secret.encode() in p.read_bytes()]


@pytest.mark.xdist_group("prefect")
def test_a_run_writes_no_secret(
    fresh: Path, server: str, client: Any, planted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId
    from prefect.settings import PREFECT_API_AUTH_STRING

    from stages._runtime import provenance

    login = PREFECT_API_AUTH_STRING.value()
    known = {"PREFECT_API_URL": server, "PREFECT_API_AUTH_STRING": login}
    monkeypatch.delenv("PREFECT_API_KEY")  # Prefect would send it instead

    # A stage that fails says most: its last words are kept.
    (fresh / "told/intake").write_text("raise SystemExit('does not add up')")

    words = ("run", "--keep-going", "--only=affect", "--only=intake")
    known |= {"PREFECT_LOGGING_LEVEL": "INFO"}
    done = tool("eifer", *words, cwd=fresh, env=os.environ | known, together=True)
    monkeypatch.chdir(fresh)
    record = provenance.record(
        "affect", {}, 0.0, [], fresh / "data/affect", {}, module="stages.affect"
    )

    assert json.loads(record.read_text())["stage"] == "affect"
    assert (fresh / "dvc.lock").exists()
    assert holding(fresh, planted) == holding(fresh, login) == []
    run = UUID(re.findall(r"/flow-run/(\S+)", done.stdout)[0])
    logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])))
    told = client.read_flow_run(run).model_dump_json()
    lines = "\n".join(line.message for line in logs)
    assert "2 of 2 instances to run" in lines
    assert "does not add up" in told
    assert planted not in told + lines + done.stdout
    assert login not in told + lines + done.stdout


def test_a_snapshot_with_a_secret_is_refused_and_says_where(fresh: Path, planted: str) -> None:
    (fresh / "notes.txt").write_text(f"key = {planted}-AWS_SECRET_ACCESS_KEY\n")

    with pytest.raises(StudyError, match=r"notes\.txt \(AWS_SECRET_ACCESS_KEY\)") as refused:
        snapshot.take(fresh)
    assert planted not in str(refused.value)

    (fresh / ".gitignore").write_text((fresh / ".gitignore").read_text() + "/notes.txt\n")
    commit = snapshot.take(fresh)
    bundle = subprocess.run(
        ["git", "archive", commit], cwd=fresh, check=True, capture_output=True
    ).stdout
    assert b"step.py" in bundle
    assert planted.encode() not in bundle


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("https://me:word@mlflow.example:5000/x", "https://mlflow.example:5000/x"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("runs/prefect", "runs/prefect"),
    ],
)
def test_an_address_is_told_without_its_password(uri: str, told: str) -> None:
    assert without_password(uri) == told


@pytest.mark.parametrize("address", ["https://me:word@x.example/d", "https://token@x.example/d"])
def test_an_address_with_a_password_goes_nowhere(address: str) -> None:
    refuse_password("the store", "git@x.example:study.git")

    with pytest.raises(StudyError, match="the store holds a password") as refused:
        refuse_password("the store", address)
    assert "word" not in str(refused.value).replace("password", "")


def test_no_file_of_ours_sets_a_secret() -> None:
    files = [ROOT / "prefect.yaml", ROOT / "Makefile", *(ROOT / "flows").rglob("*.json")]
    texts = {path: path.read_text() for path in files}

    assert len(texts) >= 3
    for path, text in texts.items():
        for name in NAMES:
            assert f"{name}=" not in text, path
            assert f"{name}: " not in text, path
