"""What was declared before the first training, and whether it still stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from eifer.comparison.participants import ParticipantSpec
from eifer.tables.comparison import PLACE

Declaration = dict[str, Any]


def declaration(spec: ParticipantSpec) -> Declaration:
    """The choices as plain values, and the SHA-256 of their JSON (sorted keys, no blanks)."""
    chosen = json.loads(json.dumps(asdict(spec)))
    text = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    return {"participants": chosen, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def changes(before: Mapping[str, Any], spec: ParticipantSpec) -> list[str]:
    """What is otherwise than ``before`` (a `declaration`), in words; empty where nothing is."""
    were, are = _ordered(before["participants"]), _ordered(declaration(spec)["participants"])
    return [
        f"{name}: {_in_words(were.get(name))} became {_in_words(are.get(name))}"
        for name in sorted({*were, *are})
        if were.get(name) != are.get(name)
    ]


def claims(made: Mapping[str, Any]) -> list[str]:
    """The contrasts that may confirm by a `declaration`, in words."""
    return list(map(_claim, made["participants"]["confirmatory"]))


def claimed(made: Mapping[str, Any]) -> str:
    """The test that speaks and the contrasts that may confirm, in words for the report."""
    test = made["participants"]["test"].replace("_", "-")
    return f"by the {test} test: {'; '.join(claims(made)) or 'nothing'}"


def _ordered(chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The choices with their lists in one order, which changes no result."""
    return {
        name: sorted(value, key=partial(json.dumps, sort_keys=True))
        if isinstance(value, list)
        else value
        for name, value in chosen.items()
    }


def _claim(claim: Mapping[str, str]) -> str:
    """In one order, whatever that of its keys in the file."""
    return " ".join(claim[name] for name in PLACE)


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        parts = [_claim(one) if isinstance(one, dict) else str(one) for one in value]
        return "; ".join(parts) or "nothing"
    return "nothing" if value is None else str(value)
