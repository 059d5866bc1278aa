"""The ranges that parameters may lie in: said on a field's type, checked where params are read.

A dataclass of choices names the range in its field (``share: Share``); what is built in
code is trusted, what comes from a file is checked by whoever reads it (stages/params).
"""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

LARGE = 1_000_000
"""More than any study needs; a thousand million is a slip of the hand, and fills a memory."""

Share = Annotated[float, Ge(0), Le(1)]
Part = Annotated[float, Gt(0), Lt(1)]
"""A share that leaves something on both sides."""
Positive = Annotated[float, Gt(0), Le(LARGE)]
NotNegative = Annotated[float, Ge(0), Le(LARGE)]
Estimate = Annotated[float, Ge(-1), Le(1)]
"""Of arousal or valence."""
Signed = Annotated[float, Ge(-LARGE), Le(LARGE)]
Count = Annotated[int, Ge(1), Le(10_000)]
Number = Annotated[int, Ge(0), Le(10_000)]
"""A count that may be none."""
Draws = Annotated[int, Ge(1), Le(LARGE)]
"""How often something is drawn: permutations, signs, simulated cohorts."""
Seed = Annotated[int, Ge(0), Le(2**63 - 1)]
Text = Annotated[str, MinLen(1), MaxLen(10_000)]


def in_words(hint: Any) -> str:
    """What a type allows of the values of its kind: ``0 to 1``, ``each above 0``; or empty."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return ", ".join(filter(None, (_limits(inner[1:]), in_words(inner[0]))))
    if origin is Literal:
        return " or ".join(map(str, inner))
    each = list(dict.fromkeys(filter(None, map(in_words, inner))))
    if origin is tuple and each:
        return f"each {', '.join(each)}"
    return ", ".join(each) if origin in (Union, UnionType) else ""


def _limits(limits: tuple[Any, ...]) -> str:
    ends = {type(limit): limit for limit in limits}
    low, high = ends.get(Ge), ends.get(Le)
    parts = [f"above {ends[Gt].gt}"] if Gt in ends else []
    if low and high:
        parts.append(f"{low.ge} to {high.le}")
    elif low or high:
        parts.append(f"{low.ge} or more" if low else f"{high.le} or less")  # type: ignore[union-attr]
    if Lt in ends:
        parts.append(f"below {ends[Lt].lt}")
    if MultipleOf in ends:
        parts.append(f"a multiple of {ends[MultipleOf].multiple_of}")
    if MinLen in ends:
        parts.append("not empty")
    return ", ".join(parts)
