"""Pictures are cut, looked at and left out, a few at a time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.corpora import reading
from eifer.corpora.labelled import Box, Labelled, described
from eifer.corpora.looks import look_at
from eifer.corpora.reading import added_up, picture, png, read_corpus
from eifer.errors import InputError
from eifer.faces.pictures import decoded
from eifer.tables.attrition import images_left_out
from tests.eifer.corpora.readers.published import drawn


def labelled(pictures: list[bytes], labels: list[str]) -> Labelled:
    # In another order than that of their names.
    named = [f"tiny/{len(pictures) - k:03d}" for k in range(len(pictures))]
    rows = [
        {"image_id": name, "corpus": "tiny", "label": label}
        for name, label in zip(named, labels, strict=True)
    ]
    return Labelled(described(rows, "corpus"), lambda: iter(pictures), images_left_out("tiny", {}))


def test_chunks_hold_each_picture_beside_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 3)
    files = [drawn(10 * k, side=20 + k) for k in range(7)]
    files[4] = b"no picture"
    corpus = labelled(files, ["happy", "sad"] * 3 + ["fear"])
    parts = list(read_corpus(corpus))
    assert [len(part.images) for part in parts] == [3, 2, 1]
    images = pd.concat([part.images for part in parts]).set_index("image_id")
    pictures = pd.concat([part.pictures for part in parts]).set_index("image_id")["image"]
    for k, (name, label) in enumerate(
        zip(corpus.rows["image_id"], corpus.rows["label"], strict=True)
    ):
        if k == 4:
            assert name not in images.index
            continue
        look = look_at(files[k])
        assert pictures[name] == files[k]
        assert images.loc[name, ["label", "width_px", "height_px", "sha256", "look"]].tolist() == [
            label,
            20 + k,
            20 + k,
            look.sha256,
            look.look,
        ]
    assert not images["colour"].any()
    left_out = added_up(part.left_out for part in parts)
    assert left_out[["what", "reason", "n"]].values.tolist() == [
        ["tiny", "picture cannot be decoded", 1]
    ]


def test_workers_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 4)
    corpus = labelled([drawn(k) for k in range(10)], ["happy", "sad"] * 5)
    with ThreadPoolExecutor(2) as pool:
        there = list(read_corpus(corpus, pool.map))
    for one, other in zip(read_corpus(corpus), there, strict=True):
        pd.testing.assert_frame_equal(one.images, other.images)
        pd.testing.assert_frame_equal(one.pictures, other.pictures)


def test_no_more_than_a_chunk_is_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CHUNK", 5)
    given = []

    def pictures() -> Iterator[bytes]:
        for k in range(40):
            given.append(k)
            yield drawn(k)

    corpus = labelled([b""] * 40, ["happy", "sad"] * 20)
    parts = read_corpus(Labelled(corpus.rows, pictures, corpus.left_out))
    for chunk in range(1, 5):
        next(parts)
        assert len(given) == 5 * chunk


def image_of(box: Box, encoded: bytes) -> NDArray[np.uint8]:
    seen = picture((encoded, box))
    assert not isinstance(seen, str)
    return decoded(seen[0])


def test_boxes_are_cut_out_and_clipped() -> None:
    rng = np.random.default_rng(3)
    whole = rng.integers(0, 256, (20, 30, 3), np.uint8)
    encoded = png(whole)
    assert (decoded(encoded) == whole).all()
    assert (image_of(Box(4, 5, 10, 8), encoded) == whole[5:13, 4:14]).all()
    assert (image_of(Box(-3, -2, 10, 8), encoded) == whole[:6, :7]).all()
    assert (image_of(Box(25, 15, 99, 99), encoded) == whole[15:, 25:]).all()
    assert (image_of(Box(4.5, 5.5, 1, 1), encoded) == whole[5:7, 4:6]).all()
    assert (image_of(Box(0.5, 0.25, 0.4999, 0.75, shares=True), encoded) == whole[5:, 15:]).all()
    # A share of six decimals is the pixel that it was made of.
    third = Box(0.333333, 0, 0.333333, 1, shares=True)
    assert image_of(third, encoded).shape == (20, 10, 3)
    assert picture((encoded, Box(30, 0, 5, 5))) == "picture does not hold the face's box"


def test_what_is_no_png_or_jpeg_becomes_one() -> None:
    tiff, jpeg = drawn(30, kind=".tiff"), drawn(30, kind=".jpg")
    kept, made = picture((jpeg, None)), picture((tiff, None))
    assert not isinstance(kept, str) and kept[0] == jpeg
    assert not isinstance(made, str) and made[0].startswith(b"\x89PNG")
    assert (decoded(made[0]) == decoded(tiff)).all()
    # Grey pictures are stored grey.
    assert cv2.imdecode(np.frombuffer(made[0], np.uint8), cv2.IMREAD_UNCHANGED).ndim == 2


def test_a_picture_of_too_many_pixels() -> None:
    huge = png(np.zeros((2**13, 2**13 + 1), np.uint8))
    assert picture((huge, None)) == f"picture of more than {2**26} pixels"


def test_pictures_of_one_class_alone_are_refused_at_the_end() -> None:
    corpus = labelled([drawn(1), b"", b"x"], ["happy", "sad", "fear"])
    parts = read_corpus(corpus)
    assert len(next(parts).images) == 1
    with pytest.raises(InputError, match="3 images: 2 picture cannot be decoded"):
        next(parts)


def test_a_reader_that_loses_pictures_is_told() -> None:
    corpus = labelled([drawn(1), drawn(2)], ["happy", "sad"])
    short = Labelled(corpus.rows, lambda: iter([drawn(1)]), corpus.left_out)
    with pytest.raises(ValueError, match="1 pictures for 2 rows"):
        list(read_corpus(short))


def test_the_same_reason_adds_up() -> None:
    added = added_up([images_left_out("a", {"x": 2, "y": 1}), images_left_out("a", {"x": 3})])
    assert added[["what", "reason", "n"]].values.tolist() == [["a", "x", 5], ["a", "y", 1]]
