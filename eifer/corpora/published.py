"""What the sources of the expressions study print, to be set beside ours: facts, nothing computed.

Corpora are named ``fer2013``, ``nhfi``, ``affectnet``, ``artificial`` (drawn by Stable Diffusion),
``merged`` (to train on) and ``all`` (to test on); classes as in `eifer.vocabulary.Expression`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from eifer.vocabulary import Expression

MERGING = "Mejia-Escobar et al., IEEE Access 2023, 11, 10.1109/ACCESS.2023.3293728"
"""S2: corpora merged, and an evaluator balanced over gender, age and ethnicity."""
DATA_CENTRIC = "Mejia-Escobar et al., Comput. Intell. Neurosci. 2023, as MERGING cites it ([26])"
ATTENTION = "Kausar et al., Human Emotion Recognition"
"""S3: EfficientNet-B0 with attention, on FER2013."""
CNN = "Choudhari et al., Facial expression recognition system using Deep learning"
"""S4: a convolutional network on 48 x 48 grey pictures."""

REAL = _FER2013, _NHFI, _AFFECTNET = "fer2013", "nhfi", "affectnet"
"""The corpora of photographs."""
_ARTIFICIAL, _MERGED, _ALL = "artificial", "merged", "all"
CLASSES = tuple(str(name) for name in Expression)
TOTAL = "total"
"""The printed total of a row, which need not be the sum of its cells."""

# Seven classes, then the total, as printed.
_COUNTS = {  # Table 1, by version of the labels
    ("original", _FER2013): (4953, 547, 5121, 8988, 6198, 6077, 4002, 35886),
    ("original", _NHFI): (890, 439, 570, 1406, 524, 746, 775, 5350),
    ("original", _AFFECTNET): (4300, 4300, 4300, 4300, 4300, 4300, 4300, 30100),
    ("original", _ALL): (10143, 5286, 9991, 14694, 11022, 11123, 9077, 71336),
    ("relabelled", _FER2013): (4817, 532, 3842, 9202, 7074, 6090, 4329, 35886),
    ("relabelled", _NHFI): (336, 514, 383, 1585, 1042, 962, 528, 5350),
    ("relabelled", _AFFECTNET): (4394, 3893, 5004, 4594, 4224, 4071, 3920, 30100),
    ("relabelled", _ALL): (9547, 4939, 9229, 15381, 12340, 11123, 8777, 71336),
}
_PROPERTIES = (  # Table 2: images, side in pixels, colour, format
    (_FER2013, 35886, 48, "grayscale", "JPG"),
    (_NHFI, 5350, 224, "grayscale", "PNG"),
    (_AFFECTNET, 30100, 224, "RGB", "PNG"),
)
_PARTS = (  # Table 3: 80, 10 and 10 %
    (_FER2013, 28708, 3589, 3589),
    (_NHFI, 4280, 535, 535),
    (_AFFECTNET, 24080, 3010, 3010),
)
_CHOSEN = {  # Table 4: images chosen for the evaluator
    (_FER2013,): (67, 50, 70, 80, 80, 77, 64, 488),
    (_NHFI,): (62, 62, 59, 79, 75, 69, 55, 551),
    (_AFFECTNET,): (77, 70, 70, 80, 75, 72, 75, 519),
    (_ALL,): (206, 182, 199, 239, 230, 218, 194, 1468),
}
_FILL_INS = {  # Table 5: drawn images that fill it
    (_FER2013,): (13, 30, 10, 0, 0, 3, 16, 72),
    (_NHFI,): (18, 18, 21, 1, 5, 11, 25, 99),
    (_AFFECTNET,): (3, 10, 10, 0, 5, 8, 5, 41),
    (_ALL,): (34, 58, 41, 1, 10, 22, 46, 212),
}
_EVALUATOR = {  # Table 6
    **{(corpus,): (80,) * 7 + (560,) for corpus in REAL},
    (_ALL,): (240,) * 7 + (1680,),
}
_ARTIFICIAL_COUNTS = {  # Table 7
    ("train",): (550, 707, 968, 1050, 1239, 1492, 599, 6605),
    ("test",): (240, 240, 240, 240, 240, 240, 240, 1680),
    (TOTAL,): (790, 947, 1208, 1290, 1479, 1732, 839, 8285),
}
_DIVISION = (  # Table 8: training 80 %, validation 20 %, test, total
    (_FER2013, 28321, 7077, 560, 35958),
    (_NHFI, 3915, 974, 560, 5449),
    (_AFFECTNET, 23669, 5912, 560, 30141),
    (_MERGED, 55896, 13972, 1680, 71548),
    (_ARTIFICIAL, 5284, 1321, 1680, 8285),
)
_TESTED_ON = (_FER2013, _NHFI, _AFFECTNET, _ARTIFICIAL, _ALL)
_ACCURACY = {  # Table 10, a row what was trained on, in it what was tested on
    _FER2013: (0.7214, 0.4357, 0.5054, 0.3185, 0.5542),
    _NHFI: (0.3821, 0.5607, 0.4125, 0.3143, 0.4518),
    _AFFECTNET: (0.5179, 0.5321, 0.8125, 0.2845, 0.6190),
    _ARTIFICIAL: (0.1875, 0.2482, 0.3554, 0.6613, 0.2637),
    _MERGED: (0.7411, 0.5589, 0.7804, 0.3310, 0.6935),
}
_NETWORKS = {
    **dict.fromkeys((_FER2013, _AFFECTNET, _MERGED), "cnn48"),
    _NHFI: "EfficientNet-B0, frozen",
    _ARTIFICIAL: "MobileNetV2, frozen",
}
GAINS = {_FER2013: 13.93, _NHFI: 24.17, _AFFECTNET: 7.45}
"""What merged is said to gain on all, in the abstract: called per cent."""
LIKE_THE_TEST_PART = {"share": 10.0, "computed": 10.47}
"""In per cent: the usual size of a test part, and what 560 images are said to be."""
_AFTER_RELABELLING = (  # accuracy on relabelled data, and the gain in points
    (_FER2013, 0.8671, 20.45),
    (_NHFI, 0.7044, 14.47),
    (_AFFECTNET, 0.8917, 39.66),
)

# S3, Figure 4: precision, recall, F1, support, as our copy of it reads.
_REPORT = {
    "angry": (0.61, 0.66, 0.64, 958),
    "disgust": (0.75, 0.71, 0.73, 111),
    "fear": (0.64, 0.44, 0.52, 1024),
    "happy": (0.88, 0.88, 0.88, 1774),
    "neutral": (0.68, 0.73, 0.66, 1233),
    "sad": (0.59, 0.55, 0.57, 1247),
    "surprise": (0.79, 0.63, 0.61, 831),
}
REPORT_TOTALS: dict[str, Any] = {
    "accuracy": 0.69,
    "macro avg": (0.69, 0.69, 0.69),
    "weighted avg": (0.70, 0.70, 0.69),
    "images": 7178,
}
"""S3, Figure 4: its last rows."""
MISREAD = {("neutral", "precision"): 0.60, ("surprise", "recall"): 0.83, ("surprise", "f1"): 0.81}
"""Three digits that our copy misreads: with these all rows and totals agree."""
PARAMETERS = {"cnn": 15e6, "table": 5e6, "total": 6_483_370, "trained": 6_438_787, "kept": 44_583}
"""S3: of the CNN and of the network in Table I; then of the network, as Figure 1 prints it."""
FEWER = 60
"""S3: the network is said to need over so many per cent fewer computations."""
VALIDATION = {"cnn": 0.70, "attention": 0.75}
"""S3, Table I: accuracy on the validation images."""
ELSEWHERE = (
    ("FER2013", "VGG", 0.7328),
    ("FER2013", "EmoNeXt", 0.7612),
    ("FER2013", "ResEmoteNet", 0.7979),
    ("AffectNet, 7 classes", "POSTER++", 0.6749),
    ("AffectNet, 8 classes", "POSTER++", 0.6377),
)
"""Accuracy that others print: where, whose, how much."""


ELSEWHERE_IN_TEXT = 0.9897
"""S3, section IV.H: the accuracy of a line "Primary Dataset", which belongs to other data."""
FER2013_IMAGES = {"Training": 28_709, "PublicTest": 3_589, "PrivateTest": 3_589}
"""Of the corpus as its makers gave it (Goodfellow et al. 2013, arXiv:1307.0414)."""
# What a text says in words, and what is against it: the check, where, printed, against.
MERGING_CODE = (
    ("only training images are changed", "Table 9", "augmentation: yes", "validation too"),
    ("MobileNetV2 is given values in -1..1", "Table 9", "1/255", "values in 0..1"),
    ("the curve of age is a mean absolute error", "Figure 2", "MAE", "a squared error"),
    ("predictor and prompts name the same groups", "section III", "others", "latinamerican"),
    (
        "the page gives the network what it was trained on",
        "appendix A",
        "48,48,3 in 0..1",
        "one channel in 0..255, of one fixed file, at whose end it fails",
    ),
)
"""S2 against its own code."""
ATTRIBUTES_FILL = 1_052
"""S2: places of the evaluator that its own published attributes can fill at most."""
CNN_WORDS = (
    (
        "the network does not overfit",
        "sections 3.5.1.1, 4",
        "overfits from epoch 7-8",
        "is not overfitting",
    ),
    (
        "recognised classes are those of the data",
        "section 5",
        "contempt",
        "none of the seven",
    ),
    (
        "references name who wrote them",
        "[21]",
        "J. Mejia-Escobar, M. A. Mejia-Escobar",
        "C. Mejia-Escobar, M. Cazorla, E. Martinez-Martin",
    ),
)
"""S4 against itself, and against S2's reference to the same article."""


