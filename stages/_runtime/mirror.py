"""MLflow as a picture of what stages left: `mirror` adds what is missing, and nothing twice.

Nothing else of the project writes to MLflow; what a run shows is said in `records`.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd
import yaml

from eifer.designs import EI
from eifer.tables.training import REPETITIONS
from stages._runtime.contents import in_short
from stages._runtime.mlflow_place import LOCK, TRAINED, all_shown
from stages._runtime.mlflow_store import Store
from stages._runtime.records import APART, Output, key, model_name, outputs

LOCK_WAIT_S = 30.0


@dataclass(frozen=True)
class Counts:
    """What `mirror` did: runs that now have more, runs that had all, and what went wrong."""

    added: int = 0
    unchanged: int = 0
    problems: tuple[str, ...] = ()


def mirror(study: Path, only: Collection[str] | None = None) -> Counts:
    """Bring MLflow up to what lies in ``study``, the current folder; safe beside other calls.

    ``only`` are addresses of instances, as DVC names them (``extract@1``), to be looked at; None:
    all. A node knows only of its own that they are of now. Problems are told and not raised: the
    next call adds what is missing still.
    """
    try:
        shown = all_shown(study)  # now: stages go on, and mlflow changes the environment
        chosen = [output for output in outputs(study) if only is None or output.address in only]
        if not chosen:
            return Counts()
        with _locked(study / LOCK) as lock:
            done = _mirror(study, chosen, whole=only is None)
            if only is None and not done.problems:
                lock.write(shown)
            return done
    except Exception as error:
        return Counts(problems=(in_short(error),))


def _mirror(study: Path, chosen: Sequence[Output], *, whole: bool) -> Counts:
    added, unchanged, problems = 0, 0, list[str]()
    current: dict[str, str] = {}
    name = str(yaml.safe_load((study / "params.yaml").read_text())["study"]["name"])
    store = Store(name)
    for output in chosen:
        if not output.folder.exists():  # its stage runs again, and the next call looks at it
            continue
        try:
            for record in output.records(name):
                if record.kind != "evaluation":
                    current[record.slot] = record.key
                if store.put(record):
                    added += 1
                else:
                    unchanged += 1
        except Exception as error:  # half restored, half uploaded: the others are not held up
            problems.append(f"{output.address}: {in_short(error)}")
    store.supersede(current)
    if whole and not problems:
        for model, row in _best(chosen).items():
            store.register(re.sub("[/:]", "_", f"{name} {model}"), key(name, row))
    return Counts(added, unchanged, tuple(problems[:5]))


def _best(chosen: Sequence[Output]) -> dict[str, Any]:
    """Of each task and group the repetition of best macro F1 on validation."""
    tables = [output.trained() for output in chosen if (output.folder / TRAINED).exists()]
    rows = pd.concat([REPETITIONS.empty().assign(network=""), *tables]).sort_values(
        ["validation_macro_f1", "repetition"], ascending=[False, True]
    )
    compared = ~rows["stage"].isin(APART) & (rows["assignment"] == EI)
    final = rows[compared].drop_duplicates(["task", "training_group"])
    return {model_name(row): row for row in final.to_dict("records")}


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[IO[str]]:
    """One mirror at a time in a study; a process that dies lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        deadline = time.monotonic() + LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"another process has held {path} for too long") from None
                time.sleep(0.05)
        file.truncate(0)
        yield file
