"""A study of its own beside this one: the same code in another folder, with other params.

DVC keeps one set of outputs for each folder, so a second study (a preset, a real
cohort, a test) gets a folder of its own instead of overwriting the first.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from eifer.errors import ParamsError, StudyError
from flows.git import git
from flows.graph import PACKAGES, ROOT, graph_of
from flows.pages import plots
from stages._runtime.kinds import EI, KINDS, Kind, check_study, kind_of
from stages._runtime.params_file import read_params
from stages._runtime.privacy import close_folders

CODE = (
    *(".dvc", ".dvcignore", ".gitignore", "prefect.yaml"),
    *("eifer", "stages", "flows", "presets", "reports", "studies"),
)
"""What a study needs of this folder, beside the graph of its kind. Its params are a preset's."""
OWN = ("eifer", "stages", "flows")
"""Folders that hold nothing but code, so that what the code no longer has is removed."""


def make_workspace(
    target: Path,
    *,
    preset: Path,
    overrides: Mapping[str, Any] | None = None,
    replace_params: bool = False,
) -> Path:
    """Copy the code to ``target`` and write its params.yaml from ``preset`` with ``overrides``.

    ``overrides`` maps dotted names to values: ``{"study.seed": 7}``. A workspace
    that is there is brought up to date in place, and keeps its data, cache and
    lock, so that only what changed is computed again. Its code is replaced; its
    params only if ``replace_params``. Nothing is written before all is checked.

    Raises
    ------
    StudyError
        If ``target`` holds something that is not a workspace, is the study here or in its code,
        or has other params; if ``preset`` is missing; or if it and ``overrides`` are no valid
        params.
    """
    target = target.resolve()
    _refuse_place(target)
    preset = _located(preset)
    params = params_of(preset, overrides or {})
    written = target / "params.yaml"
    same = written.exists() and _says(written) == params
    if written.exists() and not same and not replace_params:
        raise StudyError(
            f"{written} differs from {preset} and may be the only record of its study, so nothing "
            "was written. Replace it (--replace-params), or give another folder"
        )
    graph = _graph(kind_of(params, str(preset)))
    for name in CODE:
        place = (PACKAGES if name in OWN else ROOT) / name
        if place.is_dir():
            if name in OWN:
                shutil.rmtree(target / name, ignore_errors=True)
            shutil.copytree(place, target / name, ignore=_ignored, dirs_exist_ok=True)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(place, target / name)
    shutil.copy2(graph, target / "dvc.yaml")
    if not same:
        written.write_text(with_comments(preset, overrides or {}, params), encoding="utf-8")
    if not (target / ".git").exists():
        # DVC looks upward for a repository; this one must not be taken for its parent.
        git(target, "init", "--quiet")
    if not git(target, "rev-parse", "--verify", "--quiet", "HEAD", check=False):
        # DVC's experiments and differences need a first commit.
        git(target, "add", "--all")
        known = git(target, "var", "GIT_COMMITTER_IDENT", check=False)
        identity = () if known else ("user.name=eifer", "user.email=eifer@localhost")
        plain = ("commit.gpgsign=false", "core.hooksPath=/dev/null", *identity)
        set_ = [word for setting in plain for word in ("-c", setting)]
        git(target, *set_, "commit", "--quiet", "--message", f"A study, made by {_origin()}")
    plots.prepare(target)
    close_folders(target)
    return target


def _graph(kind: Kind) -> Path:
    """The dvc.yaml of a kind of study; this may itself be a study of another kind."""
    own = ROOT / "params.yaml"
    if kind is KINDS[EI] and own.is_file() and kind_of(_says(own), str(own)) is not kind:
        raise StudyError(
            f"{ROOT} is a study of another kind, and has no graph of the EI study: "
            "call eifer in a clone, or in a study of that kind"
        )
    return graph_of(kind)


def _origin() -> str:
    """The version of eifer, and of a clone its commit."""
    commit = git(ROOT, "rev-parse", "HEAD", check=False) if ROOT == PACKAGES else ""
    return f"eifer {version('eifer')}" + (f", commit {commit}" if commit else "")


