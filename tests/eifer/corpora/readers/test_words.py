"""Codes and names of classes, set against section 2 of the study's protocol, written out again."""

import pytest

from eifer.corpora.readers import affectnet, ckplus, jaffe, rafdb
from eifer.corpora.readers.words import FER2013, NAMES, Meanings, code

WRITTEN = {
    "fer2013": "0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise 6 neutral",
    "affectnet": "0 neutral 1 happy 2 sad 3 surprise 4 fear 5 disgust 6 angry 7 contempt 8 none "
    "9 uncertain 10 no-face",
    "yolo": "0 angry 1 contempt 2 disgust 3 fear 4 happy 5 neutral 6 sad 7 surprise",
    "rafdb": "1 surprise 2 fear 3 disgust 4 happy 5 sad 6 angry 7 neutral",
    "ckplus": "0 neutral 1 angry 2 contempt 3 disgust 4 fear 5 happy 6 sad 7 surprise",
    "ckextended": "0 angry 1 disgust 2 fear 3 happy 4 sad 5 surprise 6 neutral 7 contempt",
    "jaffe": "AN angry DI disgust FE fear HA happy NE neutral SA sad SU surprise",
    "names": "angry angry anger angry disgust disgust disgusted disgust fear fear fearful fear "
    "happy happy happiness happy neutral neutral neutrality neutral sad sad sadness sad "
    "surprise surprise surprised surprise contempt contempt none none uncertain uncertain "
    "no-face no-face",
}
TABLES = {
    "fer2013": FER2013,
    "affectnet": affectnet.CODES,
    "yolo": affectnet.YOLO,
    "rafdb": rafdb.CODES,
    "ckplus": ckplus.CODES,
    "ckextended": ckplus.EXTENDED,
    "jaffe": jaffe.CODES,
    "names": NAMES,
}


@pytest.mark.parametrize("name", WRITTEN)
def test_codes_are_the_documented_ones(name: str) -> None:
    table: Meanings = TABLES[name]
    words = WRITTEN[name].split()
    documented = dict(zip(words[::2], words[1::2], strict=True))
    assert {key: str(meant).replace(" ", "-") for key, meant in table.items()} == documented


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (" 3", "3"),
        ("   3.0000000e+00\n", "3"),
        ("2.5", "2.5"),
        ("", ""),
        ("x ", "x"),
        ("inf", "inf"),
        ("nan", "nan"),
    ],
)
def test_codes_are_whole_numbers(text: str, meant: str) -> None:
    assert code(text) == meant
