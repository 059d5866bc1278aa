"""The code that each stage is made of, so that DVC sees whom a change of it concerns."""

from __future__ import annotations

from stages._runtime.fingerprints import GIVEN, write_fingerprints
from stages._runtime.stage import Outcome, Run, stage
from stages.expressions import catalogue


@stage(catalogue.CODE, params=(), given=GIVEN)
def code(run: Run) -> Outcome:
    """Write down the fingerprint of every module that a stage is made of, for each stage."""
    return write_fingerprints(run, "stages.expressions", catalogue.FOLDERS, catalogue.FINGERPRINTS)


if __name__ == "__main__":
    code.main()
