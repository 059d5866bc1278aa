"""``eifer run --experiment``: what ``dvc exp run`` does, but computed by the flow."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

from eifer.errors import ParamsError, Problem, StudyError, describe, did_you_mean
from flows.locks import without_flow
from flows.run.instances import judges_params, refuse_elsewhere
from flows.workspace import rewrite
from stages._runtime.kinds import check_study
from stages._runtime.params_file import read_params

PARAMS = "params.yaml"
LOCK = "dvc.lock"
FORM = "give NAME=VALUE, one value of one parameter, such as stats.alpha=0.01"


@contextmanager
def experiment(study: Path, name: str, changes: Sequence[str]) -> Iterator[None]:
    """Save as DVC's experiment ``name`` what a run in the block computes with ``changes``.

    ``changes`` are texts such as ``stats.alpha=0.01``, as ``dvc exp run -S`` has them; they are
    written into params.yaml first, and stay there. A block that fails saves nothing.

    Raises
    ------
    StudyError
        Before anything is written: if the study has no commit, the name is taken or none that
        git takes, a change names no parameter or has a value that does not fit, or a flow runs.
        At the end: if DVC cannot save it.
    """
    from dvc.exceptions import DvcException  # type: ignore[import-untyped]
    from dvc.repo import Repo  # type: ignore[import-untyped]
    from scmrepo.exceptions import SCMError

    refuse_elsewhere(study)
    back = _way_back(study, name)
    values, params = changed(study, changes)
    if values:
        with without_flow(study):
            rewrite(study / PARAMS, values, params)
    try:
        yield
    except BaseException:
        print(
            f"nothing was saved as experiment {name}. To go on: the same command; {back}",
            file=sys.stderr,
        )
        raise
    try:
        with chdir(study), Repo() as repo:
            repo.experiments.save(name=name)
    except (DvcException, SCMError) as error:
        raise StudyError(f"all is up to date, but not saved as {name}: {error}") from None
    print(
        f"saved as experiment {name}, and the study stays at it: dvc exp show --only-changed, "
        f"dvc metrics diff, dvc plots diff; {back}"
    )


def changed(study: Path, changes: Sequence[str]) -> tuple[dict[str, Any], Any]:
    """The values that ``changes`` give, by their dotted names, and the study's params with them.

    Raises
    ------
    ParamsError
        With every change that is none of one value for a parameter of the study, and every value
        that does not fit.
    """
    from dvc.exceptions import DvcException
    from dvc.utils.cli_parse import to_path_overrides  # type: ignore[import-untyped]
    from dvc.utils.hydra import to_hydra_overrides  # type: ignore[import-untyped]
    from hydra.core.override_parser.types import OverrideType
    from hydra.errors import HydraException

    params = read_params(study / PARAMS)
    known = dict(_places(params))
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for change in changes:
        try:
            ((path, texts),) = to_path_overrides([change]).items()
            (parsed,) = to_hydra_overrides(texts)
        except (HydraException, DvcException):
            problems.append(Problem("not NAME=VALUE", change, FORM))
            continue
        name = parsed.key_or_group
        if path != PARAMS or parsed.type is not OverrideType.CHANGE or parsed.is_sweep_override():
            problems.append(Problem("no change of one parameter", change, FORM))
        elif name not in known:
            hint = did_you_mean(name, known)
            problems.append(Problem("unknown parameter", name + hint, f"{PARAMS} has them all"))
        else:
            section, key = known[name]
            section[key] = values[name] = parsed.value()
    faults = [describe("-S", problems)] if problems else []
    try:
        if judges_params(study):
            check_study(params, f"{PARAMS} with -S")
    except ParamsError as error:
        faults.append(str(error))
    if faults:
        raise ParamsError("\n".join(faults))
    return values, params


def _places(section: Any, before: str = "") -> Iterator[tuple[str, tuple[Any, str]]]:
    """The section and the key in it of every parameter, by its dotted name."""
    for key, value in section.items():
        yield before + key, (section, key)
        if isinstance(value, Mapping):
            yield from _places(value, f"{before}{key}.")


def _way_back(study: Path, name: str) -> str:
    """How to return from an experiment ``name`` of the study's commit, if there may be one."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from dvc.repo.experiments.refs import ExpRefInfo  # type: ignore[import-untyped]
    from dvc.repo.experiments.utils import check_ref_format  # type: ignore[import-untyped]

    if not name:
        raise StudyError("--experiment: give it a name")
    if not (study / ".git").exists():
        raise StudyError(f"{study.resolve()} is no git repository, which an experiment needs")
    try:
        with Repo(str(study)) as repo:
            scm = repo.experiments.scm
            ref = ExpRefInfo(baseline_sha=scm.get_rev(), name=name)
            check_ref_format(scm, ref)
            taken = scm.get_ref(str(ref))
            recorded = scm.get_fs("HEAD").exists(LOCK)
    except DvcException as error:
        raise StudyError(f"--experiment {name}: {error}") from None
    if taken:
        raise StudyError(
            f"experiment {name} is there already: give another name, or dvc exp remove {name}"
        )
    if recorded:
        return f"back to the commit: git checkout HEAD -- {PARAMS} {LOCK} && dvc checkout"
    return (
        f"back to the commit, which has no {LOCK} (commit it, and DVC compares with its results): "
        f"git checkout HEAD -- {PARAMS} && eifer run"
    )
