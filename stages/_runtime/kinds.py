"""The studies of this house: where each has its stages, its graph and its report's declaration."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from eifer.errors import ParamsError, did_you_mean
from stages._runtime.params_file import read_params


@dataclass(frozen=True)
class Kind:
    """A kind of study.

    ``package`` holds its stages, their ``catalogue`` and ``params``; ``graph`` is its dvc.yaml
    (DVC takes every file of that name for its own, so that others have another one), ``spec`` the
    declaration of its report, ``preset`` the params of its demo, in this folder. The module
    ``published`` has what its sources print.
    """

    package: str
    graph: str
    spec: str
    preset: str
    published: str

    @property
    def catalogue(self) -> ModuleType:
        """The module that names every file of its stages."""
        return import_module(f"{self.package}.catalogue")

    @property
    def params(self) -> ModuleType:
        """The module that validates its params: ``Params`` and ``check_params``."""
        return import_module(f"{self.package}.params")

    @property
    def sources(self) -> dict[str, Any]:
        """The published tables, by the names that the report has for them."""
        tables: dict[str, Any] = import_module(self.published).sources()
        return tables


EI = "ei"
KINDS = {
    EI: Kind("stages", "dvc.yaml", "reports/spec.yml", "presets/demo.yaml", "eifer.published"),
    "expressions": Kind(
        "stages.expressions",
        "studies/expressions.yaml",
        "reports/expressions.yml",
        "presets/expressions.yaml",
        "eifer.corpora.published",
    ),
}
"""By the word ``protocol`` of params.yaml; without that word it is the EI study."""


def kind_of(content: Any, subject: str) -> Kind:
    """The kind of study that the content of a params file is of; ``subject`` names the file.

    Raises
    ------
    ParamsError
        If there is no such kind.
    """
    name = content.get("protocol", EI) if isinstance(content, dict) else EI
    if not isinstance(name, str) or name not in KINDS:
        raise ParamsError(
            f"{subject}: protocol {name!r} is none of {', '.join(KINDS)}"
            f"{did_you_mean(str(name), KINDS)}"
        )
    return KINDS[name]


def check_study(content: Any, subject: str) -> Any:
    """Validate the content of a params file of any kind, as `params_file.validated`; its params."""
    return kind_of(content, subject).params.check_params(content, subject)


def load_study(path: Path) -> Any:
    """Read and validate a params file of any kind, as `check_study`."""
    return check_study(read_params(path), str(path))
