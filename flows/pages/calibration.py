"""The table that `make calibrate` prints: what each test does where the truth is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.table import Table

from eifer.errors import StudyError
from eifer.summaries import error_rates, smallest_effects
from eifer.tables.calibration import CALIBRATION, POWER
from flows.pages.summary import console
from stages._runtime.artifacts import read_table


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
    rates = error_rates.table(read_table(folder / "calibration.parquet", CALIBRATION))
    effects = smallest_effects.table(read_table(folder / "power.parquet", POWER))
    out = console()
    heads = ("trainings", "true dAUC", "people", "frames", "test", "block", "claimed in %", "of")
    shown = Table(*heads, title="What each test claims where the truth is known", caption=CAPTION)
    last = None
    for row in rates.to_dict("records"):
        place = (row["trainings"], row["true_effect"], row["people"], row["frames"])
        if last not in (None, place):
            shown.add_section()
        head = ("", "", "", "") if place == last else map(str, place)
        test = row["test"] + (" *" if isinstance(row["reason"], str) else "")
        shown.add_row(*head, test, row["block"], _rate(row), str(row["n_estimable"]))
        last = place
    out.print(shown)
    power = Table("people", "frames", "test", "smallest dAUC", "found in %", title="Power")
    for row in effects.to_dict("records"):
        cells = (row["people"], str(row["frames"]), row["test"], row["smallest"])
        power.add_row(*cells, _rate(row))
    out.print(power)


def _rate(row: dict[Any, Any]) -> str:
    return f"{row['rate']:5.1f} [{row['ci_low']:.1f}, {row['ci_high']:.1f}]"


CAPTION = (
    "With a true dAUC of 0 the share claimed is an error (equivalence: its power). "
    "* cannot reject with so few people, or has no answer in some cohorts."
)


if __name__ == "__main__":
    try:
        show(Path())
    except StudyError as error:
        print(f"calibrate: {error}", file=sys.stderr)
        raise SystemExit(1) from None
