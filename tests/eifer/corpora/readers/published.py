"""Tiny corpora in the structure in which each was published, drawn by no one."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from eifer.affect.corpus import AFFECTNET_COLUMNS
from eifer.corpora.labelled import CorpusSpec
from eifer.corpora.readers import open_corpus
from eifer.errors import InputError

BOM = "\ufeff"


def problems(spec: CorpusSpec) -> list[str]:
    """What is wrong with a corpus, and where."""
    with pytest.raises(InputError) as refused:
        open_corpus("tiny", spec)
    return [f"{problem.what}: {problem.where}" for problem in refused.value.problems]


def drawn(value: int, side: int = 48, kind: str = ".png", colour: bool = False) -> bytes:
    """A picture whose brightness grows to the right from ``value``; in colour it has no blue."""
    grey = (value + np.arange(side) % 16)[None, :].repeat(side, axis=0).astype(np.uint8)
    image = np.stack([0 * grey, grey, grey], axis=2) if colour else grey
    done, encoded = cv2.imencode(kind, image)
    assert done
    return encoded.tobytes()


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def grey_values(value: int, n: int = 48 * 48) -> str:
    return " ".join(str(value + k % 16) for k in range(n))


def write_csv(path: Path, rows: Iterable[Sequence[object]], ends: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator=ends).writerows(rows)
    return path


FER_ROWS = [
    (0, "Training"),
    (1, "Training"),
    (2, "Training"),
    (3, "Training"),
    (4, "PublicTest"),
    (5, "PublicTest"),
    (6, "PrivateTest"),
    (3, "PrivateTest"),
]
"""FER2013's codes and parts; the k-th picture begins at 10 k."""
FER_PARTS = [part for _, part in FER_ROWS]
FER_LABELS = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral", "happy"]
FER_HEAD = ("emotion", "pixels", "Usage")


def fer_rows() -> list[list[object]]:
    return [[code, grey_values(10 * k), usage] for k, (code, usage) in enumerate(FER_ROWS)]


def fer2013_csv(folder: Path) -> CorpusSpec:
    path = write_csv(folder / "fer2013.csv", [FER_HEAD, *fer_rows()])
    return CorpusSpec("fer2013_csv", str(path), None)


def icml(folder: Path) -> CorpusSpec:
    rows = [(code, usage, pixels) for code, pixels, usage in fer_rows()]
    head = ("emotion", " Usage", " pixels")
    path = write_csv(folder / "icml_face_data.csv", [head, *rows], "\r\n")
    return CorpusSpec("fer2013_csv", str(path), None)


FERPLUS = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def ferplus(path: Path, votes: Sequence[Sequence[int]], parts: Sequence[str]) -> Path:
    rows = [
        f"{part},{'' if row[-1] == sum(row) else f'fer{k:07d}.png'},{','.join(map(str, row))}"
        for k, (row, part) in enumerate(zip(votes, parts, strict=True))
    ]
    return put(path, "\n".join([FERPLUS, *rows]) + "\n")


def fer2013_folders(folder: Path) -> CorpusSpec:
    for k, place in enumerate(
        (
            "train/angry/Training_3908.jpg",
            "train/happy/Training_1.jpg",
            "test/angry/PublicTest_11.jpg",
            "test/neutral/PrivateTest_7.jpg",
        )
    ):
        put(folder / place, drawn(20 * k, kind=".jpg"))
    put(folder / "train/angry/.DS_Store", "x")
    return CorpusSpec("fer2013_folders", str(folder), None)


def affectnet_lists(folder: Path, headed: bool = True) -> CorpusSpec:
    lists = {
        "training.csv": [("1/a.jpg", 1), ("1/b.jpg", 6), ("2/c.jpg", 7), ("2/d.jpg", 10)],
        "validation.csv": [("3/e.jpg", 0), ("3/gone.jpg", 0)],
    }
    for name, images in lists.items():
        lines = [f"{image},8,4,24,32,1;2,{code},-2,-2" for image, code in images]
        head = [",".join(AFFECTNET_COLUMNS)] if headed else []
        put(folder / name, "\r\n".join(head + lines))
    for k, image in enumerate(("1/a.jpg", "1/b.jpg", "2/c.jpg", "2/d.jpg", "3/e.jpg")):
        put(folder / "Manually_Annotated_Images" / image, drawn(30 * k, 64, ".jpg"))
    return CorpusSpec("affectnet_lists", str(folder), None)


