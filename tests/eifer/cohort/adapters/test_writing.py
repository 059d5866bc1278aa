from __future__ import annotations

from pathlib import Path

import pytest

from eifer.cohort.adapters.corpus import Corpus, Person, Plan
from eifer.cohort.adapters.writing import cut, read_ei, read_stimuli
from eifer.errors import InputError
from eifer.faces.decoding import check
from eifer.vocabulary import Domain
from tests.eifer.cohort.adapters.corpora import write_ei, write_face

PLAN = Plan(Corpus("Tiny", [Person("sub-01"), Person("sub-02")], []), {}, {}, ())


@pytest.mark.parametrize(
    ("seconds", "left"),
    [
        (6.0, 6.0),  # a key frame every second
        (6.3, 6.0),  # the last before the film's end
        (1.9, 2.0),  # a tenth would be lost: the next
        (99.0, 8.0),  # the video is shorter than its film
    ],
)
def test_a_video_is_cut_at_a_key_frame(tmp_path: Path, seconds: float, left: float) -> None:
    write_face(tmp_path / "a.avi", 1, seconds=8, key_frames=10)
    cut(tmp_path / "a.avi", tmp_path / "b.avi", seconds)
    assert check(tmp_path / "b.avi") == pytest.approx(left, abs=0.11)


def test_the_domains_of_films_are_read(tmp_path: Path) -> None:
    path = tmp_path / "films.tsv"
    path.write_text("stimulus_id\tdomain\n17\tHAHV\n")
    assert read_stimuli(path) == {"17": Domain.HAHV}
    path.write_text("stimulus_id\tdomain\n17\tHAHV\n18\tLAVH\n")
    with pytest.raises(InputError, match=r"unknown domain .*row 3: domain 'LAVH'; did you"):
        read_stimuli(path)


def test_an_ei_test_is_read_by_participant(tmp_path: Path) -> None:
    path = write_ei(tmp_path / "ei.tsv", "sub-01", "sub-02")
    rows = read_ei(path, PLAN)
    assert {name: len(found) for name, found in rows.items()} == {"sub-01": 120, "sub-02": 120}
    with pytest.raises(InputError, match=r"EI test of nobody in the corpus .*'sub-3'"):
        read_ei(write_ei(path, "sub-3"), PLAN)
    with pytest.raises(InputError, match="missing file"):
        read_ei(tmp_path / "none.tsv", PLAN)
