"""How Python begins and ends a stage: with imports that are searched for garbage but rarely."""

from __future__ import annotations

import atexit
import gc
import os
import sys


def collect_rarely() -> None:
    """Look for garbage after 50 000 new objects, not 700: to import torch alone makes a million.

    In this process alone: those that a stage starts, which work on videos, keep Python's number.
    """
    gc.set_threshold(50_000)


def leave() -> None:
    """End this process as one that succeeded, without taking apart what it imported.

    Python would take two seconds for torch. What is registered for the end is called first.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
