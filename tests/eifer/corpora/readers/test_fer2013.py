"""FER2013 in all its files, FER+'s votes, and what may be wrong with either."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import open_corpus
from eifer.errors import InputError
from eifer.faces.pictures import decoded
from tests.eifer.corpora.readers.published import (
    BOM,
    FER_HEAD,
    FER_PARTS,
    FER_ROWS,
    drawn,
    fer2013_csv,
    fer2013_folders,
    fer_rows,
    ferplus,
    grey_values,
    icml,
    problems,
    put,
    write_csv,
)

VOTES = [
    # neutral happiness surprise sadness anger disgust fear contempt unknown NF
    (4, 0, 0, 1, 3, 2, 0, 0, 0, 0),
    (0, 0, 0, 0, 0, 8, 0, 2, 0, 0),
    (0, 0, 0, 0, 0, 0, 0, 0, 0, 10),
    (0, 9, 0, 0, 0, 0, 0, 0, 1, 0),
    (0, 0, 0, 9, 1, 0, 0, 0, 0, 0),
    (0, 0, 10, 0, 0, 0, 0, 0, 0, 0),
    (10, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    (0, 5, 0, 0, 0, 0, 0, 3, 1, 1),
]


def opened(path: Path, votes: Path | None = None) -> Labelled:
    return open_corpus("fer", CorpusSpec("fer2013_csv", str(path), votes and str(votes)))


def test_pixels_become_the_picture(tmp_path: Path) -> None:
    labelled = open_corpus("fer", fer2013_csv(tmp_path))
    for k, encoded in enumerate(labelled.pictures()):
        assert (decoded(encoded) == decoded(drawn(10 * k))).all()
        assert decoded(encoded).shape == (48, 48, 3)
    values = " ".join(str(k % 251) for k in range(2304))
    write_csv(tmp_path / "b.csv", [FER_HEAD, *fer_rows()[:-1], (3, values, "PrivateTest")])
    *_, last = opened(tmp_path / "b.csv").pictures()
    assert (decoded(last)[..., 0] == (np.arange(2304) % 251).reshape(48, 48)).all()


def test_columns_with_spaces_are_the_same_corpus(tmp_path: Path) -> None:
    one, other = open_corpus("fer", fer2013_csv(tmp_path)), open_corpus("fer", icml(tmp_path))
    assert one.rows.equals(other.rows)
    assert list(one.pictures()) == list(other.pictures())


def test_a_byte_order_mark_and_quotes_change_nothing(tmp_path: Path) -> None:
    spec = fer2013_csv(tmp_path / "plain")
    text = Path(spec.path).read_text()
    quoted = "\r\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.splitlines()
    )
    marked = put(tmp_path / "marked.csv", BOM + quoted)
    assert opened(marked).rows.equals(open_corpus("fer", spec).rows)


def test_train_and_unlabelled_test(tmp_path: Path) -> None:
    labelled_rows = [(code, pixels) for code, pixels, _ in fer_rows()]
    write_csv(tmp_path / "train.csv", [FER_HEAD[:2], *labelled_rows])
    write_csv(tmp_path / "test.csv", [("pixels",), *[(grey_values(k),) for k in range(3)]])
    for path in (tmp_path, tmp_path / "train.csv"):
        labelled = opened(path)
        assert set(labelled.rows["official"]) == {"Training"}
        assert len(labelled.rows) == len(FER_ROWS)
        assert labelled.left_out[["reason", "n"]].values.tolist() == [
            ["without a label in test.csv", 3]
        ]


def test_a_folder_of_the_whole_challenge_is_its_whole_file(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", [FER_HEAD[:2], (0, grey_values(1)), (1, grey_values(2))])
    icml(tmp_path)
    assert len(opened(tmp_path).rows) == len(FER_ROWS)


def test_a_folder_with_none_of_its_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder without a file of FER2013"):
        opened(tmp_path)


def test_votes_are_joined_row_by_row(tmp_path: Path) -> None:
    votes = ferplus(tmp_path / "fer2013new.csv", VOTES, FER_PARTS)
    assert ",," not in votes.read_text().splitlines()[1]
    assert votes.read_text().splitlines()[3].startswith("Training,,")
    found = opened(Path(fer2013_csv(tmp_path).path), votes).rows
    names = ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear", "other"]
    assert found[[f"votes_{name}" for name in names]].values.tolist() == [
        [*row[:7], sum(row[7:])] for row in VOTES
    ]
    assert (
        found["label"].tolist() == open_corpus("fer", fer2013_csv(tmp_path)).rows["label"].tolist()
    )


def broken(change: Callable[[list[list[object]]], object]) -> list[list[object]]:
    changed = fer_rows()
    change(changed)
    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda r: r[2].__setitem__(1, grey_values(0, 2303)), r"line 4: 2303 values"),
        (lambda r: r[2].__setitem__(1, grey_values(0, 30_000)), r"line 4: 30000 values"),
        (lambda r: r[2].__setitem__(1, grey_values(0, 1_000_000)), r"line 4: field larger"),
        (lambda r: r[2].__setitem__(1, ""), r"line 4: 0 values"),
        (lambda r: r[2].__setitem__(1, grey_values(250)), r"line 4: a value of 265"),
        (lambda r: r[2].__setitem__(1, grey_values(241)), r"line 4: a value of 256"),
        (lambda r: r[2].__setitem__(1, "0.5 " * 2304), "line 4: not only whole numbers"),
        (lambda r: r[2].__setitem__(1, "-1 " * 2304), "line 4: not only whole numbers"),
        (lambda r: r[2].__setitem__(0, 7), r"unknown label \(1\): fer2013.csv line 4: '7'"),
        (lambda r: r[2].__setitem__(0, ""), r"unknown label \(1\): fer2013.csv line 4: ''"),
        (lambda r: r[2].__setitem__(0, "2.5"), r"unknown label .*'2.5'"),
        (lambda r: r[2].__setitem__(2, "Trainig"), "did you mean 'Training'"),
        (lambda r: r.__delitem__(slice(6, None)), r"official part without .*: PrivateTest"),
        (lambda r: r[2].append("more"), r"line 4: 4, not 3"),
        (lambda r: r.clear(), "no image"),
        (lambda r: [row.__setitem__(0, 3) for row in r], "8 images, all happy"),
    ],
)
def test_what_is_wrong_with_a_row(
    tmp_path: Path, change: Callable[[list[list[object]]], object], says: str
) -> None:
    path = write_csv(tmp_path / "fer2013.csv", [FER_HEAD, *broken(change)])
    with pytest.raises(InputError, match=says):
        opened(path)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    wrong = fer_rows()
    wrong[0][0], wrong[1][0], wrong[2][1], wrong[3][2] = 8, 9, "1 2", "test"
    path = write_csv(tmp_path / "fer2013.csv", [FER_HEAD, *wrong])
    with pytest.raises(InputError) as refused:
        opened(path, ferplus(tmp_path / "votes.csv", VOTES, FER_PARTS))
    assert sorted(problem.what for problem in refused.value.problems) == [
        "pixels that are not 2304 grey values",
        "unknown Usage",
        "unknown label",
        "unknown label",
    ]


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (("emotion", "pixel", "Usage"), "column pixels is missing.*did you mean 'pixel'"),
        (("emotion", "pixels", "pixels"), "column Usage is missing"),
        (("emotion", "Usage", "Usage"), "column Usage is there twice"),
    ],
)
def test_columns_that_are_wrong(tmp_path: Path, head: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        opened(write_csv(tmp_path / "fer2013.csv", [head, *fer_rows()]))


def test_what_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text in UTF-8"):
        opened(put(tmp_path / "a.csv", "emotion,pixels,Usage\n0,ä,Training".encode("utf-16")))
    with pytest.raises(InputError, match="no CSV file"):
        opened(put(tmp_path / "a.csv", 'emotion,pixels,Usage\n0,"1 2,Training'))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.rsplit("\n", 2)[0] + "\n", "another number of images.*: 7 for 8"),
        (lambda t: t.replace("fer0000001", "fer0000009"), "image 1: fer0000009.png"),
        (lambda t: t.replace("PublicTest,", "PrivateTest,", 1), "image 4: PrivateTest"),
        (lambda t: t.replace(",9,", ",many,", 1), "line 5: happiness 'many'"),
        (lambda t: t.replace(",9,", ",-9,", 1), "line 5: happiness '-9'"),
        (lambda t: t.replace("contempt", "smirk"), "column contempt is missing"),
    ],
)
def test_votes_of_other_images(tmp_path: Path, change: Callable[[str], str], says: str) -> None:
    votes = ferplus(tmp_path / "fer2013new.csv", VOTES, FER_PARTS)
    votes.write_text(change(votes.read_text()))
    with pytest.raises(InputError, match=says):
        opened(Path(fer2013_csv(tmp_path).path), votes)


def test_votes_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing \(1\): .*fer2013new.csv"):
        opened(Path(fer2013_csv(tmp_path).path), tmp_path / "fer2013new.csv")


@pytest.mark.parametrize("shift", [0, 1])
def test_votes_in_another_order_within_a_part(tmp_path: Path, shift: int) -> None:
    """Names of images and parts are right there, and yet each row has another's votes."""
    codes = [k % 7 for k in range(28)]
    column = [4, 5, 6, 1, 3, 2, 0]  # of FER2013's codes among FER+'s columns
    parts = ["Training"] * 26 + ["PublicTest", "PrivateTest"]
    table = [(code, grey_values(3), part) for code, part in zip(codes, parts, strict=True)]
    path = write_csv(tmp_path / "fer2013.csv", [FER_HEAD, *table])
    answered = codes[shift:] + codes[:shift]
    majorities = [[10 * (k == column[code]) for k in range(10)] for code in answered]
    votes = ferplus(tmp_path / "votes.csv", majorities, parts)
    if not shift:
        assert opened(path, votes).rows["votes_happy"].max() == 10
        return
    with pytest.raises(InputError, match="of 28 images with a majority 0 have it"):
        opened(path, votes)


@pytest.mark.parametrize(
    "votes", [(4, 3, 0, 3, 0, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 0, 0, 0, 0, 10), (0,) * 10]
)
def test_votes_without_a_majority_contradict_nothing(
    tmp_path: Path, votes: tuple[int, ...]
) -> None:
    parts = ["Training"] * 26 + ["PublicTest", "PrivateTest"]
    table = [(k % 3, grey_values(3), part) for k, part in enumerate(parts)]
    path = write_csv(tmp_path / "fer2013.csv", [FER_HEAD, *table])
    labelled = opened(path, ferplus(tmp_path / "votes.csv", [votes] * 28, parts))
    assert set(labelled.rows["votes_neutral"]) == {votes[0]}


def test_folders_that_contradict_their_names(tmp_path: Path) -> None:
    spec = fer2013_folders(tmp_path)
    put(tmp_path / "train" / "sad" / "PublicTest_5.jpg", drawn(1))
    put(tmp_path / "test" / "gloomy" / "PublicTest_6.jpg", drawn(1))
    assert problems(spec) == [
        "file in train whose name does not begin with Training_: train/sad/PublicTest_5.jpg",
        "unknown label: test/gloomy: 'gloomy'",
    ]
