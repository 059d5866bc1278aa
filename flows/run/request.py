"""What a run may be asked: one spelling for the command line and for Prefect's parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, TypedDict

import typer
from annotated_types import Ge

from eifer.ranges import LARGE


def finite(value: float) -> float:
    """``value``, refused where it is none: click compares a NaN with the bounds and lets it pass.

    Raises
    ------
    BadParameter
        If it is infinite, or no number.
    """
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no finite number")
    return value


Only = Annotated[list[str] | None, typer.Option("--only", help="exactly this stage or instance")]
Start = Annotated[list[str] | None, typer.Option("--from", help="this and what depends on it")]
End = Annotated[list[str] | None, typer.Option("--to", help="this and what it needs")]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="after a failure, run what does not depend on it")
]
AtOnce = Annotated[
    int,
    typer.Option(help="instances at once; 0: as many as this machine can run", min=0, max=1024),
    Ge(0),
]
TimeoutMin = Annotated[
    float,
    typer.Option(
        help="minutes after which an instance is killed; 0: never",
        min=0,
        max=LARGE,
        callback=finite,
    ),
    Ge(0),
]
Where = Annotated[Literal["local", "nodes"], typer.Option(help="here, or on the workers of a pool")]

Experiment = Annotated[
    str | None, typer.Option(help="save what it computes as DVC's experiment of this name")
]
SetParam = Annotated[
    list[str] | None,
    typer.Option(
        "--set-param",
        "-S",
        help="for an experiment: a parameter's value, as `dvc exp run -S` has it: stats.alpha=0.01",
    ),
]


class Choice(TypedDict, total=False):
    """Stages and instances: ``only`` these, or those from ``start`` downstream, up to ``end``."""

    only: Sequence[str] | None
    start: Sequence[str] | None
    end: Sequence[str] | None
