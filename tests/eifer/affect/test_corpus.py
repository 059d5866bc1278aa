"""Corpora of several origins come to one form; what is left out is counted."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from eifer.affect.corpus import AFFECTNET_COLUMNS, Align, Box, align_corpus, open_corpus
from eifer.errors import InputError
from eifer.tables.affect import CORPUS
from stages._runtime.pool import each

Image = NDArray[np.uint8]


def picture(value: int, kind: str = ".png") -> bytes:
    """A plain RGB picture whose red is ``value``, its green and blue fixed."""
    rgb = np.full((12, 10, 3), (value, 100, 50), np.uint8)
    done, encoded = cv2.imencode(kind, np.ascontiguousarray(rgb[..., ::-1]))
    assert done
    return encoded.tobytes()


def align(rgb: Image, box: Box | None = None) -> Image | None:
    """Finds a face in bright pictures only."""
    return None if rgb[0, 0, 0] < 30 else np.ascontiguousarray(rgb[:8, :8])


def write_table(path: Path, **changes: object) -> None:
    values = [200, 10, 90, 250]
    table = pd.DataFrame(
        {
            "image_id": ["a", "b", "c", "d"],
            "identity": ["p", "p", "q", "q"],
            "image": [picture(value) for value in values],
            "arousal": [-1.0, 0.5, 0.25, 1.0],
            "valence": [0.0, -0.5, 0.75, -1.0],
            "source": "drawn",
        }
    ).assign(**changes)
    table.to_parquet(path)


def write_affectnet(
    folder: Path, rows: list[tuple[str, float, float]], headed: bool = True
) -> None:
    """Rows are (path, valence, arousal); all in the training list but the last."""
    for name, part in (("training.csv", rows[:-1]), ("validation.csv", rows[-1:])):
        lines = [f"{path},1,2,3,4,0.5;0.5,0,{valence},{arousal}" for path, valence, arousal in part]
        head = [",".join(AFFECTNET_COLUMNS)] if headed else []
        (folder / name).write_text("\n".join(head + lines) + "\n")
    for path in [path for path, _, _ in rows if path]:
        place = folder / "Manually_Annotated_Images" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture(200, ".jpg"))


ROWS = [
    ("9/b.jpg", 0.5, -0.25),
    ("1/a.jpg", -2.0, -2.0),
    ("1/c.jpg", 1.0, 0.0),
    ("2/d.jpg", 0.0, 1),
]


def test_the_simulated_table_is_aligned_and_faceless_images_counted(tmp_path: Path) -> None:
    write_table(tmp_path / "corpus.parquet")
    found = align_corpus(open_corpus(tmp_path), align, 8)
    assert found.images[:, 0, 0].tolist() == [[200, 100, 50], [90, 100, 50], [250, 100, 50]]
    assert found.targets.tolist() == [[-1, 0], [0.25, 0.75], [1, -1]]
    assert found.identities == ["p", "q", "q"]
    assert found.left_out[["level", "reason", "n"]].values.tolist() == [
        ["image", "no face found in the image", 1]
    ]


def test_memory_mapping_changes_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    write_table(tmp_path / "corpus.parquet")
    corpus = open_corpus(tmp_path / "corpus.parquet")
    expected = align_corpus(corpus, align, 8)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = align_corpus(corpus, align, 8, scratch=scratch)
    assert isinstance(found.images, np.memmap)
    assert list(scratch.iterdir()) == []
    assert found.images.tobytes() == expected.images.tobytes()
    assert found.targets.tobytes() == expected.targets.tobytes()
    pd.testing.assert_frame_equal(found.left_out, expected.left_out)


def test_processes_change_nothing(tmp_path: Path) -> None:
    write_table(tmp_path / "corpus.parquet")
    corpus = open_corpus(tmp_path / "corpus.parquet")
    # A function that fresh processes can import.
    cut: Align = partial(cv2.resize, fx=8 / 10, fy=8 / 12)  # type: ignore[assignment]
    expected = align_corpus(corpus, cut, 8)
    found = align_corpus(corpus, cut, 8, each=partial(each, workers=2, label="faces"))
    assert found.images.tobytes() == expected.images.tobytes()
    assert found.identities == expected.identities


@pytest.mark.parametrize("headed", [True, False])
@pytest.mark.parametrize("lists", [".", "Manually_Annotated_file_lists"])
def test_affectnet_lists(tmp_path: Path, headed: bool, lists: str) -> None:
    write_affectnet(tmp_path, ROWS, headed)
    (tmp_path / lists).mkdir(exist_ok=True)
    for name in ("training.csv", "validation.csv"):
        (tmp_path / name).rename(tmp_path / lists / name)
    corpus = open_corpus(tmp_path)
    assert corpus.annotations[["image_id", "arousal", "valence", "source"]].values.tolist() == [
        ["1/c.jpg", 0, 1, "AffectNet training.csv"],
        ["2/d.jpg", 1, 0, "AffectNet validation.csv"],
        ["9/b.jpg", -0.25, 0.5, "AffectNet training.csv"],
    ]
    assert corpus.annotations["identity"].is_unique
    found = align_corpus(corpus, align, 8)
    assert len(found.images) == 3
    assert found.left_out[["reason", "n"]].values.tolist() == [
        ["no arousal and valence (-2) in AffectNet training.csv", 1]
    ]
    table = corpus.annotations.assign(image=list(corpus.images()))
    assert CORPUS.conform(table)["image"].map(lambda b: b[:3]).eq(b"\xff\xd8\xff").all()


def boxes(folder: Path, changes: dict[str, str]) -> None:
    """Replace the box of images in AffectNet's lists."""
    for name in ("training.csv", "validation.csv"):
        text = (folder / name).read_text()
        for image, box in changes.items():
            text = text.replace(f"{image},1,2,3,4,", f"{image},{box},")
        (folder / name).write_text(text)


