"""The table that `make calibrate` prints: what each test does where the truth is known."""

from __future__ import annotations

import sys
from pathlib import Path

from eifer.errors import StudyError
from flows.pages.summary import console, rendered, tables


def show(study: Path) -> None:
    """Print error rates, power, and the smallest differences found in the folder ``study``.

    Raises
    ------
    StudyError
        If calibrate has not run there.
    """
    folder = study / "data/calibrate"
    if not folder.is_dir():
        raise StudyError(f"no results in {folder.resolve()}; run `make calibrate`")
    out = console()
    for table in tables(study, ("calibrate",)):
        out.print(rendered(table))


if __name__ == "__main__":
    try:
        show(Path())
    except StudyError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        raise SystemExit(1) from None
