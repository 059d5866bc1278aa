"""``eifer trace``: a cell of the report and all that it rests on, in a terminal or as a page."""

from __future__ import annotations

import html
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from eifer.errors import StudyError
from flows.audit.route import Source, Step
from flows.audit.study import Recorded
from flows.audit.trail import trail
from flows.pages.summary import console

FILES = 6
"""Files that the terminal shows of a step; the page has all."""
STYLE = """body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
section{border-left:3px solid #0072B2;padding:.2rem 0 .6rem 1rem;margin:0 0 0 .5rem}
section::before{content:"\\2191";color:#0072B2;margin-left:-1.4rem;background:#fff}
section:first-of-type::before{content:""}h2{font-size:1.05rem;margin:.2rem 0;display:inline}
table{border-collapse:collapse;margin:.4rem 0;font-size:.85rem}td,th{padding:.1rem .6rem .1rem 0;
text-align:left;vertical-align:top}code{font-size:.8rem;overflow-wrap:anywhere}.no{color:#b00;
font-weight:bold}.scroll{overflow-x:auto}"""


def show(study: Path, address: str, page: Path | None = None) -> None:
    """Print the trail of the cell ``address``, and draw it into ``page``.

    Raises
    ------
    StudyError
        If there is no such cell; and, after the rest, if a file is not what was recorded.
    """
    if not (study / "data/report/tables").is_dir():
        raise StudyError(f"{study.resolve()} has no report; run `eifer run` or `dvc repro` first")
    out, steps = console(), []
    for step in trail(Recorded(study), address):
        steps.append(step)
        out.print(f"\n[bold]{escape(step.title)}[/bold]: {step.rows} of {step.of} rows")
        if len(step.examples):
            out.print(_rows(step))
        for source in step.sources[:FILES]:
            out.print(_line(source), soft_wrap=True)
        if len(step.sources) > FILES:
            out.print(f"  and {len(step.sources) - FILES} more files")
    if page:
        page.write_text(_page(address, steps), encoding="utf-8")
        out.print(f"\nwritten to {page}")
    changed = [s.path for step in steps for s in step.sources if s.as_recorded is False]
    if changed:
        raise StudyError(f"{len(changed)} of these files are not what was recorded: {changed[0]}")


def _rows(step: Step) -> Table:
    table = Table(*map(str, step.examples.columns), box=None, pad_edge=True)
    for row in step.examples.itertuples(index=False):
        table.add_row(*(escape(str(value)) for value in row))
    return table


def _line(source: Source) -> str:
    state = {True: "as recorded", False: "[bold red]not as recorded[/]", None: "no record"}
    words = [f"  {escape(source.path)}  sha256 {source.sha256[:12]}…  {state[source.as_recorded]}"]
    words += [f"    from {escape(source.made_by)}"] * bool(source.made_by)
    known = [source.command, f"commit {source.commit[:12]}", f"params {source.params}"]
    words += [f"    {escape(', '.join(known))}"] * bool(source.command)
    return "\n".join(words)


def _page(address: str, steps: list[Step]) -> str:
    """The trail as one file, from the cell down to the recordings."""
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(address)}'
        f"</title><style>{STYLE}</style><main><h1>{html.escape(address)}</h1>"
    ]
    for step in steps:
        title = html.escape(step.title)
        shown = step.examples.to_html(index=False, border=0) if len(step.examples) else ""
        parts.append(
            f"<section><h2>{title}</h2> {step.rows} of {step.of} rows"
            f'<div class="scroll" tabindex="0" role="region" aria-label="{title}">'
            f"{shown}</div><details><summary>{len(step.sources)} files"
            f"</summary><table>{''.join(map(_file, step.sources))}</table></details></section>"
        )
    return "\n".join(parts) + "</main></html>\n"


def _file(source: Source) -> str:
    state = {True: "as recorded", False: '<b class="no">not as recorded</b>', None: "no record"}
    words = [source.made_by, source.command, source.commit, source.params]
    cells = "<br>".join(html.escape(word) for word in words if word)
    return (
        f"<tr><td>{html.escape(source.path)}<br><code>{source.sha256}</code></td>"
        f"<td>{state[source.as_recorded]}</td><td>{cells}</td></tr>"
    )
