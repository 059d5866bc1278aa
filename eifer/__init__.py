"""The science of the study: tables and arrays in, tables and arrays out."""

from importlib import import_module
from typing import Any

__all__ = ["estimate"]


def __getattr__(name: str) -> Any:
    """`eifer.video.estimate` as ``eifer.estimate``.

    By name, so that no stage depends on the code that reads a single video.
    """
    if name == "estimate":
        return import_module("eifer.video").estimate
    raise AttributeError(f"module 'eifer' has no attribute {name!r}")
