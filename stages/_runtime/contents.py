"""What a run of MLflow shows of tables and of the record of who made them, in MLflow's forms."""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
import pandas as pd

import eifer.figures
from eifer.code import fingerprint
from eifer.figures.style import drawing, svg
from stages._runtime.mlflow_store import Point


def times(made: Mapping[str, Any]) -> dict[str, int]:
    """When the stage ran: all repetitions of a block have the block's times."""
    if not made:
        return {}
    ended = datetime.fromisoformat(made["finished"]).timestamp()
    return {
        "started_ms": round((ended - made["wall_s"]) * 1000),
        "ended_ms": round(ended * 1000),
    }


def code(made: Mapping[str, Any]) -> dict[str, str]:
    """Of which commit the code was, as tags."""
    if not made:
        return {}
    commit = str(made["git"]["commit"] or "none")
    return {
        "git_commit": commit,
        "git_changed": "yes" if made["git"]["changed"] else "no",
        "mlflow.source.git.commit": commit,
        "mlflow.source.type": "PROJECT",
    }


def given(made: Mapping[str, Any], **wanted: str) -> list[tuple[str, str, str, str]]:
    """The hashed files that a stage read, of those that are wanted by their or a folder's name.

    Of several the first, which is that of the EI groups.
    """
    files: dict[str, tuple[str, str]] = {}
    for path, sha in made.get("given", {}).items():
        for name in (Path(path).stem, Path(path).parent.name):
            if sha:
                files.setdefault(name, (path, sha))
    return [(name, *files[name], use) for name, use in wanted.items() if name in files]


def usage(made: Mapping[str, Any]) -> Iterator[Point]:
    """What the process used, as MLflow names system metrics."""
    used = made.get("usage", {})
    start = times(made).get("started_ms", 0)
    for name, values in used.items():
        for step, (after_s, value) in enumerate(zip(used["after_s"], values, strict=True)):
            if name != "after_s":
                yield f"system/{name}", value, step, start + round(after_s * 1000)


def curve_points(curves: pd.DataFrame) -> Iterator[Point]:
    """What a table says of every epoch; what is missing has no point."""
    values = curves.select_dtypes("number").drop(columns=["epoch", "repetition"])
    for name, column in values.items():
        for epoch, value in zip(curves["epoch"], column, strict=True):
            if pd.notna(value) and math.isfinite(value):
                yield f"curves/{name}", float(value), int(epoch), None


def numbers(named: Mapping[Any, Any]) -> dict[str, float]:
    """Those values that are finite numbers."""
    return {
        _allowed(name): float(value)
        for name, value in named.items()
        if isinstance(value, (int, float, np.number)) and math.isfinite(value)
    }


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Parameters as text, those of parts as ``part.name``."""
    found: dict[str, str] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, (list, tuple)):
            found[_allowed(prefix + name)] = ", ".join(str(part) for part in value)
        else:
            found[_allowed(prefix + name)] = str(value)
    return found


def _allowed(name: str) -> str:
    # What every store of MLflow takes in a name.
    return re.sub(r"[^\w./ -]", "_", name)


def figure(name: str, *tables: pd.DataFrame) -> dict[str, bytes]:
    """The figure of ``eifer.figures`` called ``name``, by its file's name."""
    try:
        draw: Callable[..., Any] = importlib.import_module(f"eifer.figures.{name}").draw
        with drawing():
            return {f"{name}.svg": svg(draw(*tables)[0]).encode()}
    except Exception as error:  # the numbers are worth a run without it
        print(f"{name} could not be drawn ({in_short(error)})", file=sys.stderr)
        return {}


@cache
def drawn() -> str:
    """What follows the code that draws figures: other code may draw others of the same tables."""
    names = [f"eifer.figures.{module.name}" for module in iter_modules(eifer.figures.__path__)]
    return digest(*map(fingerprint, names))


def digest(*parts: object) -> str:
    """32 hexadecimal digits that follow ``parts``."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def in_short(error: Exception) -> str:
    """The kind and the first line of an error."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
