"""Prefect's and MLflow's servers for all rounds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from flows.run.supervise import supervised
from flows.servers.addresses import answers, free_port

PATIENCE_S = 900.0


class Servers:
    """One Prefect and one MLflow server for all rounds, of which MLflow's is killed at times."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.prefect_url, self.mlflow_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        words = ["server", "start"]
        self.prefect = self._start("prefect", self.prefect_url + "/api/health", words, {})
        self.mlflow = self._start_mlflow()

    def _start_mlflow(self) -> subprocess.Popen[str]:
        settings = {
            "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{self.home}/mlflow.db",
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": (self.home / "mlartifacts").as_uri(),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        words = ["server", "--workers", "1", "--no-serve-artifacts"]
        return self._start("mlflow", self.mlflow_url + "/health", words, settings)

    def _start(
        self, tool: str, health: str, words: list[str], settings: dict[str, str]
    ) -> subprocess.Popen[str]:
        port = str(urlsplit(health).port)
        with (self.home / f"{tool}.log").open("a") as log:
            server = supervised(
                [sys.executable, "-m", tool, *words, "--host", "127.0.0.1", "--port", port],
                cwd=self.home,
                env=os.environ | {"PREFECT_HOME": str(self.home / "prefect")} | settings,
                to=log,
            )
        deadline = time.monotonic() + PATIENCE_S
        while not answers(health):
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"no {tool} server came up: see {self.home}/{tool}.log")
            time.sleep(0.2)
        return server

    def mend(self) -> None:
        """Start MLflow again where it was killed."""
        if self.mlflow.poll() is not None:
            self.mlflow = self._start_mlflow()

    def stop(self) -> None:
        """End both."""
        for one in (self.prefect, self.mlflow):
            one.terminate()
            one.wait()
