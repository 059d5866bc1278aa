"""``eifer validate``: what is wrong with a cohort, each fault once and as soon as it is found."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from eifer.errors import InputError, Problem, StudyError, describe, examples
from eifer.validation import cut_videos, short_face_videos, validate
from flows.audit.ei import RAW_TABLES, raw
from flows.audit.study import Recorded
from flows.run.lockfile import LOCK
from stages._runtime import pool
from stages._runtime.machine import Machine
from stages.params import load_params

Task = TypeVar("Task")
Result = TypeVar("Result")
LINES = 10
"""How many times a log hears how far the work is; a terminal has a bar."""


def show(cohort: Path, params: Path) -> None:
    """Print every fault of ``cohort``, or else what it holds.

    Raises
    ------
    StudyError
        If there are faults: how many in all, and those that could not be printed before.
    """
    wanted = load_params(params)
    shown: list[Problem] = []

    def tell(problems: Sequence[Problem]) -> None:
        if problems:
            print(_lines(problems), file=sys.stderr, flush=True)
            shown.extend(problems)

    try:
        valid = validate(
            cohort,
            waves=wanted.study.waves,
            exclude=wanted.study.exclude,
            faces=wanted.extract,
            ecg=wanted.stratify.ecg,
            spec=wanted.intake,
            each=_each,
            tell=tell,
        )
    except InputError as error:
        if not shown:
            raise
        total = f"{error.subject}: {len(error.problems)} problem{'s' * (len(error.problems) != 1)}"
        rest = list((Counter(error.problems) - Counter(shown)).elements())
        last = f"; besides those above:\n{_lines(rest)}" if rest else ", named above"
        raise StudyError(total + last) from None
    people, videos = valid.participants, valid.videos
    print(
        f"{cohort} is valid: {people['excluded'].isna().sum()} of {len(people)} participants, "
        f"{videos['video_path'].notna().sum()} videos, {videos['ecg_path'].notna().sum()} ECGs"
    )
    if short := short_face_videos(videos, wanted.intake):
        print(
            f"{short} face videos last less than {wanted.intake.least_filmed_share:.0%} "
            "of their film (intake.short_face_videos allows it)"
        )
    if cut := cut_videos(videos):
        remedy = "    -> they are used as far as they go; copy them again, if there is more of them"
        print("\n".join((*cut, remedy)))
    if changed := _unlike(cohort, params.parent, wanted.study.cohort):
        print(
            f"but it is not what intake recorded ({len(changed)}): {examples(changed)}\n"
            "    -> results in data are of the files as they were: bring those back, or run "
            "the study again"
        )


def _unlike(cohort: Path, study: Path, own: str) -> list[str]:
    """Where the cohort of ``study`` is not what its intake recorded; of others nothing is known."""
    ran = (study / RAW_TABLES).is_dir() and (study / LOCK).is_file()
    its_own = ran and (study / own).resolve() == cohort.resolve()
    return raw(Recorded(study)).places if its_own else []


def _lines(problems: Sequence[Problem]) -> str:
    return describe("", problems).partition("\n")[2]


def _each(
    function: Callable[[Task], Result], tasks: Sequence[Task], label: str
) -> Iterator[Result]:
    """`pool.each` over this machine's cores, with a line now and then where there is no bar."""
    every = -(-len(tasks) // LINES)
    machine = Machine()
    machine.hand_on()
    results = pool.each(function, tasks, workers=machine.workers, label=label)
    for done, result in enumerate(results, start=1):
        if done % every == 0 and not sys.stderr.isatty():
            print(f"{label}: {done} of {len(tasks)}", file=sys.stderr, flush=True)
        yield result
