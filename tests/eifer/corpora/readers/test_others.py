"""What is particular to the smaller corpora, and what may be wrong with them."""

from pathlib import Path

from eifer.corpora.labelled import CorpusSpec, Labelled
from eifer.corpora.readers import open_corpus
from eifer.corpora.reading import read_corpus
from eifer.faces.pictures import decoded
from tests.eifer.corpora.readers.published import (
    WRITERS,
    ckplus,
    drawn,
    expw,
    jaffe,
    muxspace,
    nhfi,
    problems,
    put,
    rafdb,
)

ATTRIBUTES = ["gender", "gender_source", "age", "age_source", "ethnicity", "ethnicity_source"]


def opened(spec: CorpusSpec) -> Labelled:
    return open_corpus("tiny", spec)


def test_attributes_of_rafdb(tmp_path: Path) -> None:
    rows = opened(rafdb(tmp_path)).rows.set_index("image_id")[ATTRIBUTES]
    unknown = ["unknown", "none"]
    assert rows.T.to_dict("list") == {
        "tiny/train_00001": ["male", "corpus", "child", "corpus", "white", "corpus"],
        "tiny/train_00002": ["female", "corpus", *unknown, "black", "corpus"],
        "tiny/train_00003": [*unknown, *unknown, "asian", "corpus"],
        "tiny/test_0001": ["female", "corpus", "old", "corpus", "asian", "corpus"],
        **{f"tiny/test_000{k}": ["male", "corpus", *unknown, "white", "corpus"] for k in (2, 3, 4)},
    }


def test_rafdb_without_attributes(tmp_path: Path) -> None:
    spec = rafdb(tmp_path)
    (tmp_path / "basic" / "Annotation").rename(tmp_path / "elsewhere")
    rows = opened(CorpusSpec("rafdb", str(tmp_path / "basic"), None)).rows
    assert set(rows["gender"]) == {"unknown"} and set(rows["gender_source"]) == {"none"}
    assert opened(spec).rows.equals(rows)


def test_what_is_wrong_with_rafdb(tmp_path: Path) -> None:
    spec = rafdb(tmp_path)
    manual = tmp_path / "basic" / "Annotation" / "manual"
    (manual / "train_00001_manu_attri.txt").unlink()
    put(manual / "train_00002_manu_attri.txt", "1 2\n0\n0\n0\n")
    text = (manual / "test_0001_manu_attri.txt").read_text()
    put(manual / "test_0001_manu_attri.txt", text.replace("1\n2\n4\n", "3\n3\n5\n"))
    labels = tmp_path / "basic" / "EmoLabel" / "list_patition_label.txt"
    put(labels, labels.read_text() + "train_00009.jpg 0\nval_1.jpg 1\ntest_0002.jpg 3\nalone\n")
    assert problems(spec) == [
        "file of attributes is missing: train_00001_manu_attri.txt",
        "file of attributes that has not 8 lines: train_00002_manu_attri.txt: 4",
        "unknown code of gender: test_0001_manu_attri.txt: '3'",
        "unknown code of ethnicity: test_0001_manu_attri.txt: '3'",
        "unknown code of age: test_0001_manu_attri.txt: '5'",
        "unknown label: EmoLabel/list_patition_label.txt line 8: '0'",
        "image of neither part: EmoLabel/list_patition_label.txt line 9: 'val_1.jpg'",
        "image with contradicting labels: test_0002: fear and disgust",
        "line that has not 2 fields: list_patition_label.txt line 11: 1",
    ]


def test_a_folder_of_no_class(tmp_path: Path) -> None:
    spec = nhfi(tmp_path)
    (tmp_path / "sadness").rename(tmp_path / "sadnes")
    put(tmp_path / "sadnes" / "2.png", drawn(3))
    assert problems(spec) == ["unknown label: folder sadnes: 'sadnes'; did you mean 'sadness'?"]


def test_a_corpus_of_one_class(tmp_path: Path) -> None:
    put(tmp_path / "anger" / "1.png", drawn(3))
    put(tmp_path / "contempt" / "1.png", drawn(3))
    (found,) = problems(CorpusSpec("nhfi", str(tmp_path), None))
    assert found.startswith("a corpus of fewer than two classes: 1 images, all angry; left out: 1 ")


def test_what_is_wrong_with_ckplus(tmp_path: Path) -> None:
    spec = ckplus(tmp_path)
    emotion = tmp_path / "Emotion"
    put(emotion / "S005/001/S005_001_00000012_emotion.txt", "3")
    put(emotion / "S010/002/S010_002_00000014_emotion.txt", "8.0000000e+00")
    put(emotion / "S010/004/S010_004_00000019_emotion.txt", b"\xff\xfe")
    put(emotion / "S011/002/S011_001_00000022_emotion.txt", "1")
    assert problems(spec) == [
        "sequence with several labels: Emotion/S005/001: 2 files",
        "unknown label: Emotion/S010/002/S010_002_00000014_emotion.txt: '8'",
        "unknown label: Emotion/S010/004/S010_004_00000019_emotion.txt: 'no text in UTF-8'",
        "file in the folder of another sequence: Emotion/S011/002/S011_001_00000022_emotion.txt",
    ]


