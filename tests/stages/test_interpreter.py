"""A stage that ends at once still does what was left for the end."""

from __future__ import annotations

import sys

from flows.graph import ROOT
from tests.watched import finish

LEAVING = """
import atexit
from stages._runtime.interpreter import leave

atexit.register(print, "registered")
print("printed")
leave()
raise SystemExit(3)
"""


def test_what_was_printed_and_registered_is_not_lost() -> None:
    command = [sys.executable, "-E", "-c", LEAVING]  # not unbuffered
    ended = finish(command, ROOT)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "printed\nregistered\n", "")