def test_the_box_says_which_face_is_meant(tmp_path: Path) -> None:
    write_affectnet(tmp_path, ROWS)
    boxes(tmp_path, {"9/b.jpg": "5,6,3.5,3", "1/a.jpg": "-2,-2,0,0"})
    seen: list[Box | None] = []

    def align(rgb: Image, box: Box | None) -> Image | None:
        seen.append(box)
        return None if box == (5, 6, 3.5, 3) else np.ascontiguousarray(rgb[:8, :8])

    found = align_corpus(open_corpus(tmp_path), align, 8)
    assert seen == [(1, 2, 3, 4), (1, 2, 3, 4), (5, 6, 3.5, 3)]
    assert found.left_out[["reason", "n"]].values.tolist() == [
        ["no arousal and valence (-2) in AffectNet training.csv", 1],
        ["no face found at the face's box", 1],
    ]
    assert found.identities == ["1/c.jpg", "2/d.jpg"]


@pytest.mark.parametrize("box", ["5,6,0,3", "5,6,3,-1", "a,6,3,3", ",6,3,3", "5,6,inf,3"])
def test_a_box_that_is_no_place_is_named(tmp_path: Path, box: str) -> None:
    write_affectnet(tmp_path, ROWS)
    boxes(tmp_path, {"9/b.jpg": box})
    with pytest.raises(InputError, match=r"box is no place.*9/b\.jpg has "):
        open_corpus(tmp_path)


def test_a_corpus_without_a_face_is_named(tmp_path: Path) -> None:
    write_table(tmp_path / "corpus.parquet", image=[picture(10)] * 3 + [b""])
    said = r"not one face to train on \(1\): 4 images: 1 image cannot be decoded, 3 no face found"
    with pytest.raises(InputError, match=said):
        align_corpus(open_corpus(tmp_path), align, 8)


def test_affectnet_arrays(tmp_path: Path) -> None:
    for part, number, arousal in (
        ("train_set", 5, 0.5),
        ("train_set", 12, -2.0),
        ("val_set", 0, -0.5),
    ):
        for kind in ("images", "annotations"):
            (tmp_path / part / kind).mkdir(parents=True, exist_ok=True)
        (tmp_path / part / "images" / f"{number}.jpg").write_bytes(picture(99, ".jpg"))
        np.save(tmp_path / part / "annotations" / f"{number}_aro.npy", str(arousal))
        np.save(tmp_path / part / "annotations" / f"{number}_val.npy", np.float64(0.25))
    corpus = open_corpus(tmp_path)
    assert corpus.annotations["image_id"].tolist() == [
        "train_set/images/5.jpg",
        "val_set/images/0.jpg",
    ]
    assert corpus.annotations["arousal"].tolist() == [0.5, -0.5]
    assert corpus.left_out["n"].tolist() == [1]
    annotation = tmp_path / "val_set/annotations/0_val.npy"
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    with annotation.open("wb") as file:  # a header that claims 8 TB
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(InputError, match=r"val_set/annotations/0_val\.npy"):
        open_corpus(tmp_path)
    annotation.unlink()
    with pytest.raises(InputError, match=r"val_set/annotations/0_val\.npy"):
        open_corpus(tmp_path)