def sources() -> dict[str, pd.DataFrame | None]:
    """All that the report shows, by the names that it has for it."""
    return {
        "published_counts": counts(),
        "published_properties": properties(),
        "published_parts": parts(),
        "published_evaluator": evaluator(),
        "published_artificial": artificial(),
        "published_division": division(),
        "published_matrix": accuracy(),
        "published_report": report(),
    }


def counts() -> pd.DataFrame:
    """Table 1: ``version, corpus, label, n``; ``version`` is original or relabelled."""
    return _by_class(_COUNTS, "version", "corpus")


def properties() -> pd.DataFrame:
    """Table 2: ``corpus, images, side_px, colour, format``."""
    return pd.DataFrame(_PROPERTIES, columns=["corpus", "images", "side_px", "colour", "format"])


def parts() -> pd.DataFrame:
    """Table 3: ``corpus, train, validation, test``."""
    return pd.DataFrame(_PARTS, columns=["corpus", "train", "validation", "test"])


def evaluator() -> pd.DataFrame:
    """Tables 4, 5 and 6: ``corpus, label, chosen, filled, n``."""
    key = ["corpus", "label"]
    tables = {"chosen": _CHOSEN, "filled": _FILL_INS, "n": _EVALUATOR}
    columns = [
        _by_class(table, "corpus").set_index(key)["n"].rename(name)
        for name, table in tables.items()
    ]
    return pd.concat(columns, axis=1).reset_index()


