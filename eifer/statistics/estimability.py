"""The answer where there is none: no number, and why."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any


def not_estimable(kind: type[Any], reason: str, /, **known: object) -> Any:
    """A result of ``kind`` whose numbers are NaN, but for what is ``known`` all the same."""
    blank = {field.name: math.nan for field in fields(kind)}
    return kind(**{**blank, "estimable": False, "reason": reason, **known})
