"""Pages of what Great Expectations found, one a table: dated, hence outside every DVC output.

Each execution of an instance replaces its pages, one that breaks a promise too. An instance that
was restored by DVC, or computed in another clone, leaves none here.
"""

from __future__ import annotations

import fcntl
import html
import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages._runtime.contracts import Checked

PAGES = Path("runs/data-docs")
INDEX = PAGES / "index.html"
STATE = PAGES / "index.json"
"""What the index is made of, by instance."""


def write(instance: str, checked: Mapping[str, Checked], record: Path | None = None) -> Path:
    """Write the pages of an execution and the study's index; the page to look at first.

    ``record`` is that of the execution; None if it broke a promise.
    """
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    folder = PAGES / instance
    shutil.rmtree(folder, ignore_errors=True)
    PAGES.mkdir(parents=True, exist_ok=True)
    first, tables = INDEX, dict[str, Any]()
    for name, table in checked.items():
        from stages._runtime.contracts import page  # there already, since it made the checks

        path = folder / f"{name}.html"
        folder.mkdir(exist_ok=True)
        text = page(table, instance, finished, record.as_posix() if record else "")
        path.write_text(text, encoding="utf-8")
        first = path if table.broken else first
        tables[name] = {
            "promises": len(table.outcome.results),
            "broken": len(table.broken),
            "times": table.times,
        }
    entry = {"finished": finished, "record": record.name if record else None, "tables": tables}
    with _state(Path()) as state:
        state[instance] = entry
    return first


def forget(study: Path, stages: Collection[str]) -> None:
    """Take the instances of these stages out of the index, whose pages are gone."""
    if not (study / STATE).is_file():
        return
    with _state(study) as state:
        for name in [name for name in state if name.split("@")[0] in stages]:
            del state[name]


def read(study: Path) -> dict[str, Any]:
    """By instance, when its last execution ended, its record, and the tables that it checked."""
    path = study / STATE
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


@contextmanager
def _state(study: Path) -> Iterator[dict[str, Any]]:
    """The state of the index, to be changed by one process at a time; the index follows it."""
    with (study / PAGES / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until it is closed
        state = read(study)
        yield state
        for path, text in ((STATE, json.dumps(state, indent=1)), (INDEX, _index(state))):
            partial = study / path.with_suffix(".partial")
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, study / path)


def _index(state: Mapping[str, Any]) -> str:
    lines = []
    for instance, entry in sorted(state.items()):
        when = entry["finished"] + ("" if entry["record"] else ", failed")
        for name, table in entry["tables"].items():
            broken = table["broken"]
            cells = [table["promises"], table["times"], f"<b>{broken}</b>" if broken else 0, when]
            link = f'<a href="{html.escape(instance)}/{name}.html">{name}</a>'
            row = "".join(f"<td>{cell}</td>" for cell in (html.escape(instance), link, *cells))
            lines.append(f"<tr>{row}</tr>")
    return INDEX_PAGE.replace("ROWS", "\n".join(lines))


INDEX_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="UTF-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data checks of this study</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { border: 1px solid #8886; padding: .2rem .5rem; text-align: left; }
b { color: light-dark(#b00020, #ff8f9a); }
</style>
<h1>Data checks of this study</h1>
<p>What Great Expectations found in the last execution of each instance in this folder. An instance
that DVC restored from its cache, or that another clone or machine computed, was not executed here:
it has no row, or that of an execution before. <code>eifer summary</code> names these.</p>
<table>
<tr><th>Instance</th><th>Table</th><th>Promises</th><th>Times checked</th><th>Broken</th>
<th>Ended (UTC)</th></tr>
ROWS
</table>
</html>
"""