def artificial() -> pd.DataFrame:
    """Table 7: ``part, label, n``; ``part`` is train, test or `TOTAL`."""
    return _by_class(_ARTIFICIAL_COUNTS, "part")


def division() -> pd.DataFrame:
    """Table 8: ``corpus, train, validation, test, total``."""
    return pd.DataFrame(_DIVISION, columns=["corpus", "train", "validation", "test", "total"])


def accuracy() -> pd.DataFrame:
    """Table 10: ``trained_on, network, tested_on, accuracy``; one training of each."""
    return pd.DataFrame(
        {"trained_on": row, "network": _NETWORKS[row], "tested_on": column, "accuracy": cell}
        for row, cells in _ACCURACY.items()
        for column, cell in zip(_TESTED_ON, cells, strict=True)
    )


def relabelling() -> pd.DataFrame:
    """The accuracies that `DATA_CENTRIC` gains by relabelling: ``corpus, after, gain``."""
    return pd.DataFrame(_AFTER_RELABELLING, columns=["corpus", "after", "gain"])


def report(*, corrected: bool = True) -> pd.DataFrame:
    """S3, Figure 4: ``label, precision, recall, f1, support``; `MISREAD` digits put right."""
    columns = ["precision", "recall", "f1", "support"]
    table = pd.DataFrame.from_dict(_REPORT, orient="index", columns=columns)
    if corrected:
        for (label, column), value in MISREAD.items():
            table.loc[label, column] = value
    return table.rename_axis("label").reset_index()


def _by_class(table: Mapping[Any, tuple[int, ...]], *names: str) -> pd.DataFrame:
    rows: list[dict[str, Any]] = [
        {**dict(zip(names, place, strict=True)), "label": label, "n": n}
        for place, cells in table.items()
        for label, n in zip((*CLASSES, TOTAL), cells, strict=True)
    ]
    return pd.DataFrame(rows)
