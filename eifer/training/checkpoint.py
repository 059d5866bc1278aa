"""Where a training stands after an epoch, and its file: whole or not there.

The file is torch's, and read as tensors and plain values only: it runs no code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eifer.errors import StudyError
from eifer.hashing import sha256_code
from eifer.training.weights import State

Curve = dict[str, float | int | str]

CODE = ("training", "affect", "models", "corpora/recipes.py", "seeding.py", "metrics.py")
"""What decides a training's result, in packages and files of `eifer`."""


@dataclass
class Progress:
    """What a training needs to go on after ``epoch`` finished epochs as if it had never stopped.

    Random numbers need not be kept: each epoch's are drawn from its own sub-seed. ``curves``
    has a row an epoch; ``kept_*`` belong to the best so far that may be kept (from 1; 0: none yet),
    with its outputs for the validation items by head.
    """

    epoch: int = 0
    network: State = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    kept_epoch: int = 0
    kept_merit: tuple[float, ...] = ()
    kept_network: State = field(default_factory=dict)
    kept_outputs: State = field(default_factory=dict)


def fingerprint(facts: Mapping[str, Any]) -> str:
    """SHA-256 of ``facts`` (JSON), of sources, library versions and the CPU's kernels.

    A checkpoint of anything else would end in weights that no undisturbed training gives.
    """
    import pytorch_lightning
    import timm

    versions = [torch.__version__, timm.__version__, pytorch_lightning.__version__]
    versions.append(torch.backends.cpu.get_cpu_capability())
    text = json.dumps([dict(facts), sha256_code(*CODE), versions], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of weights by name: it follows their values, not the file they are in."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def write_checkpoint(path: Path, progress: Progress, mark: str) -> None:
    """Write where training stands, in the place of the file before.

    Raises
    ------
    StudyError
        If it cannot be written (a full disk): the file before stays as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            torch.save({"fingerprint": mark, **vars(progress)}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    # torch reports a write that failed as a RuntimeError of its own.
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise StudyError(
            f"checkpoint {path}: cannot be written ({str(error).splitlines()[0]}). Make room or "
            "mend the folder, and start again: it goes on after the last epoch written."
        ) from error


def read_checkpoint(path: Path, mark: str) -> Progress | None:
    """Where training stood, or None without a whole checkpoint of this very training."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("fingerprint") != mark:
            return None
        return Progress(**content)
    # Absent, cut short, or none of ours: torch raises a dozen kinds, and training starts anew.
    except Exception:
        return None
