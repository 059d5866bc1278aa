"""Where a training stands after an epoch, and its file: whole or not there.

The file is torch's, and read as tensors and plain values only: it runs no code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eifer.affect.weights import State
from eifer.errors import StudyError
from eifer.hashing import sha256_code

Curve = dict[str, float | int | str]

ELSEWHERE = (
    "seeding.py",
    "metrics.py",
    "affect/estimator.py",
    "affect/reproducible.py",
    "affect/weights.py",
)
"""What decides a training's result outside this package, in files of `eifer`."""


@dataclass
class Progress:
    """What a training needs to go on after ``epoch`` finished epochs as if it had never stopped.

    Random numbers need not be kept: each epoch's are drawn from its own sub-seed. ``curves``
    has a row an epoch; ``kept_*`` belong to the second phase's best so far (from 1; 0: none
    yet), whose merit is its validation macro F1 and, between equals, minus its validation loss.
    """

    epoch: int = 0
    network: State = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    curves: list[Curve] = field(default_factory=list)
    kept_epoch: int = 0
    kept_merit: tuple[float, float] = (-1.0, 0.0)
    kept_network: State = field(default_factory=dict)
    kept_logits: Tensor = field(default_factory=lambda: torch.empty(0))


def fingerprint(facts: Mapping[str, Any]) -> str:
    """SHA-256 of ``facts`` (JSON), of the sources and library versions that it follows from.

    A checkpoint of anything else would end in weights that no undisturbed training gives.
    """
    import pytorch_lightning
    import timm

    versions = [torch.__version__, timm.__version__, pytorch_lightning.__version__]
    text = json.dumps([dict(facts), _sources(), versions], sort_keys=True)
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
    content = {name: getattr(progress, name) for name in (f.name for f in fields(progress))}
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            torch.save({"fingerprint": mark, **content}, file)
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
    except FileNotFoundError:
        return None
    # Cut short, or no checkpoint of ours: torch raises a dozen kinds, and training starts anew.
    except Exception:
        return None


def _sources() -> str:
    return sha256_code("models", *ELSEWHERE)