def affectnet_arrays(folder: Path) -> CorpusSpec:
    for k, (place, code) in enumerate(
        (("train_set", 3), ("train_set", 7), ("train_set", 4), ("val_set", 2))
    ):
        put(folder / place / "images" / f"{k}.jpg", drawn(30 * k, kind=".jpg"))
        annotations = folder / place / "annotations"
        annotations.mkdir(parents=True, exist_ok=True)
        np.save(annotations / f"{k}_exp.npy", np.array(str(code)))  # as published: a text of 0-d
        np.save(annotations / f"{k}_aro.npy", np.array("0.1"))
    return CorpusSpec("affectnet_arrays", str(folder), None)


def affectnet_labels(folder: Path) -> CorpusSpec:
    rows = [
        ("anger/image0000006.jpg", "anger"),
        ("anger/image0000007.jpg", "fear"),
        ("contempt/image0000008.jpg", "contempt"),
        ("happy/image0000009.jpg", "happy"),
        ("surprise/image0000010.jpg", "surprise"),
    ]
    for k, (place, _) in enumerate(rows):
        put(folder / place, drawn(20 * k, 96, ".jpg", colour=True))
    listed = [(k, place, label, 0.87) for k, (place, label) in enumerate(rows)]
    write_csv(folder / "labels.csv", [("", "pth", "label", "relFCs"), *listed])
    return CorpusSpec("affectnet_labels", str(folder), None)


