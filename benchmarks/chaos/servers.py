"""Prefect's and MLflow's servers for all rounds."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from flows.servers.addresses import LOOPBACK, free_port
from flows.servers.server import Service, python, spawn, stop, wait_for

PATIENCE_S = 900.0


class Servers:
    """One Prefect and one MLflow server for all rounds, of which MLflow's is killed at times."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.prefect = self._start("prefect", "/api/health", ["server", "start"], {})
        words = ["server", "--workers", "1", "--no-serve-artifacts"]
        settings = {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{home}/mlflow.db",
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": (home / "mlartifacts").as_uri(),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        self.mlflow = self._start("mlflow", "/health", words, settings)
        self.prefect_url = self.prefect.health.removesuffix("/api/health")
        self.mlflow_url = self.mlflow.health.removesuffix("/health")

    def _start(self, tool: str, health: str, words: list[str], settings: dict[str, str]) -> Service:
        url = f"http://{LOOPBACK}:{free_port()}"
        command = python(tool, *words, "--host", LOOPBACK, "--port", str(urlsplit(url).port))
        environment = {"PREFECT_HOME": str(self.home / "prefect"), **settings}
        log = self.home / f"{tool}.log"
        service = Service(tool, command, url + health, environment, self.home, log)
        spawn(service)
        wait_for(service)
        return service

    def mend(self) -> None:
        """Start MLflow again where it was killed."""
        assert self.mlflow.process is not None
        if self.mlflow.process.poll() is not None:
            spawn(self.mlflow)
            wait_for(self.mlflow)

    def stop(self) -> None:
        """End both."""
        stop(self.prefect, self.mlflow)
