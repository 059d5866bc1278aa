"""AffectNet's four forms, and what may be wrong with them."""

from pathlib import Path

import numpy as np
import pytest

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import open_corpus
from eifer.corpora.reading import read_corpus
from eifer.errors import InputError
from eifer.faces.pictures import decoded
from tests.eifer.corpora.readers.published import (
    affectnet_arrays,
    affectnet_labels,
    affectnet_lists,
    affectnet_yolo,
    drawn,
    problems,
    put,
)


def opened(spec: CorpusSpec) -> Labelled:
    return open_corpus("affectnet", spec)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new).encode())


def test_faces_of_lists_are_cut_out(tmp_path: Path) -> None:
    labelled = opened(affectnet_lists(tmp_path))
    (part,) = read_corpus(labelled)
    for name, encoded in part.pictures.itertuples(index=False):
        file = tmp_path / "Manually_Annotated_Images" / name.removeprefix("affectnet/")
        assert (decoded(encoded) == decoded(file.read_bytes())[4:36, 8:32]).all()
    assert part.images[["width_px", "height_px"]].drop_duplicates().values.tolist() == [[24, 32]]


def test_lists_without_a_header_are_the_same(tmp_path: Path) -> None:
    headed = opened(affectnet_lists(tmp_path / "headed"))
    bare = opened(affectnet_lists(tmp_path / "bare", headed=False))
    assert headed.rows.equals(bare.rows) and headed.boxes == bare.boxes


def test_what_is_wrong_with_lists(tmp_path: Path) -> None:
    spec = affectnet_lists(tmp_path)
    replace(tmp_path / "training.csv", "1/a.jpg,8,4,24,32,1;2,1", "1/a.jpg,8,4,24,32,1;2,11")
    replace(tmp_path / "training.csv", "1/b.jpg,8,4,24", "1/b.jpg,8,4,0")
    replace(tmp_path / "validation.csv", "3/e.jpg", "../e.jpg")
    assert problems(spec) == [
        "unknown label: training.csv 1/a.jpg: '11'",
        "box without a place, a width or a height: training.csv 1/b.jpg: 8, 4, 0, 32",
        "path that leads out of the folder: validation.csv: '../e.jpg'",
    ]
    (tmp_path / "validation.csv").unlink()
    with pytest.raises(InputError, match=r"missing \(1\): .*validation.csv"):
        opened(spec)


def test_a_list_without_expressions(tmp_path: Path) -> None:
    spec = affectnet_lists(tmp_path)
    replace(tmp_path / "training.csv", "expression", "emotion")
    with pytest.raises(InputError, match=r"columns are missing.*training.csv: expression"):
        opened(spec)


def test_what_is_wrong_with_arrays(tmp_path: Path) -> None:
    spec = affectnet_arrays(tmp_path)
    annotations = tmp_path / "train_set" / "annotations"
    put(annotations / "0_exp.npy", b"no array")
    np.save(annotations / "1_exp.npy", np.array([1, 2]))
    np.save(annotations / "2_exp.npy", np.array("11"))
    assert problems(spec) == [
        "annotation that is no number: train_set/annotations/0_exp.npy",
        "annotation that is no number: train_set/annotations/1_exp.npy",
        "unknown label: train_set/annotations/2_exp.npy: '11'",
    ]


def test_what_is_wrong_with_a_list_of_labels(tmp_path: Path) -> None:
    spec = affectnet_labels(tmp_path)
    replace(tmp_path / "labels.csv", "fear", "feer")
    put(tmp_path / "labels.csv", (tmp_path / "labels.csv").read_text() + "9,angst/1.jpg,fear,1\n")
    assert problems(spec) == [
        "unknown label: labels.csv line 3: 'feer'; did you mean 'fear'?",
        "folder that is no class: labels.csv line 7: 'angst/1.jpg'",
    ]


def test_boxes_in_shares(tmp_path: Path) -> None:
    labelled = opened(affectnet_yolo(tmp_path))
    (part,) = read_corpus(labelled)
    sizes = part.images.set_index("image_id")[["width_px", "height_px"]].T.to_dict("list")
    assert sizes == {
        "affectnet/train/images/a.png": [48, 24],
        "affectnet/train/images/a.png#2": [96, 96],
        "affectnet/valid/images/c.png": [93, 93],
        "affectnet/test/images/d.png": [96, 96],
    }
    first = part.pictures.set_index("image_id")["image"]["affectnet/train/images/a.png"]
    assert (decoded(first) == decoded(drawn(ord("a"), 96))[36:60, 24:72]).all()


def test_what_is_wrong_with_the_yolo_form(tmp_path: Path) -> None:
    spec = affectnet_yolo(tmp_path)
    put(tmp_path / "train" / "labels" / "a.txt", "8 0.5 0.5 1 1\n0 0.5 0.5 1\n0 50 50 20 20\n")
    replace(tmp_path / "data.yaml", "'Anger', 'Contempt'", "'Contempt', 'Anger'")
    names = "contempt, anger, disgust, fear, happy, neutral, sad, surprise"
    assert problems(spec) == [
        f"classes of another order than the form's: data.yaml has {names}",
        "line that has not 5 fields: a.txt line 2: 4",
        "unknown label: train/labels/a.txt line 1: '8'",
        "box that is no share of its picture: train/labels/a.txt line 3: 50 50 20 20",
    ]


def test_classes_of_the_yolo_form_may_be_numbered_or_absent(tmp_path: Path) -> None:
    spec = affectnet_yolo(tmp_path)
    names = ["anger", "contempt", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    put(tmp_path / "data.yaml", "names:\n" + "".join(f"  {k}: {n}\n" for k, n in enumerate(names)))
    assert len(opened(spec).rows) == 4
    put(tmp_path / "data.yaml", "names")
    with pytest.raises(InputError, match="no list of names"):
        opened(spec)
    (tmp_path / "data.yaml").unlink()
    assert len(opened(spec).rows) == 4


def test_a_part_of_the_yolo_form_is_missing(tmp_path: Path) -> None:
    spec = affectnet_yolo(tmp_path)
    (tmp_path / "valid").rename(tmp_path / "val")
    with pytest.raises(InputError, match=r"missing \(2\).*valid/images.*valid/labels"):
        opened(spec)