def test_a_picture_of_ckplus_that_is_not_there(tmp_path: Path) -> None:
    spec = ckplus(tmp_path)
    (tmp_path / "cohn-kanade-images/S005/001/S005_001_00000011.png").unlink()
    labelled = opened(spec)
    reasons = labelled.left_out.set_index("reason")["n"]
    assert reasons["picture is not in cohn-kanade-images"] == 1
    assert len(labelled.rows) == 2


def test_jaffe_is_of_japanese_women_in_tiff(tmp_path: Path) -> None:
    labelled = opened(jaffe(tmp_path))
    assert labelled.rows[ATTRIBUTES].drop_duplicates().values.tolist() == [
        ["female", "corpus", "unknown", "none", "asian", "corpus"]
    ]
    (part,) = read_corpus(labelled)
    for name, encoded in part.pictures.itertuples(index=False):
        original = (tmp_path / name.removeprefix("tiny/")).read_bytes()
        assert encoded.startswith(b"\x89PNG") and (decoded(encoded) == decoded(original)).all()


def test_what_is_wrong_with_jaffe(tmp_path: Path) -> None:
    spec = jaffe(tmp_path)
    put(tmp_path / "KA.XX1.40.tiff", drawn(1, kind=".tiff"))
    put(tmp_path / "ka-an1.tiff", drawn(1, kind=".tiff"))
    assert problems(spec) == [
        "unknown label: KA.XX1.40.tiff: 'XX'",
        "file that is not named as in KA.AN1.39.tiff: ka-an1.tiff",
    ]


def test_faces_of_expw_are_cut_out(tmp_path: Path) -> None:
    (part,) = read_corpus(opened(expw(tmp_path)))
    pictures = part.pictures.set_index("image_id")["image"]
    whole = decoded((tmp_path / "image/origin/angry_actor_104.jpg").read_bytes())
    # Top, left, right, bottom.
    assert (decoded(pictures["tiny/angry_actor_104.jpg#0"]) == whole[28:141, 113:226]).all()
    assert (decoded(pictures["tiny/angry_actor_104.jpg#1"]) == whole[10:90, 20:60]).all()


def test_expw_in_one_folder(tmp_path: Path) -> None:
    spec = expw(tmp_path)
    before = opened(spec).rows
    (tmp_path / "label" / "label.lst").rename(tmp_path / "label.lst")
    (tmp_path / "image" / "origin").rename(tmp_path / "origin")
    assert opened(spec).rows.equals(before)


def test_what_is_wrong_with_expw(tmp_path: Path) -> None:
    spec = expw(tmp_path)
    labels = tmp_path / "label" / "label.lst"
    put(
        labels,
        labels.read_text() + "angry_actor_104.jpg 0 28 113 226 141 22 4\n"
        "angry_actor_104.jpg 2 28 226 113 141 22 4\n"
        "angry_actor_104.jpg 3 28 113 226 141 22 7\n"
        "../angry_actor_104.jpg 4 28 113 226 141 22 1\n"
        "/angry_actor_104.jpg 5 28 113 226 141 22 1\n",
    )
    assert problems(spec) == [
        "image with contradicting labels: angry_actor_104.jpg#0: angry and sad",
        "box without a place, a width or a height: label.lst line 6: 28 226 113 141",
        "unknown label: label.lst line 7: '7'",
        "path that leads out of the folder: label.lst line 8: '../angry_actor_104.jpg'",
        "path that leads out of the folder: label.lst line 9: '/angry_actor_104.jpg'",
    ]


def test_what_is_wrong_with_muxspace(tmp_path: Path) -> None:
    spec = muxspace(tmp_path)
    legend = tmp_path / "data" / "legend.csv"
    put(legend, legend.read_text() + "302,Abba_Eban_0002.jpg,smirk\n302,x.jpg\n")
    assert problems(spec) == [
        "row with another number of fields than the first row: legend.csv line 12: 2, not 3",
        "unknown label: legend.csv line 11: 'smirk'",
    ]
    put(legend, legend.read_text().replace("emotion", "feeling"))
    assert problems(spec) == [
        "column emotion is missing: legend.csv has user.id, image, feeling",
    ]


def test_where_the_files_lie_does_not_matter(tmp_path: Path) -> None:
    """The order in which a file system lists names may differ; what is read may not."""
    one, other = tmp_path / "one", tmp_path / "other"
    spec = WRITERS["nhfi"](one)
    for file in sorted(one.rglob("*.*"), reverse=True):
        put(other / file.relative_to(one), file.read_bytes())
    there = opened(CorpusSpec("nhfi", str(other), None))
    assert opened(spec).rows.equals(there.rows)
    assert list(opened(spec).pictures()) == list(there.pictures())
