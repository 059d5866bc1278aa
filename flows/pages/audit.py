"""``eifer audit``: a line a link, the places where something differs, and what stays open."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from eifer.errors import StudyError
from flows.audit.links import audited
from flows.audit.study import Recorded, Verdict
from flows.crate.signature import verdict as signed
from flows.pages.summary import console
from stages._runtime.artifacts import write_json

SHOWN = 8
"""Places that the terminal shows of a link; the JSON file has all."""
COLOURS = {"ok": "green", "differs": "bold red", "cannot be checked": "yellow"}


def show(
    study: Path, json: Path | None = None, crate: Path | None = None, key: Path | None = None
) -> bool:
    """Audit the study in the folder ``study``; whether every link could be checked.

    With a ``crate`` and the public ``key`` of who signed it that, too; without a study it alone.

    Raises
    ------
    StudyError
        If there is no study, or anything differs.
    """
    recorded = Recorded(study) if (study / "dvc.lock").exists() else None
    if recorded is None and crate is None:
        raise StudyError(f"{study.resolve()} has no dvc.lock: nothing was recorded; run it first")
    out = console()
    verdicts = []
    with out.status("auditing") as status:
        if crate and key:
            verdicts.append(signed(crate, key, recorded))
        for verdict in audited(recorded) if recorded else ():
            verdicts.append(verdict)
            status.update(f"auditing: {verdict.link} done")
    out.print(_table(verdicts))
    for verdict in verdicts:
        lists = {"differs": verdict.places, "cannot be checked": verdict.unchecked}
        for title, places in lists.items():
            for place in places[:SHOWN]:
                out.print(f"{verdict.link} {title}: {escape(place)}", soft_wrap=True)
            if len(places) > SHOWN:
                more = f"and {len(places) - SHOWN} more places (--json FILE has all)"
                out.print(f"{verdict.link} {title}: {more}")
    if json:
        write_json(json, [{**asdict(v), "state": v.state} for v in verdicts])
    if wrong := [verdict.link for verdict in verdicts if verdict.places]:
        raise StudyError(
            f"not what was recorded: {', '.join(wrong)}; docs/how-to/audit.md says for each place "
            "what to do"
        )
    return all(verdict.state == "ok" for verdict in verdicts)


def _table(verdicts: list[Verdict]) -> Table:
    table = Table(
        "link", "verdict", "checked", "against", title="From the recordings to the report"
    )
    for verdict in verdicts:
        state = f"[{COLOURS[verdict.state]}]{verdict.state}[/]"
        table.add_row(verdict.link, state, str(verdict.checked), escape(verdict.of))
    return table
