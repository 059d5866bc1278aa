"""Errors that a person can act on: what, where, how many, what to do."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EXAMPLES = 5
LONGEST = 500
"""Characters of an example; a table's cell or a JSON file's value may have millions."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    ``what`` names the kind of fault in words that hold for all its cases (they
    are grouped by it); ``where`` the file, row, participant or value of this
    case; ``remedy`` what to do about it.
    """

    what: str
    where: str
    remedy: str


class StudyError(Exception):
    """Anything the study refuses, said so that a user can mend it."""


class InputError(StudyError):
    """Raw input that breaks the contract: every problem found, in one error."""

    def __init__(self, subject: str, problems: Sequence[Problem]) -> None:
        self.subject = subject
        self.problems = tuple(problems)
        super().__init__(describe(subject, problems))

    def __reduce__(self) -> tuple[type[InputError], tuple[str, tuple[Problem, ...]]]:
        """Make it again from its parts: an error of a worker process comes home pickled."""
        return type(self), (self.subject, self.problems)


class ContractError(StudyError):
    """A table that fails its checks, so the stage that made it may not succeed."""


class ParamsError(StudyError):
    """A params file that does not say what the study needs."""


class AssetError(StudyError):
    """A model file that is missing, or is not the one it should be."""


class RecordingError(StudyError):
    """A video or ECG that cannot be read as what it claims to be.

    ``problem`` says the same in parts, where they are known: a list of many recordings is
    then grouped by what is wrong with them.
    """

    problem: Problem | None = None


class CutShortError(RecordingError):
    """A video whose end is missing, raised when all that there is of it has been decoded.

    ``there_s`` is how long that is, in s, and ``declared_s`` what the file says of its own
    length: 0 where it says nothing.
    """

    there_s: float = 0.0
    declared_s: float = 0.0


class DesignError(StudyError):
    """A design that cannot answer the question asked of it."""


def describe(subject: str, problems: Iterable[Problem]) -> str:
    """All problems as text: a line a kind, with its count, examples and remedy."""
    kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
    for problem in problems:
        kinds[problem.what, problem.remedy].append(problem.where)
    total = sum(map(len, kinds.values()))
    lines = [f"{shortened(subject)}: {total} problem{'s' * (total != 1)}"]
    for (what, remedy), places in kinds.items():
        line = f"  {shortened(what)} ({len(places)}): {examples(places)}"
        lines += [line, f"    -> {remedy}"]
    return "\n".join(lines)


def examples(places: Sequence[object]) -> str:
    """At most five of ``places``, each cut short (`shortened`), and how many more there are."""
    shown = ", ".join(map(shortened, places[:EXAMPLES]))
    more = len(places) - EXAMPLES
    return f"{shown} and {more} more" if more > 0 else shown


def shortened(place: object) -> str:
    """``place`` as a line that every terminal can show, of no more than `LONGEST` characters.

    What cannot be printed (control characters, names of files that are not UTF-8) is escaped.
    """
    text = str(place)
    cut = "..." if len(text) > LONGEST else ""
    text = text[: LONGEST - len(cut)]
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text) + cut


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint naming the nearest known word, or the empty string."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
