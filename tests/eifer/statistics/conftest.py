"""R's answers, and what it means to agree with them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

REFERENCE = Path(__file__).parents[2] / "reference"
SPECIAL = {"NA": math.nan, "NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}


def number(answer: object) -> float:
    return SPECIAL[answer] if isinstance(answer, str) else float(answer)  # type: ignore[arg-type]


def agrees(got: float, answer: object, absolute: float, relative: float) -> bool:
    want = number(answer)
    if not math.isfinite(want):
        return got == want or (math.isnan(got) and math.isnan(want))
    return abs(got - want) <= absolute + relative * abs(want)


@pytest.fixture
def oracle() -> Callable[[str], tuple[pd.DataFrame, dict[str, Any]]]:
    """The input table and the answers of a case."""

    def read(stem: str) -> tuple[pd.DataFrame, dict[str, Any]]:
        answers = json.loads((REFERENCE / f"{stem}__reference.json").read_text())
        return pd.read_csv(REFERENCE / f"{stem}__input.csv"), answers

    return read


@pytest.fixture
def same() -> Callable[..., None]:
    """Assert that |got - answer| <= absolute + relative |answer|."""

    def check(got: float, answer: object, absolute: float, relative: float) -> None:
        assert agrees(got, answer, absolute, relative), f"{got!r} is not {answer!r}"

    return check


@pytest.fixture
def differs() -> Callable[..., None]:
    """Assert that ``got`` is not the known mistake."""

    def check(got: float, mistake: object, absolute: float, relative: float) -> None:
        assert not agrees(got, mistake, absolute, relative), f"{got!r} is the known mistake"

    return check
