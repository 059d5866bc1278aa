"""What was declared before the first training, and whether it still stands."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from eifer.comparison.participants import ParticipantSpec

Declaration = dict[str, Any]


def declaration(spec: ParticipantSpec) -> Declaration:
    """The choices as plain values, and the SHA-256 of their JSON (sorted keys, no blanks)."""
    chosen = json.loads(json.dumps(asdict(spec)))
    text = json.dumps(chosen, sort_keys=True, separators=(",", ":"))
    return {"participants": chosen, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def changes(before: Mapping[str, Any], spec: ParticipantSpec) -> list[str]:
    """What is otherwise than ``before`` (a `declaration`), in words; empty where nothing is."""
    now = declaration(spec)
    if now["sha256"] == before["sha256"]:
        return []
    were, are = before["participants"], now["participants"]
    return [
        f"{name}: {_in_words(were.get(name))} became {_in_words(are.get(name))}"
        for name in sorted({*were, *are})
        if were.get(name) != are.get(name)
    ]


def _in_words(value: Any) -> str:
    if isinstance(value, list):
        parts = [" ".join(v.values()) if isinstance(v, dict) else str(v) for v in value]
        return "; ".join(parts) or "nothing"
    return "nothing" if value is None else str(value)
