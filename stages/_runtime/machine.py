"""What this machine may use. Nothing here is part of the study, and no result depends on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from eifer.errors import ParamsError, Problem, describe
from stages._runtime.params_file import read_params

FILE = Path("machine.yaml")

PARAMS = ("device", "precision", "devices", "compile", "deterministic", "batch")
"""Not settings of the machine: they can change a result, so DVC must know of them."""


def _moved(name: str) -> Problem:
    remedy = "set it in params.yaml, section arithmetic, and take it away here"
    return Problem("not a setting of the machine: it can change a result", name, remedy)


class Machine(BaseSettings):
    """Settings from ``machine.yaml`` (where there is one) and ``EIFER_*`` variables, which win."""

    model_config = SettingsConfigDict(
        env_prefix="EIFER_", extra="forbid", frozen=True, allow_inf_nan=False
    )

    workers: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)),
        ge=1,
        le=1024,
        description="processes that take videos in turn",
    )
    instances: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="stage instances at once; 0: one a core, as far as memory goes",
    )
    instance_gib: float = Field(
        default=1.5,
        gt=0,
        le=1024,
        description="memory that one of them is reckoned to need, in GiB",
    )
    hold: Literal["auto", "device", "host"] = Field(
        default="auto", description="where training crops lie; auto: on the device if they fit"
    )

    decoder: str = Field(
        default="cpu",
        description="what decodes videos: cpu, or a kind of device: docs/how-to/run-in-parallel.md",
    )

    def __init__(self, **values: Any) -> None:
        problems = [
            _moved(name) for name in PARAMS if f"EIFER_{name}".upper() in map(str.upper, os.environ)
        ]
        try:
            super().__init__(**values)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                name = ".".join(map(str, detail["loc"]))
                problems.append(
                    _moved(name)
                    if name in PARAMS
                    else Problem(
                        f"setting does not fit: {detail['msg']}",
                        name,
                        f"known: {', '.join(type(self).model_fields)}",
                    )
                )
        if problems:
            raise ParamsError(describe("machine.yaml or EIFER_*", problems)) from None

    def hand_on(self) -> None:
        """Tell this process, and those that it starts, the setting that `eifer.faces` reads."""
        os.environ["EIFER_DECODER"] = self.decoder

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then the file."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _said(FILE))


def _said(file: Path) -> dict[str, Any]:
    content = read_params(file) if file.exists() else None
    if content is not None and not isinstance(content, dict):
        raise ParamsError(
            f"{file}: a {type(content).__name__}; write one line per setting: workers: 4"
        )
    return content or {}
