"""The stages of the study, read from dvc.yaml: there is no second list of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

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
