"""The stages of the study, read from dvc.yaml: there is no second list of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from stages._runtime.artifacts import fill
from stages._runtime.params_file import read_params
from stages._runtime.stage import Stage

ROOT = Path(__file__).parents[1]


def declared(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The blocks of dvc.yaml by stage name, in their order."""
    blocks: dict[str, dict[str, Any]] = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    return blocks


def stage_of(name: str) -> Stage:
    """The `Stage` that the module ``stages.<name>`` defines."""
    stage: Stage = getattr(import_module(f"stages.{name}"), name)
    return stage


def folders(study: Path) -> dict[str, list[Path]]:
    """The folder of each instance of every stage, as the params of ``study`` have them.

    What lies beside them in ``data`` is left from other params.
    """
    params = read_params(study / "params.yaml")
    found: dict[str, list[Path]] = {}
    for name, block in declared(study).items():
        matrix = {key: _values(value, params) for key, value in block.get("matrix", {}).items()}
        items = [dict(zip(matrix, row, strict=True)) for row in itertools.product(*matrix.values())]
        found[name] = [
            study / fill(block["outs"][0], {f"item.{key}": str(v) for key, v in item.items()})
            for item in items
        ]
    return found


def _values(value: Any, params: Any) -> Sequence[Any]:
    if not isinstance(value, str):
        return list(value)
    for part in value.removeprefix("${").removesuffix("}").split("."):
        params = params[part]
    return list(params)