def affectnet_yolo(folder: Path) -> CorpusSpec:
    names = ["Anger", "Contempt", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    put(folder / "data.yaml", f"nc: 8\nnames: {names}\n")
    for part, name, label in (
        ("train", "a", "0 0.5 0.5 0.5 0.25\n7 0.5 0.5 1 1\n"),
        ("train", "b", "1 0.5 0.5 1 1"),
        ("train", "none", ""),
        ("valid", "c", "4 0.515625 0.515625 0.968750 0.968750\r\n"),
        ("test", "d", "6 0.5 0.5 1 1"),
    ):
        put(folder / part / "images" / f"{name}.png", drawn(ord(name[0]), 96))
        put(folder / part / "labels" / f"{name}.txt", label)
    put(folder / "test" / "images" / "unlabelled.png", drawn(1, 96))
    return CorpusSpec("affectnet_yolo", str(folder), None)


def folders(folder: Path) -> CorpusSpec:
    for part, name, shade in (
        ("train", "Angry", 0), ("train", "happiness", 50), ("train", "contempt", 100),
        ("test", "happiness", 150),
    ):  # fmt: skip
        put(folder / part / name / "1.png", drawn(shade))
    put(folder / "train" / "Angry" / "more" / "2.png", drawn(200))
    put(folder / "loose.png", drawn(20))
    return CorpusSpec("folders", str(folder), None)


def nhfi(folder: Path) -> CorpusSpec:
    for k, name in enumerate(
        ["anger", "contempt", "disgust", "fear", "happiness", "neutrality", "sadness", "surprise"]
    ):
        put(folder / name / f"images - 2020-11-06T{k}_face.png", drawn(20 * k, 224))
    put(folder / "anger" / "notes.txt", "x")
    return CorpusSpec("nhfi", str(folder), None)


RAFDB = (
    # Image, code, and the lines of gender, race and age.
    ("train_00001", 5, "0\n0\n0"),
    ("train_00002", 1, "1\n1\n1"),
    ("train_00003", 4, "2\n2\n2"),
    ("test_0001", 7, "1\n2\n4"),
    ("test_0002", 2, "0\n0\n3"),
    ("test_0003", 3, "0\n0\n3"),
    ("test_0004", 6, "0\n0\n3"),
)


def rafdb(folder: Path) -> CorpusSpec:
    lines = "".join(f"{image}.jpg {code}\n" for image, code, _ in RAFDB)
    put(folder / "basic" / "EmoLabel" / "list_patition_label.txt", lines)
    for k, (image, _, attributes) in enumerate(RAFDB):
        place = folder / "basic" / "Image" / "aligned" / f"{image}_aligned.jpg"
        put(place, drawn(20 * k, 100, ".jpg", colour=True))
        points = "".join(f"{10 + k}.5\t{20 + k}.25\n" for k in range(5))
        place = folder / "basic" / "Annotation" / "manual" / f"{image}_manu_attri.txt"
        put(place, f"{points}{attributes}\n")
    return CorpusSpec("rafdb", str(folder), None)


def ckplus(folder: Path) -> CorpusSpec:
    for k, (person, sequence, frame, code) in enumerate(
        (
            ("S005", "001", "00000011", 3),
            ("S010", "002", "00000014", 7),
            ("S010", "004", "00000019", 1),
            ("S011", "001", "00000016", 2),
            ("S011", "002", "00000022", None),
        )
    ):
        stem = f"{person}_{sequence}_{frame}"
        put(folder / "cohn-kanade-images" / person / sequence / f"{stem}.png", drawn(20 * k, 64))
        emotion = folder / "Emotion" / person / sequence
        emotion.mkdir(parents=True)
        if code is not None:
            put(emotion / f"{stem}_emotion.txt", f"   {code:.7e}\n")
    return CorpusSpec("ckplus", str(folder), None)


def ckplus_csv(folder: Path) -> CorpusSpec:
    rows = fer_rows()
    rows.insert(1, [7, grey_values(200), "Training"])
    write_csv(folder / "ckextended.csv", [FER_HEAD, *rows])
    return CorpusSpec("ckplus_csv", str(folder), None)


def jaffe(folder: Path) -> CorpusSpec:
    names = ("KA.AN1.39", "KA.HA2.30", "KL.DI1.170", "KL.FE3.176", "MK.NE1.113")
    for k, name in enumerate(names):
        put(folder / f"{name}.tiff", drawn(20 * k, 64, ".tiff"))
    put(folder / "README", "x")
    return CorpusSpec("jaffe", str(folder), None)


def expw(folder: Path) -> CorpusSpec:
    lines = [
        "angry_actor_104.jpg 0 28 113 226 141 22.9362 0",
        "angry_actor_104.jpg 1 10 20 60 90 40.1 6",
        "happy family 2.jpg 0 0 0 64 64 99.0 3",
        "happy family 2.jpg 0 0 0 64 64 99.0 3",
    ]
    put(folder / "label" / "label.lst", "\n".join(lines) + "\n")
    origin = folder / "image" / "origin"
    put(origin / "angry_actor_104.jpg", drawn(40, 240, ".jpg", colour=True))
    put(origin / "happy family 2.jpg", drawn(90, 64, ".jpg"))
    return CorpusSpec("expw", str(folder), None)


def muxspace(folder: Path) -> CorpusSpec:
    rows = [
        (302, "Abba_Eban_0001.jpg", "happiness"),
        (302, "Abba_Eban_0002.jpg", "NEUTRAL"),
        (628, "facial-expressions_2868588k.jpg", "Angry"),
        (302, "Aaron_Sorkin_0001.jpg", "neutral"),
        (628, "Aaron_Sorkin_0001.jpg", "happy"),
        (302, "Al_Gore_0001.jpg", "contempt"),
        (302, "Al_Gore_0003.jpg", "happiness"),
        (628, "Al_Gore_0003.jpg", "happy"),
        (302, "Al_Gore_0004.jpg", "surprised"),
    ]
    write_csv(folder / "data" / "legend.csv", [("user.id", "image", "emotion"), *rows], "\r\n")
    for k, (_, name, _) in enumerate(rows[:-1]):
        put(folder / "images" / name, drawn(20 * k, 80, ".jpg", colour=True))
    return CorpusSpec("muxspace", str(folder), None)


def parquet(folder: Path) -> CorpusSpec:
    """As in real_faces: two parts, each a file."""
    for part, labels in (("public_test", ["sad", "anger"]), ("training", ["happy", "contempt"])):
        pd.DataFrame(
            {
                "image_id": [f"{part}_{k}" for k in range(2)],
                "usage": part,
                "label": labels,
                "label_reclassified": "fear",
                "png": [drawn(60 + k) for k in range(2)],
                "votes_neutral": [4, 0],
                "votes_happiness": 1,
                "votes_contempt": [1, 0],
                "votes_unknown": 2,
                "votes_nf": [2, 9],
            }
        ).to_parquet(folder / f"fer_{part}.parquet")
    return CorpusSpec("parquet", str(folder / "fer_*.parquet"), None)


def drawn_form(folder: Path) -> CorpusSpec:
    pd.DataFrame(
        {
            "image_id": ["tiny/00002", "tiny/00001", "tiny/00003"],
            "corpus": "tiny",
            "label": ["happy", "sad", "fear"],
            "identity": ["p", None, "q"],
            "gender": ["female", "unknown", "male"],
            "age": ["old", "child", None],
            "image": [drawn(10), drawn(20, kind=".jpg"), drawn(30)],
        }
    ).to_parquet(folder / "images.parquet")
    return CorpusSpec("drawn", str(folder), None)


WRITERS: dict[str, Callable[[Path], CorpusSpec]] = {
    "fer2013_csv": fer2013_csv,
    "fer2013_folders": fer2013_folders,
    "affectnet_lists": affectnet_lists,
    "affectnet_arrays": affectnet_arrays,
    "affectnet_labels": affectnet_labels,
    "affectnet_yolo": affectnet_yolo,
    "folders": folders,
    "nhfi": nhfi,
    "rafdb": rafdb,
    "ckplus": ckplus,
    "ckplus_csv": ckplus_csv,
    "jaffe": jaffe,
    "expw": expw,
    "muxspace": muxspace,
    "parquet": parquet,
    "drawn": drawn_form,
}
