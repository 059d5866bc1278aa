"""The instances of the stages, as DVC resolves them from dvc.yaml."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eifer.cohort.folder import Folder
from eifer.errors import InputError, Problem, StudyError, examples
from stages._runtime.kinds import load_study


@dataclass(frozen=True)
class Instance:
    """A stage with one value of each key of its matrix: DVC runs it, as one task run of Prefect."""

    address: str
    """As DVC names it: ``extract@1``."""
    stage: str
    """As dvc.yaml names it: ``extract``."""
    values: Mapping[str, str] = field(default_factory=dict, hash=False)
    """By key of the stage's matrix or foreach: ``{"wave": "1"}``; empty where there is none."""
    deps: tuple[str, ...] = ()
    """Files and folders it reads, relative to the study."""
    outs: tuple[str, ...] = ()
    """Files and folders it writes, relative to the study."""
    needs: tuple[str, ...] = ()
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


def sound_instances(study: Path) -> dict[str, Instance]:
    """The instances of a study that DVC can look at: it waits for ever at a FIFO, for one.

    Raises
    ------
    InputError
        If a file or folder that no stage makes holds anything that cannot be read, or must
        not be (`Folder.look_through`), or holds the study.
    StudyError
        As `instances`.
    """
    graph = instances(study)
    made = {out for instance in graph.values() for out in instance.outs}
    read = {dep for instance in graph.values() for dep in instance.deps}
    problems = [
        problem
        for name in sorted(read)
        if not under(name, made)
        for problem in _faults(study, name)
    ]
    if problems:
        raise InputError(f"study {study.resolve()}", problems)
    return graph


def _faults(study: Path, name: str) -> list[Problem]:
    path = study / name
    if not path.is_dir():  # of a missing one DVC says so
        folder = Folder(path.parent)
        return [] if not folder.there(path.name) or folder.sound(path.name) else folder.problems
    folder = Folder(path)
    if study.resolve().is_relative_to(folder.real):
        return [Problem("folder that holds the study", name, "give a folder of its own")]
    folder.look_through()
    return [Problem(p.what, f"{name}/{p.where}", p.remedy) for p in folder.problems]


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
    if judges_params(study):
        load_study(study / "params.yaml")


def judges_params(study: Path) -> bool:
    """Whether it is a study of eifer, whose params must fit before DVC reads them."""
    return (study / "stages/params").is_dir()


def repository(study: Path) -> Any:
    """DVC's view of a study; a copy without .git is one too, which DVC must only read."""
    from dvc.repo import Repo  # type: ignore[import-untyped]

    alone = None if (study / ".git").exists() else {"core": {"no_scm": True}}
    return Repo(str(study), config=alone)


def under(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of some places, or lies in one."""
    return any(f"{path}/".startswith(f"{place}/") for place in places)


def meet(one: str, other: str) -> bool:
    """Whether two paths are the same, or one lies in the other."""
    return under(one, [other]) or under(other, [one])


def reach(edges: Mapping[str, Collection[str]], sources: Iterable[str]) -> set[str]:
    """All that edges lead to from some sources, these among them."""
    reached: set[str] = set()
    waiting = list(sources)
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting.extend(edges[name])
    return reached


def behind(graph: Mapping[str, Instance], addresses: Iterable[str]) -> set[str]:
    """These instances, and all that they rest on."""
    return reach({name: instance.needs for name, instance in graph.items()}, addresses)


def _read(study: Path) -> dict[str, Instance]:
    import networkx  # type: ignore[import-untyped]
    from dvc.dependency.param import ParamsDependency  # type: ignore[import-untyped]
    from dvc.stage import PipelineStage  # type: ignore[import-untyped]

    def inside(path: str) -> str:
        return Path(os.path.relpath(path, study)).as_posix()

    def address(stage: PipelineStage) -> str:
        where = inside(stage.path)
        return stage.name if where == "dvc.yaml" else f"{where}:{stage.name}"

    graph: dict[str, Instance] = {}
    with repository(study) as repo:
        stages = repo.index.graph
        for stage in networkx.dfs_postorder_nodes(stages):
            if not isinstance(stage, PipelineStage):
                continue  # data that was added with `dvc add`: nothing to run
            if urls := [str(dep) for dep in stage.deps if dep.protocol != "local"]:
                raise StudyError(f"{address(stage)} reads {examples(urls)}; only folders here are")
            name, _, key = stage.name.partition("@")
            definition = stage.dvcfile.resolver.definitions[name]
            values = definition.normalized_iterable[key] if key else {}
            if not isinstance(values, Mapping):  # of a foreach over plain values
                values = {"item": values}
            graph[address(stage)] = Instance(
                address=address(stage),
                stage=name,
                values={key: str(value) for key, value in values.items()},
                deps=tuple(
                    inside(d.fs_path) for d in stage.deps if not isinstance(d, ParamsDependency)
                ),
                outs=tuple(inside(out.fs_path) for out in stage.outs),
                needs=tuple(
                    address(up) for up in stages.successors(stage) if isinstance(up, PipelineStage)
                ),
            )
    return graph
