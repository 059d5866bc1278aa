"""Errors that a person can act on: grouped, counted, with examples and what to do."""

from __future__ import annotations

import pickle

import pytest

from eifer.errors import (
    LONGEST,
    InputError,
    Problem,
    StudyError,
    describe,
    did_you_mean,
    examples,
)


def problem(where: str, what: str = "rating out of range", remedy: str = "correct it") -> Problem:
    return Problem(what, where, remedy)


def test_problems_of_a_kind_stand_together_with_their_number() -> None:
    error = InputError(
        "cohort x", [problem("row 2"), problem("row 9"), problem("sub-03", "no ECG", "exclude it")]
    )
    assert str(error).splitlines() == [
        "cohort x: 3 problems",
        "  rating out of range (2): row 2, row 9",
        "    -> correct it",
        "  no ECG (1): sub-03",
        "    -> exclude it",
    ]


def test_one_problem_is_one_problem() -> None:
    assert describe("params", [problem("row 2")]).startswith("params: 1 problem\n")


def test_the_same_fault_with_two_remedies_is_two_kinds() -> None:
    text = describe("x", [problem("a"), problem("b", remedy="exclude it")])
    assert text.count("rating out of range (1)") == 2


@pytest.mark.parametrize(
    ("n", "said"), [(0, ""), (5, "0, 1, 2, 3, 4"), (6, "0, 1, 2, 3, 4 and 1 more")]
)
def test_at_most_five_examples_are_shown_and_the_rest_counted(n: int, said: str) -> None:
    assert examples(range(n)) == said


@pytest.mark.parametrize("place", ["x" * 1_000_000, "\x00" * 1_000_000, "\udcff" * 10_000])
def test_an_example_is_cut_short_wherever_it_stands(place: str) -> None:
    for text in (
        examples([place]),
        describe("x", [problem(place)]),
        describe("x", [problem("a", what=place)]),
        describe(place, [problem("a")]),
    ):
        assert "..." in text and len(text) < 8 * LONGEST


def test_what_no_terminal_can_show_is_escaped() -> None:
    said = describe("x", [problem("a\x1b[2Jb\nc\udcff"), problem("\u00e4\u00df")])
    assert "a\\x1b[2Jb\\nc\\udcff, \u00e4\u00df" in said
    said.encode()


def test_the_full_list_is_kept_for_whoever_wants_it() -> None:
    problems = [problem(str(n)) for n in range(100)]
    error = InputError("x", problems)
    assert error.problems == tuple(problems) and "and 95 more" in str(error)
    assert isinstance(error, StudyError)


@pytest.mark.parametrize(
    ("name", "said"), [("arousl", "; did you mean 'arousal'?"), ("xyz", ""), ("", "")]
)
def test_the_nearest_known_word_is_offered(name: str, said: str) -> None:
    assert did_you_mean(name, ["valence", "arousal"]) == said


def test_an_error_crosses_from_a_worker_process_whole() -> None:
    error = InputError("cohort", [problem("row 2")])
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) and again.problems == error.problems
