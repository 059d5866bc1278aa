"""Every form: its labels, parts, people, pictures, and what is left out."""

from dataclasses import replace
from pathlib import Path

import pytest

from eifer.corpora.labelled import CorpusSpec
from eifer.corpora.readers import FORMS, open_corpora, open_corpus
from eifer.corpora.readers.found import Found
from eifer.corpora.reading import added_up, read_corpus
from eifer.errors import InputError
from eifer.vocabulary import Expression
from tests.eifer.corpora.readers.published import FER_LABELS, FER_PARTS, WRITERS

NONE = ", which is none of the seven classes"
EXPECTED: dict[str, tuple[list[tuple[str, str, str | None, str | None]], dict[str, int]]] = {
    "fer2013_csv": (
        [
            (f"fer{k:07d}", label, part, None)
            for k, (label, part) in enumerate(zip(FER_LABELS, FER_PARTS, strict=True))
        ],
        {},
    ),
    "fer2013_folders": (
        [
            ("test/angry/PublicTest_11.jpg", "angry", "PublicTest", None),
            ("test/neutral/PrivateTest_7.jpg", "neutral", "PrivateTest", None),
            ("train/angry/Training_3908.jpg", "angry", "Training", None),
            ("train/happy/Training_1.jpg", "happy", "Training", None),
        ],
        {},
    ),
    "affectnet_lists": (
        [
            ("1/a.jpg", "happy", "training", None),
            ("1/b.jpg", "angry", "training", None),
            ("3/e.jpg", "neutral", "validation", None),
        ],
        {
            f"labelled contempt{NONE}": 1,
            f"labelled no face{NONE}": 1,
            "picture is not in Manually_Annotated_Images": 1,
        },
    ),
    "affectnet_arrays": (
        [
            ("train_set/images/0.jpg", "surprise", "train_set", None),
            ("train_set/images/2.jpg", "fear", "train_set", None),
            ("val_set/images/3.jpg", "sad", "val_set", None),
        ],
        {f"labelled contempt{NONE}": 1},
    ),
    "affectnet_labels": (
        [
            ("anger/image0000006.jpg", "angry", None, None),
            ("happy/image0000009.jpg", "happy", None, None),
            ("surprise/image0000010.jpg", "surprise", None, None),
        ],
        {f"labelled contempt{NONE}": 1, "labelled fear in the folder of angry": 1},
    ),
    "affectnet_yolo": (
        [
            ("test/images/d.png", "sad", "test", None),
            ("train/images/a.png", "angry", "train", None),
            ("train/images/a.png#2", "surprise", "train", None),
            ("valid/images/c.png", "happy", "valid", None),
        ],
        {
            f"labelled contempt{NONE}": 1,
            "without a face in its file of labels": 1,
            "without a file of labels in test": 1,
        },
    ),
    "folders": (
        [
            ("test/happiness/1.png", "happy", "test", None),
            ("train/Angry/1.png", "angry", "train", None),
            ("train/happiness/1.png", "happy", "train", None),
        ],
        {
            f"labelled contempt{NONE}": 1,
            "file in a folder below Angry": 1,
            "picture beside the folders that it should be in": 1,
        },
    ),
    "nhfi": (
        [
            (f"{name}/images - 2020-11-06T{k}_face.png", label, None, None)
            for k, name, label in (
                (0, "anger", "angry"),
                (2, "disgust", "disgust"),
                (3, "fear", "fear"),
                (4, "happiness", "happy"),
                (5, "neutrality", "neutral"),
                (6, "sadness", "sad"),
                (7, "surprise", "surprise"),
            )
        ],
        {f"labelled contempt{NONE}": 1, "file in anger that is no picture by its name": 1},
    ),
    "rafdb": (
        [
            ("test_0001", "neutral", "test", None),
            ("test_0002", "fear", "test", None),
            ("test_0003", "disgust", "test", None),
            ("test_0004", "angry", "test", None),
            ("train_00001", "sad", "train", None),
            ("train_00002", "surprise", "train", None),
            ("train_00003", "happy", "train", None),
        ],
        {},
    ),
    "ckplus": (
        [
            ("S005_001_00000011", "disgust", None, "S005"),
            ("S010_002_00000014", "surprise", None, "S010"),
            ("S010_004_00000019", "angry", None, "S010"),
        ],
        {f"labelled contempt{NONE}": 1, "sequence without a label": 1},
    ),
    "ckplus_csv": (
        [
            (f"row{k + (k > 0):07d}", label, part, None)
            for k, (label, part) in enumerate(zip(FER_LABELS, FER_PARTS, strict=True))
        ],
        {f"labelled contempt{NONE}": 1},
    ),
    "jaffe": (
        [
            ("KA.AN1.39.tiff", "angry", None, "KA"),
            ("KA.HA2.30.tiff", "happy", None, "KA"),
            ("KL.DI1.170.tiff", "disgust", None, "KL"),
            ("KL.FE3.176.tiff", "fear", None, "KL"),
            ("MK.NE1.113.tiff", "neutral", None, "MK"),
        ],
        {"file in tiny that is no picture by its name": 1},
    ),
    "expw": (
        [
            ("angry_actor_104.jpg#0", "angry", None, None),
            ("angry_actor_104.jpg#1", "neutral", None, None),
            ("happy family 2.jpg#0", "happy", None, None),
        ],
        {"listed more than once with the same label": 1},
    ),
    "muxspace": (
        [
            ("Abba_Eban_0001.jpg", "happy", None, "Abba_Eban"),
            ("Abba_Eban_0002.jpg", "neutral", None, "Abba_Eban"),
            ("Al_Gore_0003.jpg", "happy", None, "Al_Gore"),
            ("facial-expressions_2868588k.jpg", "angry", None, None),
        ],
        {
            f"labelled contempt{NONE}": 1,
            "labelled otherwise by another annotator": 2,
            "listed more than once with the same label": 1,
            "picture is not in images": 1,
        },
    ),
    "parquet": (
        [
            ("public_test_0", "sad", "public_test", None),
            ("public_test_1", "angry", "public_test", None),
            ("training_0", "happy", "training", None),
        ],
        {f"labelled contempt{NONE}": 1},
    ),
    "drawn": (
        [
            ("00002", "happy", None, "p"),
            ("00001", "sad", None, None),
            ("00003", "fear", None, "q"),
        ],
        {},
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    return folder


def test_every_form_is_tested() -> None:
    assert list(WRITERS) == list(EXPECTED) == list(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_what_a_form_holds(form: str, folder: Path) -> None:
    labelled = open_corpus("tiny", WRITERS[form](folder))
    images, left_out = EXPECTED[form]
    rows = labelled.rows
    assert list(
        rows[["image_id", "label", "official", "identity"]]
        .astype(object)
        .where(rows[["image_id", "label", "official", "identity"]].notna(), None)
        .itertuples(index=False, name=None)
    ) == [(f"tiny/{name}", *more) for name, *more in images]
    assert set(rows["corpus"]) == {"tiny"}
    assert dict(zip(labelled.left_out["reason"], labelled.left_out["n"], strict=True)) == left_out
    assert set(labelled.left_out["level"]) <= {"image"}
    parts = list(read_corpus(labelled))
    assert sum(len(part.images) for part in parts) == len(rows)
    assert added_up(part.left_out for part in parts).empty
    # As often as they are asked for, and the same each time.
    assert list(labelled.pictures()) == list(labelled.pictures())


@pytest.mark.parametrize("form", FORMS)
def test_a_corpus_that_is_not_there(form: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing.*nowhere"):
        open_corpus("tiny", CorpusSpec(form, str(tmp_path / "nowhere"), None))


@pytest.mark.parametrize(
    ("form", "gone", "part"),
    [
        ("fer2013_folders", "test/neutral/*", "PrivateTest"),
        ("affectnet_lists", "Manually_Annotated_Images/3/*", "validation"),
        ("affectnet_arrays", "val_set/annotations/*", "val_set"),
        ("affectnet_yolo", "valid/labels/*", "valid"),
        ("rafdb", "basic/Image/aligned/test_*", "test"),
    ],
)
def test_an_official_part_has_an_image(form: str, gone: str, part: str, folder: Path) -> None:
    spec = WRITERS[form](folder)
    for file in folder.glob(gone):
        file.unlink()
    with pytest.raises(InputError, match=rf"official part without one image \(1\): {part}"):
        open_corpus("tiny", spec)


def test_forms_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'rafdb'"):
        open_corpus("tiny", CorpusSpec("raf-db", str(tmp_path), None))


@pytest.mark.parametrize("name", ["merged", "drawn", "without-fer", "all", "a/b"])
def test_names_that_mean_something_else(name: str, folder: Path) -> None:
    spec = WRITERS["nhfi"](folder)
    with pytest.raises(InputError, match="name that no corpus may have"):
        open_corpus(name, spec)


def test_votes_of_a_form_without(folder: Path) -> None:
    spec = WRITERS["nhfi"](folder)
    with pytest.raises(InputError, match="votes of a form that has none"):
        open_corpus("tiny", CorpusSpec("nhfi", spec.path, "fer2013new.csv"))


def test_one_place_is_no_two_corpora(folder: Path) -> None:
    spec = WRITERS["nhfi"](folder / "faces")
    (folder / "linked").symlink_to(folder / "faces")
    same = {"one": spec, "two": replace(spec, path=str(folder / "linked"))}
    with pytest.raises(InputError, match=r"would count twice \(1\): one and two: .*faces"):
        open_corpora(same)


def test_a_reader_that_names_no_column_is_told(folder: Path) -> None:
    with pytest.raises(TypeError, match="keep has no 'identty'; did you mean 'identity'"):
        Found("mine", folder).keep("a", Expression.HAPPY, identty="p1")


def test_paths_of_other_machines() -> None:
    with pytest.raises(ValueError, match="URL"):
        CorpusSpec("nhfi", "s3://somewhere/nhfi", None)
