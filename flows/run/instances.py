"""The instances of the stages and what each waits for, as DVC resolves them from dvc.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eifer.errors import StudyError, examples
from stages.params import load_params


@dataclass(frozen=True)
class Instance:
    """One stage with one item of its matrix: what DVC runs, and Prefect sees as a task run."""

    address: str
    """As DVC names it: ``extract@1``."""
    stage: str
    """As dvc.yaml names it: ``extract``."""
    item: Mapping[str, str] = field(hash=False)
    """Its values of the stage's matrix or foreach: ``{"wave": "1"}``; empty where there is none."""
    cmd: str
    deps: tuple[str, ...]
    """Files and folders it reads, relative to the study."""
    outs: tuple[str, ...]
    """Files and folders it writes, relative to the study."""
    needs: tuple[str, ...]
    """Addresses of the instances whose output it reads."""


def instances(study: Path) -> dict[str, Instance]:
    """Every instance of the study by its address, in the order of ``dvc repro``.

    Read by one short-lived ``dvc.repo.Repo``: threads must not share one.

    Raises
    ------
    StudyError
        If there is no study, or DVC cannot read it.
    """
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]

    refuse_elsewhere(study)
    try:
        return _read(study.resolve())
    except DvcException as error:
        raise StudyError(f"{error}; `dvc status` says more") from None


def refuse_elsewhere(study: Path) -> None:
    """Refuse a folder that is no study, before anything is made in it or DVC reads its params.

    DVC makes commands and paths of params.yaml, and deletes what lies at those paths.

    Raises
    ------
    StudyError
        If it is not the top of a DVC repository, or if it is a study of eifer whose params do
        not fit.
    """
    if not (study / ".dvc").is_dir():
        raise StudyError(
            f"{study.resolve()} is no study: it has no .dvc. Go to the top folder of one, "
            "or make one with `eifer workspace`"
        )
    if (study / "stages/params.py").is_file():
        load_params(study / "params.yaml")


def _read(study: Path) -> dict[str, Instance]:
    import networkx  # type: ignore[import-untyped]
    from dvc.dependency.param import ParamsDependency  # type: ignore[import-untyped]
    from dvc.repo import Repo  # type: ignore[import-untyped]
    from dvc.stage import PipelineStage  # type: ignore[import-untyped]

    def inside(path: str) -> str:
        return Path(os.path.relpath(path, study)).as_posix()

    def address(stage: PipelineStage) -> str:
        where = inside(stage.path)
        return stage.name if where == "dvc.yaml" else f"{where}:{stage.name}"

    found: dict[str, Instance] = {}
    with Repo(str(study)) as repo:
        graph = repo.index.graph
        for stage in networkx.dfs_postorder_nodes(graph):
            if not isinstance(stage, PipelineStage):
                continue  # data that was added with `dvc add`: nothing to run
            if urls := [str(dep) for dep in stage.deps if dep.protocol != "local"]:
                raise StudyError(f"{address(stage)} reads {examples(urls)}; only folders here are")
            name, _, key = stage.name.partition("@")
            item = stage.dvcfile.resolver.definitions[name].normalized_iterable[key] if key else {}
            if not isinstance(item, Mapping):  # of a foreach over plain values
                item = {"item": item}
            found[address(stage)] = Instance(
                address=address(stage),
                stage=name,
                item={k: str(value) for k, value in item.items()},
                cmd=stage.cmd if isinstance(stage.cmd, str) else "\n".join(stage.cmd),
                deps=tuple(
                    inside(d.fs_path) for d in stage.deps if not isinstance(d, ParamsDependency)
                ),
                outs=tuple(inside(out.fs_path) for out in stage.outs),
                needs=tuple(
                    address(up) for up in graph.successors(stage) if isinstance(up, PipelineStage)
                ),
            )
    return found
