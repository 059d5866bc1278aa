"""``eifer ui``: MLflow's pages on this study's repetitions, until they are ended."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from eifer.errors import StudyError
from flows.servers import server
from flows.servers.addresses import ENVIRONMENT, free_port
from stages._runtime import serving
from stages._runtime.mirror import mirror
from stages._runtime.mlflow_place import answers, uri, without_password
from stages._runtime.pages import show_pages
from stages._runtime.privacy import close_folders, keep_private

HOME = Path("runs/ui")
LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def show(study: Path, port: int | None) -> None:
    """Bring MLflow up to date, print the addresses that compare, and serve them until interrupted.

    With a server named by ``MLFLOW_TRACKING_URI``, that one is used, and none started.

    Raises
    ------
    StudyError
        If nothing was trained yet, the server does not answer, or the port is taken.
    """
    keep_private()
    given, address = set(os.environ), uri()
    shown = without_password(address)
    if not answers(address):
        raise StudyError(f"no answer from {shown}; start that server, or unset MLFLOW_TRACKING_URI")
    done = mirror(study)
    for problem in done.problems:
        print(f"not in MLflow: {problem}", file=sys.stderr)
    if not (done.added or done.unchanged):
        raise StudyError("nothing was trained yet; run `make demo` first")
    if address.startswith("http"):
        show_pages(shown)
        return
    study = study.resolve()
    close_folders(study)
    mlflow = server.mlflow(study, address, free_port(port), study / HOME / "mlflow.log")
    file = study / HOME / ENVIRONMENT
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serving.write_exports(file, {name: os.environ[name] for name in LOGIN if name not in given})
    try:
        with server.started(mlflow):
            server.wait_for(mlflow)
            show_pages(mlflow.health.removesuffix("/health"))
            print(f"The pages ask for the user and password in {file}, which only you can read.")
            print("Ctrl-C ends it.", flush=True)
            assert mlflow.process is not None
            mlflow.process.wait()
    except KeyboardInterrupt:
        print()
    finally:
        file.unlink(missing_ok=True)