def with_comments(preset: Path, overrides: Mapping[str, Any], params: Any) -> str:
    """``params`` as the file ``preset`` writes them: its comments are the reasons of its choices.

    ``overrides`` are those by which ``params`` differ from it, by their dotted names. Their texts
    alone are replaced: what reads and writes the whole file (ruamel, and DVC by it) breaks lists
    into blocks and moves comments.
    """
    text = preset.read_text(encoding="utf-8")
    # Where a preset shares sections (YAML's anchors), one would be lost, or set in all places.
    with suppress(yaml.YAMLError):
        for name, value in overrides.items():
            text = _replaced(text, name, value)
        if yaml.safe_load(text) == params:
            return text
    return str(yaml.safe_dump(params, sort_keys=False))


def _replaced(text: str, name: str, value: Any) -> str:
    """YAML with another value in the place of one, and no other change; as it was without one."""
    node = yaml.compose(text)
    for part in name.split("."):
        inside = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((item for key, item in inside if key.value == part), None)
    if node is None:
        return text
    last = node  # a block itself ends where the next key begins, after the comments between
    while isinstance(last, yaml.CollectionNode) and not last.flow_style and last.value:
        last = last.value[-1][1] if isinstance(last, yaml.MappingNode) else last.value[-1]
    begin, end = node.start_mark.index, last.end_mark.index
    words = yaml.safe_dump(
        value, default_flow_style=True, width=math.inf, sort_keys=False, allow_unicode=True
    )
    before = " " if text[begin - 1] == ":" else ""
    after = "\n" if text[begin:end].endswith("\n") else ""
    return text[:begin] + before + words.removesuffix("...\n").strip() + after + text[end:]


def rewrite(file: Path, overrides: Mapping[str, Any], params: Any) -> None:
    """Have a params file say ``params``, as `with_comments`, wholly or not at all."""
    text = with_comments(file, overrides, params)
    partial = file.with_name(f"{file.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)


def named_values(texts: Sequence[str]) -> dict[str, Any]:
    """Params by their dotted names, of texts such as ``study.seed=7``; the values are YAML.

    Raises
    ------
    StudyError
        If a text is not of that form.
    """
    values = {}
    for text in texts:
        name, given, value = text.partition("=")
        try:
            values[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            given = ""
        if not (name and given):
            raise StudyError(f"--set {text}: give NAME=VALUE, such as study.seed=7")
    return values


def relative(path: Path, workspace: Path) -> str:
    """``path`` as a study in ``workspace`` names it in its params: never like a URL."""
    path_from = os.path.relpath(path.resolve(), workspace.resolve())
    return f"./{path_from}" if ":" in path_from.split("/")[0] else path_from


def _refuse_place(target: Path) -> None:
    if target == ROOT:
        raise StudyError(f"{target} is the study that is to be copied; give another folder")
    for name in CODE:
        if target.is_relative_to(ROOT / name) or ROOT.is_relative_to(target / name):
            raise StudyError(f"{target} and {ROOT}: one is in the code of the other")
    if target.exists() and not target.is_dir():
        raise StudyError(f"{target} is not a folder; give another")
    study = (target / "stages/_runtime/stage.py").is_file()
    if target.exists() and any(target.iterdir()) and not study:
        raise StudyError(f"{target} is not empty and not a study; give another folder")


def _located(preset: Path) -> Path:
    """A preset by its name, wherever eifer is called."""
    known = preset.parts[:1] == ("presets",) and not preset.exists()
    return ROOT / preset if known else preset


def params_of(preset: Path, overrides: Mapping[str, Any]) -> Any:
    """The params of a preset with other values under dotted names (``study.seed``).

    Raises
    ------
    StudyError
        If the preset is missing, or it and ``overrides`` are no valid params.
    """
    preset = _located(preset)
    params = read_params(preset)
    check_study(params, str(preset))
    for name, value in overrides.items():
        *parents, key = name.split(".")
        section = params
        for parent in parents:
            if not isinstance(section.get(parent), dict):
                raise StudyError(f"{preset} has no section for {name}")
            section = section[parent]
        section[key] = value
    check_study(params, f"{preset} with {', '.join(overrides)}")
    return params


def _says(params: Path) -> Any:
    try:
        return read_params(params)
    except ParamsError:
        return None


def _ignored(folder: str, names: list[str]) -> set[str]:
    all_ignored = {
        ".dvc": {"cache", "tmp", "config.local"},
        "flows": {"study"},
    }
    own = all_ignored.get(Path(folder).name, set())
    return own.union({"__pycache__"}).intersection(names)
