"""Brings the study up to date on two nodes: deploys, starts their workers, runs, ends them."""

import os
import subprocess
import sys
from pathlib import Path

os.environ["PREFECT_HOME"] = os.path.abspath("runs/prefect")
os.makedirs("runs/prefect", exist_ok=True)

from flows.servers import services  # noqa: E402

study = Path.cwd()
os.environ["EIFER_CHAOS_RUNS"] = str(study / "runs/toy")  # where clones tell what they executed
remote = study.with_name(f"{study.name}-remote")
Path(".dvc/config.local").write_text(
    f"[core]\n    remote = store\n['remote \"store\"']\n    url = {remote}\n"
)
services.prepare(study, gpus=2)
workers = []
for name in ("one", "two"):
    around = os.environ | {"EIFER_CLONES": str(study.with_name(f"{study.name}-clones") / name)}
    command = [sys.executable, "-m", "prefect", "worker", "start", "--name", f"{study.name} {name}"]
    with Path(f"runs/node-{name}.log").open("a") as log:
        workers.append(
            subprocess.Popen(
                [*command, "--pool", "gpu", "--type", "process", "--limit", "1"],
                env=around,
                stdout=log,
                stderr=log,
            )
        )
eifer = Path(sys.executable).with_name("eifer")
ran = subprocess.run([eifer, "run", "--where", "nodes"], check=False)
for worker in workers:
    worker.terminate()
    worker.wait()
sys.exit(ran.returncode)
