"""Brings the study up to date by its deployment: deploys, starts a worker, runs, waits."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

os.environ["PREFECT_HOME"] = os.path.abspath("runs/prefect")
os.makedirs("runs/prefect", exist_ok=True)

from prefect.deployments import run_deployment  # noqa: E402

from flows.servers import server, services  # noqa: E402

study = Path.cwd()
worker = services.pool_worker(study)
alone = sys.argv[1] == "alone"
services.prepare(study, gpus=1)
worker.log.parent.mkdir(parents=True, exist_ok=True)
if alone:  # as somebody starts it by hand
    with worker.log.open("a") as log:
        process = subprocess.Popen(
            worker.command,
            env={**os.environ, **worker.environment},
            stdout=log,
            stderr=log,
            text=True,
        )
else:  # as `eifer services` keep it
    server.spawn(worker)
    assert worker.process is not None
    process = worker.process
    threading.Thread(target=lambda: os._exit(process.wait() or 1), daemon=True).start()
while True:
    run: Any = run_deployment(
        "study/study", parameters={"at_once": 3}, timeout=None, poll_interval=1
    )
    print(run.state.name, run.state.message, flush=True)
    if not run.state.is_cancelled():  # for the one that died counts as running for a while
        break
    time.sleep(5)
if alone:
    process.terminate()
    process.wait()
os._exit(not run.state.is_completed())
