"""``eifer ui``: MLflow's pages on this study's repetitions, until they are ended."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from eifer.errors import StudyError
from flows.servers import server
from flows.servers.addresses import ENVIRONMENT, free_port
from stages._runtime import serving, tracking
from stages._runtime.privacy import close_folders, keep_private

HOME = Path("runs/ui")
LOGIN = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")


def show(study: Path, port: int | None) -> None:
    """Print the addresses that compare the repetitions, and serve them until interrupted.

    With a server named by ``MLFLOW_TRACKING_URI``, only the addresses are printed.

    Raises
    ------
    StudyError
        If nothing was recorded yet, the server does not answer, or the port is taken.
    """
    keep_private()
    given, uri = set(os.environ), tracking.uri()
    if uri.startswith("http"):
        shown = tracking.without_password(uri)
        if not tracking.answers(uri):
            raise StudyError(
                f"no answer from {shown}; start that server, or unset MLFLOW_TRACKING_URI"
            )
        tracking.show_pages(shown)
        return
    if uri == tracking.own_uri() and not tracking.DATABASE.exists():
        raise StudyError("no repetition was recorded yet; run `make demo` first")
    study = study.resolve()
    close_folders(study)
    mlflow = server.mlflow(study, uri, free_port(port), study / HOME / "mlflow.log")
    file = study / HOME / ENVIRONMENT
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    serving.tell(file, {name: os.environ[name] for name in LOGIN if name not in given})
    try:
        with server.started(mlflow):
            server.wait_for(mlflow)
            tracking.show_pages(mlflow.health.removesuffix("/health"))
            print(f"The pages ask for the user and password in {file}, which only you can read.")
            print("Ctrl-C ends it.", flush=True)
            assert mlflow.process is not None
            mlflow.process.wait()
    except KeyboardInterrupt:
        print()
    finally:
        file.unlink(missing_ok=True)
