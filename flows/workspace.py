"""A study of its own beside this one: the same code in another folder, with other params.

DVC keeps one set of outputs for each folder, so a second study (a preset, a real
cohort, a test) gets a folder of its own instead of overwriting the first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from eifer.errors import StudyError
from flows.graph import ROOT

CODE = (
    *(".dvc", ".dvcignore", ".gitignore", "dvc.yaml"),
    *("eifer", "stages", "flows", "presets", "reports"),
)
"""What a study needs of this folder. Its params come from a preset."""


def make_workspace(
    target: Path,
    *,
    preset: Path,
    overrides: Mapping[str, Any] | None = None,
    source: Path = ROOT,
) -> Path:
    """Copy the code to ``target`` and write its params.yaml from ``preset`` with ``overrides``.

    ``overrides`` maps dotted names to values: ``{"study.seed": 7}``. A workspace
    that is there is brought up to date in place, and keeps its data, cache and
    lock, so that only what changed is computed again.

    Raises
    ------
    StudyError
        If ``target`` holds something that is not a workspace, or an override names no section.
    """
    target = target.resolve()
    if target.exists() and any(target.iterdir()) and not (target / "dvc.yaml").exists():
        raise StudyError(f"{target} is not empty and not a study; give another folder")
    for name in CODE:
        if (source / name).is_dir():
            shutil.rmtree(target / name, ignore_errors=True) if name != ".dvc" else None
            shutil.copytree(source / name, target / name, ignore=_ignored, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)
    params = yaml.safe_load(preset.read_text())
    for name, value in (overrides or {}).items():
        *parents, key = name.split(".")
        section = params
        for parent in parents:
            if not isinstance(section.get(parent), dict):
                raise StudyError(f"{preset} has no section for {name}")
            section = section[parent]
        section[key] = value
    (target / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    if not (target / ".git").exists():
        # DVC looks upward for a repository; this one must not be taken for its parent.
        subprocess.run(["git", "init", "--quiet", str(target)], check=True)
    return target


def relative(path: Path, workspace: Path) -> str:
    """``path`` as a study in ``workspace`` names it in its params."""
    return os.path.relpath(path.resolve(), workspace.resolve())


def _ignored(folder: str, names: list[str]) -> set[str]:
    private = {"cache", "tmp", "config.local"} if Path(folder).name == ".dvc" else set()
    return {name for name in names if name == "__pycache__" or name in private}
