"""Where a cohort may lie: paths that could be taken for something else, and folders too wide."""

from __future__ import annotations

from pathlib import Path

import pytest

from eifer.cohort.layout import read_cohort
from eifer.cohort.place import local, opened, refuse_around
from eifer.errors import InputError


@pytest.mark.parametrize(
    "path",
    [
        *(
            "cohort",
            "../cohort",
            "/data/a b",
            "\u00e4/\u00f6 \u00fc",
            "a#b",
            "a%20b",
            "a?b",
            "./2024:pilot",
        ),
        *("./http:", "x/2024:pilot", "/data/2024:pilot", "/data//x", "./~x", "./-x", "."),
    ],
)
def test_a_path_of_this_machine_stays_as_it_is(path: str) -> None:
    assert local(path) == path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        *(
            (path, "reads as a URL")
            for path in ("2024:pilot", "http:", "http://x/y", "s3://bucket")
        ),
        *((path, "reads as a URL") for path in ("file:///data", "remote://x/y", "ds://x", "c:/x")),
        ("//other-machine/x", "names another machine"),
        ("~/cohort", "write the path out"),
        ("a\nb", "characters that no path should have"),
        ("a\0b", "characters that no path should have"),
    ],
)
def test_what_dvc_could_take_for_a_url_is_refused(path: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        local(path)


@pytest.mark.parametrize("place", ["/", "~", "nowhere", "a file", "empty", "a link to itself"])
def test_a_place_that_holds_no_cohort_is_refused_before_it_is_looked_through(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "a file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a link to itself").symlink_to("a link to itself")
    path = Path.home() if place == "~" else tmp_path / place
    for look in (opened, lambda path: read_cohort(path, waves=["1"], exclude=[])):
        with pytest.raises(InputError, match="1 problem\\n  no cohort"):
            look(path)


def test_a_study_may_lie_beside_its_cohort_or_around_it_but_not_in_it(tiny: Path) -> None:
    for beside in (tiny.parent, tiny.parent / "study", tiny.with_name("cohort-2")):
        refuse_around(beside, tiny)
    for inside in (tiny, tiny / "derivatives/study"):
        with pytest.raises(InputError, match="the study itself lies in it"):
            refuse_around(inside, tiny)
