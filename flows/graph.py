"""The stages of the study, read from dvc.yaml: there is no second list of them."""

from __future__ import annotations

import itertools
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from stages._runtime.kinds import Kind
from stages._runtime.params_file import read_params
from stages._runtime.stage import Stage

PACKAGES = Path(__file__).resolve().parents[1]
"""Where eifer, stages and flows lie."""
ROOT = PACKAGES if (PACKAGES / "dvc.yaml").is_file() else PACKAGES / "flows/study"
"""What else a study is made of: a clone, or what a wheel brings inside flows (pyproject.toml)."""


def declared(root: Path = ROOT) -> dict[str, dict[str, Any]]:
    """The blocks of a graph by stage name, in their order; of a study's folder, its dvc.yaml."""
    graph = root / "dvc.yaml" if root.is_dir() else root
    blocks: dict[str, dict[str, Any]] = yaml.safe_load(graph.read_text())["stages"]
    return blocks


def graph_of(kind: Kind) -> Path:
    """The graph of a kind of study, here."""
    return ROOT / kind.graph


def stage_of(name: str, root: Path = ROOT) -> Stage:
    """The `Stage` of that name, which the last word of its command in dvc.yaml defines."""
    module = declared(root)[name]["cmd"].split()[-1]
    stage: Stage = getattr(import_module(module), name)
    return stage


def folders(study: Path) -> dict[str, list[Path]]:
    """The folder of each instance of every stage, as the params of ``study`` have them.

    What lies beside them in ``data`` is left from other params.
    """
    from dvc.parsing.context import Context  # type: ignore[import-untyped]

    params = Context(read_params(study / "params.yaml"))
    places: dict[str, list[Path]] = {}
    for name, block in declared(study).items():
        matrix = params.resolve(block.get("matrix", {}))
        places[name] = []
        for values in itertools.product(*matrix.values()):
            with params.set_temporarily({"item": dict(zip(matrix, values, strict=True))}):
                places[name].append(study / params.resolve(block["outs"][0]))
    return places
