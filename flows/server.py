"""A Prefect server for one run, where none is given: on loopback, its database in the study."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eifer.errors import StudyError
from flows import services
from flows.addresses import answers, free_port, try_prefect
from flows.executors.supervise import supervised
from stages._runtime.privacy import no_telemetry

PATIENCE_S = 120.0


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
    no_telemetry()
    for name, value in services.addresses(study.resolve()).items():
        os.environ.setdefault(name, value)
    # Never the profile or the database of the user's home.
    home = (study / "runs/prefect").resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"Prefect keeps its settings and database here: {error}") from None
    os.environ.setdefault("PREFECT_HOME", str(home))
    os.environ["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] = "false"
    if "PREFECT_API_URL" in os.environ:
        try_prefect()
        return lambda: None
    # Ours does not come back once it is gone: give up after 6 s, not after a minute for each call.
    os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "2")
    port = free_port()
    said = home / "server.log"
    with said.open("w") as log:
        server = supervised(
            [
                *(sys.executable, "-m", "prefect", "server", "start"),
                *("--host", "127.0.0.1", "--port", str(port)),
            ],
            cwd=home,
            env=os.environ,
            to=log,
        )
    stop = atexit.register(partial(_stop, server))
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    import flows.study  # noqa: F401  with prefect: seconds, in which the server starts

    _wait(server, f"http://127.0.0.1:{port}/api/health", said)
    return stop


def _stop(server: subprocess.Popen[str]) -> None:
    server.terminate()
    server.wait()


def _wait(server: subprocess.Popen[str], url: str, said: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while server.poll() is None and time.monotonic() < deadline:
        if answers(url):
            return
        time.sleep(0.1)
    last = "\n".join(said.read_text().splitlines()[-5:])
    raise StudyError(f"no Prefect server came up ({said}):\n{last}")
