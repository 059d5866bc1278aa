"""A model's card as a table: what it is for, what it was made of, and how good it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd


def table(card: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    """One row a fact of the card; nested ones are named by their path."""
    made = pd.DataFrame(_facts("", card), columns=["what", "value"])
    return made, f"{card['title']}: {card['made']}."


def _facts(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name in sorted(value):
            yield from _facts(f"{path}, {name}".strip(", "), value[name])
    elif isinstance(value, list):
        yield path.replace("_", " "), "; ".join(map(str, value))
    elif isinstance(value, float):
        yield path.replace("_", " "), f"{value:.4g}"
    else:
        yield path.replace("_", " "), str(value)
