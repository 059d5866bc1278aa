"""``eifer page``: a page of this machine alone that reads videos, until Ctrl-C."""

from __future__ import annotations

import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import socket
from types import FrameType

from eifer.errors import StudyError
from eifer.faces import assets
from eifer.video.files import shown
from flows.locks import held
from flows.servers.addresses import LOCK, LOOPBACK, free_port
from flows.servers.page.jobs import Jobs, Settings
from stages._runtime.serving import new_password

USUAL_PORT = 8765
CLOSED = 0o700


def run(port: int | None, folder: Path | None, settings: Settings) -> None:
    """Serve the page, and read what it is given, until Ctrl-C or SIGTERM.

    Raises
    ------
    StudyError
        If the port, a folder, a model file or the estimator cannot be had.
    """
    import uvicorn

    from flows.servers.page.app import application

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"The page: http://{host}/?key={key}")
            print("Who has this address can see what is read. Ctrl-C ends it.", flush=True)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Streams of events end by themselves; that others are cut off is no error.
            jobs.stopping = True
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            super().handle_exit(sig, frame)

    settings.chosen()
    for asset in assets.READING:
        assets.locate(asset)
    if none := [path for path in settings.allow if not Path(path).is_dir()]:
        raise StudyError(f"--allow wants folders that are there, not {', '.join(map(shown, none))}")
    for end_signal in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(end_signal, lambda *_: sys.exit(0))
    with ExitStack() as end, suppress(KeyboardInterrupt):
        place = end.enter_context(_private(folder))
        jobs = Jobs(place, settings)
        key, host = new_password(), f"{LOOPBACK}:{free_port(port, usual=USUAL_PORT)}"
        config = uvicorn.Config(
            application(jobs, key=key, host=host),
            host=LOOPBACK,
            port=int(host.rpartition(":")[2]),
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=1,
        )
        end.callback(jobs.stop)
        jobs.start()
        Server(config).run()


@contextmanager
def _private(folder: Path | None) -> Iterator[Path]:
    """The folder of the jobs, which only its owner can enter; one of its own leaves nothing."""
    if folder is None:
        place = Path(tempfile.mkdtemp(prefix="eifer-page-"))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)
        return
    folder.mkdir(mode=CLOSED, parents=True, exist_ok=True)
    if folder.stat().st_mode & ~CLOSED & 0o777:
        raise StudyError(
            f"others may enter {folder}, where faces would lie: give a new folder, or close it: "
            f"chmod 700 {folder}"
        )
    with held(folder / LOCK) as lock:
        if lock is None:
            raise StudyError(f"another page works in {folder}; end it, or give another --folder")
        yield folder.resolve()
