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


class Machine(BaseSettings):
    """Knobs from ``machine.yaml`` (where there is one) and ``EIFER_*`` variables, which win."""

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
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="where networks run; auto takes a GPU that is there"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="arithmetic of networks on a GPU; a CPU always takes float32"
    )
    devices: int = Field(
        default=1, ge=1, le=64, description="devices that share each batch in training"
    )
    compile: bool = Field(default=False, description="torch.compile networks before training")
    hold: Literal["auto", "device", "host"] = Field(
        default="auto", description="where training crops lie; auto: on the device if they fit"
    )
    deterministic: bool = Field(
        default=True, description="a GPU repeats itself, at some cost; a CPU always does"
    )
    batch: int = Field(
        default=128, ge=1, le=65_536, description="crops a network sees at once when estimating"
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = [
                Problem(
                    f"knob does not fit: {detail['msg']}",
                    ".".join(map(str, detail["loc"])),
                    f"known: {', '.join(type(self).model_fields)}",
                )
                for detail in error.errors(include_url=False)
            ]
            raise ParamsError(describe("machine.yaml or EIFER_*", problems)) from None

    def torch_device(self) -> str:
        """The torch device that networks run on here."""
        import torch

        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return self.device

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
        raise ParamsError(f"{file}: a {type(content).__name__}; write a line each knob: workers: 4")
    return content or {}
