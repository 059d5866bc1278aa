"""A stage's process begins at once, heavy packages wait; what was left for its end is done."""

from __future__ import annotations

import sys

from flows.graph import ROOT, declared
from tests.watched import finish

HEAVY = (
    *("torch", "timm", "pytorch_lightning", "great_expectations", "mlflow"),
    *("neurokit2", "matplotlib"),
)


def test_the_help_of_every_stage_loads_nothing_heavy() -> None:
    code = f"""
import contextlib, io, sys
from flows.graph import stage_of
for name in {list(declared())}:
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
        stage_of(name).main(["--help"])
    assert f"python -m stages.{{name}}" in said.getvalue(), name
    loaded = [package for package in {HEAVY} if package in sys.modules]
    assert not loaded, f"stages.{{name}} loads {{loaded}}"
"""
    done = finish([sys.executable, "-c", code], ROOT)
    assert done.returncode == 0, done.stderr


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
