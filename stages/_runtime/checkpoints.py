"""Where a stage's trainings keep their finished epochs until its result lies in its place."""

from __future__ import annotations

import shutil
from pathlib import Path

from stages._runtime.stage import Run

CHECKPOINTS = Path("runs/checkpoints")


def checkpoints(run: Run) -> Path:
    """The folder of this stage instance, cleared away once its output is safe, and not before."""
    folder = CHECKPOINTS / "@".join([run.stage.name, *run.item.values()])
    run.afterwards.append(lambda: shutil.rmtree(folder, ignore_errors=True))
    return folder
