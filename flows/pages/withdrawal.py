"""``eifer withdraw``: what would go, the question, and the certificate."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from eifer.errors import StudyError
from flows.run.command import go
from flows.run.request import Choice
from flows.withdraw import certificate
from flows.withdraw.withdrawal import Options, came_back, carry_out, finish, look, prepare


def show(
    study: Path, person: str, reason: str, options: Options, *, dry: bool, sure: bool, run: bool
) -> None:
    """Withdraw a participant from the study in the current folder, or say what that would remove.

    Raises
    ------
    StudyError
        As `prepare`, `carry_out` and `go`; or if nobody says that it shall be done.
    """
    prepare(study, person, options)
    paper = certificate.read(study, person)
    former = paper if paper and came_back(study, paper) else None
    if paper is None or former:
        paper = look(study, person, reason, options)
        print(f"{person}: what came of their recordings")
        for place, n in paper.found.items():
            print(f"  {place}: {n}")
        for words in ("left", "not_reached"):
            for line in getattr(paper, words):
                print(f"  {words.replace('_', ' ')}: {line}")
    else:
        print(f"{person}: a withdrawal began here on {paper.begun} ({paper.state})")
    if dry:
        print("dry run: nothing was removed or written")
        return
    if not sure and paper.state == "begun":
        if not sys.stdin.isatty():
            raise StudyError("this cannot be undone; add --yes (or look first: --dry-run)")
        typer.confirm("Remove all of it? This cannot be undone", abort=True)
    if former:
        certificate.set_aside(study, former)
    carry_out(study, paper, options, print)
    if run and paper.state == "removed":
        try:
            go(study, Choice(only=None, start=None, end=None), at_once=0)
        except StudyError as error:
            paper.run = f"failed: {error}"
            raise
        finally:
            written = paper.save(study)
            print(f"certificate: {written}")
        finish(study, paper, print)
    written = paper.save(study)
    print(paper.checked[-1])
    print(f"certificate: {written}")
    if paper.state == "removed":
        print("not computed again: `eifer run` computes the study without the participant")