def test_a_small_file_of_a_huge_picture_is_not_unpacked(tmp_path: Path) -> None:
    rows = zlib.compress(bytes(1 + 16200 // 8) * 16200, 9)  # one bit a pixel

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 16200, 16200, 1, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    write_table(tmp_path / "corpus.parquet", image=[png, picture(90), picture(200), picture(250)])
    found = align_corpus(open_corpus(tmp_path / "corpus.parquet"), align, 8)
    assert found.left_out[["reason", "n"]].values.tolist() == [
        ["image of more than 67108864 pixels", 1]
    ]


def test_crops_of_another_size_are_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "corpus.parquet")
    corpus = open_corpus(tmp_path / "corpus.parquet")
    with pytest.raises(ValueError, match="the network takes"):
        align_corpus(corpus, align, 9)


def test_all_bad_values_are_listed_at_once(tmp_path: Path) -> None:
    write_table(
        tmp_path / "corpus.parquet",
        arousal=[-2.0, 0, 0, float("nan")],
        valence=[0.0, 1.5, 0, 0],
        image_id=["a", "b", "c", "c"],
    )
    with pytest.raises(InputError) as caught:
        open_corpus(tmp_path / "corpus.parquet")
    message = str(caught.value)
    assert len(caught.value.problems) == 4
    assert all(
        part in message for part in ("a has -2.0", "c has nan", "b has 1.5", "more than once")
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("../b.jpg", 0.5, 0.5), *ROWS], "lead out of the folder"),
        ([("", 0.5, 0.5), *ROWS], "lead out of the folder"),
        ([("1/b.jpg", 3.0, 0.5), *ROWS], r"valence is not a number in \[-1, 1\].*1/b.jpg has 3.0"),
        ([("1/a.jpg", -2.0, -2.0), ("1/b.jpg", -2.0, -2.0)], "no annotated images"),
    ],
)
def test_affectnet_lists_that_are_wrong(
    tmp_path: Path, rows: list[tuple[str, float, float]], said: str
) -> None:
    write_affectnet(tmp_path, rows)
    with pytest.raises(InputError, match=said):
        open_corpus(tmp_path)


def test_missing_pictures_are_counted_with_examples(tmp_path: Path) -> None:
    write_affectnet(tmp_path, [(f"1/{i}.jpg", 0.0, 0.0) for i in range(9)])
    for i in range(7):
        (tmp_path / "Manually_Annotated_Images" / f"1/{i}.jpg").unlink()
    with pytest.raises(InputError, match=r"\(7\): 1/0.jpg.*1/4.jpg and 2 more"):
        open_corpus(tmp_path)


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "training.csv").write_text("subDirectory_filePath,arousal\nx.jpg,0\n")
    with pytest.raises(InputError, match=r"columns are missing.*valence"):
        open_corpus(tmp_path)


def test_what_is_no_corpus_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="no corpus of a known form"):
            open_corpus(place)
    (tmp_path / "corpus.parquet").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a Parquet file"):
        open_corpus(tmp_path / "corpus.parquet")
    pd.DataFrame({"image_id": ["a"]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(InputError, match=r"columns are missing.*identity"):
        open_corpus(tmp_path / "other.parquet")


def test_no_more_than_a_chunk_of_images_is_read_ahead(tmp_path: Path) -> None:
    n = 600
    write_affectnet(tmp_path, [(f"{i}.jpg", 0.0, 0.0) for i in range(n)])
    corpus = open_corpus(tmp_path)
    read, ahead = 0, []

    def counted() -> Iterator[bytes]:
        nonlocal read
        for image in corpus.images():
            read += 1
            yield image

    def slow(rgb: Image, box: Box | None) -> Image | None:
        ahead.append(read - len(ahead))
        return align(rgb)

    found = align_corpus(replace(corpus, images=counted), slow, 8)
    assert len(found.images) == n
    assert max(ahead) <= 256
