"""R's answers, from tests/reference, and what it means to agree with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

REFERENCE = Path(__file__).parent / "reference"
SPECIAL = {"NA": math.nan, "NaN": math.nan, "Inf": math.inf, "-Inf": -math.inf}


def cases(family: str, n: int) -> list[str]:
    """The names of the ``n`` cases of a family."""
    ending = "__input.csv"
    found = [path.name.removesuffix(ending) for path in REFERENCE.glob(f"{family}__*{ending}")]
    assert len(found) == n, f"{len(found)} cases of {family}"
    return sorted(found)


def oracle(case: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The input table and the answers of a case."""
    answers = json.loads((REFERENCE / f"{case}__reference.json").read_text())
    return pd.read_csv(REFERENCE / f"{case}__input.csv"), answers


def same(got: float, answer: object, absolute: float, relative: float) -> None:
    """Assert |got - answer| <= absolute + relative |answer|; NaN is NaN, infinity infinity."""
    want = SPECIAL[answer] if isinstance(answer, str) else float(answer)  # type: ignore[arg-type]
    if math.isfinite(want):
        close = abs(got - want) <= absolute + relative * abs(want)
    else:
        close = got == want or (math.isnan(got) and math.isnan(want))
    assert close, f"{got!r} is not {answer!r}"
