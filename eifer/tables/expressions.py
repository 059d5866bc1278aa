"""What the stages of the expressions study hand to each other: images, copies, parts, scores."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from eifer.tables.affect import image_is_png_or_jpeg
from eifer.tables.schema import Column, Table, rule
from eifer.vocabulary import Expression

GENDERS = ("female", "male")
AGES = ("child", "young", "adult", "old")
"""Under 15, 15 to 29, 30 to 64, and older."""
ETHNICITIES = ("asian", "black", "indian", "other", "white")
UNKNOWN = "unknown"
DRAWN = "drawn"
"""The corpus of the faces that fill cells which the corpora leave empty."""
MERGED = "merged"
"""The training set of all corpora together."""
WITHOUT = "without-"
"""Before a corpus's name: all corpora but that one."""
SPECIALISTS = "specialists"
"""No network: each image by the network of its own corpus."""
ALL = "all"
"""The images of all corpora together."""
_PLACES = (DRAWN, MERGED, SPECIALISTS, WITHOUT, ALL)


def place(name: str) -> tuple[int, str]:
    """By which training sets and sets of images are put in order: corpora first, then the rest."""
    word = WITHOUT if name.startswith(WITHOUT) else name
    return (_PLACES.index(word) + 1 if word in _PLACES else 0, name)


ATTRIBUTES = {"gender": GENDERS, "age": AGES, "ethnicity": ETHNICITIES}
PARTS = ("train", "validation", "test", "evaluator", "left_out")
VOTES = (*Expression, "other")
"""Answers that annotators could give; ``other`` adds up contempt, unknown, no face."""

IMAGE_ID = Column("image_id", "string", "the image: its corpus, a slash, its name there")
CORPUS = Column("corpus", "string", "the corpus, named as in params")
_READ = "Correct the corpus or its reader in eifer/corpora/readers, and read it again."

IMAGES = Table(
    name="images",
    meaning="One labelled face a row. Labels are the corpus's own, and stay so.",
    key=("image_id",),
    columns=(
        IMAGE_ID,
        CORPUS,
        Column("official", "string?", "the corpus's own part, where it has parts"),
        Column(
            "label",
            "string",
            "the corpus's own label",
            values=tuple(Expression),
            why="Readers map names or documented codes; what is none of the seven is left out.",
            remedy=_READ,
        ),
        *(Column(f"votes_{name}", "int? 0..", f"annotators who said {name}") for name in VOTES),
        Column("identity", "string?", "whose face it is, where the corpus says so"),
        *(
            column
            for name, known in ATTRIBUTES.items()
            for column in (
                Column(
                    name,
                    "string",
                    f"{name} of the person",
                    values=(*known, UNKNOWN),
                    why="Cells of the evaluator are made of these words.",
                    remedy=_READ,
                ),
                Column(f"{name}_source", "string", "corpus, predicted, planted or none"),
            )
        ),
        Column("width_px", "int px 1..", "width of the picture as it came"),
        Column("height_px", "int px 1..", "height of the picture as it came"),
        Column("colour", "bool", "whether its channels differ"),
        Column("sha256", "string", "of the decoded pixels: RGB, row by row, after width x height"),
        Column("look", "string", "63-bit DCT hash of its look, 16 hexadecimal digits"),
    ),
)

PICTURES = Table(
    name="pictures",
    meaning="The pictures of a corpus, each as a PNG or JPEG file.",
    key=("image_id",),
    columns=(IMAGE_ID, Column("image", "bytes", "the picture as a PNG or JPEG file")),
    rules=(image_is_png_or_jpeg,),
)

TRUTH = Table(
    name="planted_truth",
    meaning="What was planted in the drawn corpora; read by the report alone.",
    key=("image_id",),
    columns=(
        IMAGE_ID,
        CORPUS,
        Column("label", "string", "the class that was drawn", values=tuple(Expression)),
        Column("given", "string", "the label that the corpus has", values=tuple(Expression)),
        Column("copy_of", "string?", "the image that it is a copy of"),
    ),
)

DUPLICATES = Table(
    name="duplicates",
    meaning="The atom of every image: what must never be divided. An atom joins copies of a "
    "picture and pictures of a person.",
    key=("image_id",),
    columns=(
        IMAGE_ID,
        CORPUS,
        Column("atom", "string", "the atom, named by the first of its images"),
        Column("copies", "string?", "the group of copies, named by its first image; else missing"),
        Column(
            "how",
            "string?",
            "how it resembles an earlier image of its group, or else a later one; of the first: "
            "missing",
            values=("pixels", "look", "mirror"),
        ),
        Column("contradicts", "bool", "whether copies of it have another label"),
    ),
)

CELL = (
    Column("gender", "string", "gender", values=(*GENDERS, UNKNOWN)),
    Column("age", "string", "band of age", values=(*AGES, UNKNOWN)),
    Column("ethnicity", "string", "ethnicity", values=(*ETHNICITIES, UNKNOWN)),
)
LABEL = Column("label", "string", "the class", values=tuple(Expression))

EVALUATOR = Table(
    name="evaluator",
    meaning="The images of the balanced evaluator.",
    key=("image_id",),
    columns=(
        IMAGE_ID,
        CORPUS,
        LABEL,
        *CELL,
        Column("drawn", "bool", "whether it is a drawn face that fills a cell"),
    ),
)

EVALUATOR_SHORTFALL = Table(
    name="evaluator_shortfall",
    meaning="Cells of the evaluator that the corpora do not fill.",
    key=("corpus", "label", "gender", "age", "ethnicity"),
    columns=(
        CORPUS,
        LABEL,
        *CELL,
        Column("wanted", "int 0..", "images that the cell should have"),
        Column("found", "int 0..", "of these, found in the corpus"),
        Column("filled", "int 0..", "of the rest, filled by drawn faces"),
    ),
    may_be_empty=True,
)


@rule(
    "A face that training and evaluation share is recognised by memory.",
    "Repeat split; if it stays, eifer.corpora.division divides wrongly.",
)
def no_atom_is_divided(table: pd.DataFrame, duplicates: pd.DataFrame) -> pd.DataFrame:
    """No atom lies in two of the parts train, validation, and test or evaluator."""
    atoms = table["image_id"].map(duplicates.set_index("image_id")["atom"])
    used = table["part"].replace("evaluator", "test")
    parts = used.where(used != "left_out").groupby(atoms).transform("nunique")
    return table[parts > 1]


DIVISION = Table(
    name="division",
    meaning="The part of every image, and of training images the fold of confident relabelling.",
    key=("image_id",),
    columns=(
        IMAGE_ID,
        CORPUS,
        LABEL,
        Column("part", "string", "what it serves for", values=PARTS),
        Column("fold", "int? 1..", "of training images: the fold, by atom"),
        Column("reason", "string?", "of what is left out: why"),
    ),
    rules=(no_atom_is_divided,),
)

_PROBABILITY = tuple(
    Column(f"p_{name}", "float 0..1", f"probability of {name}") for name in Expression
)
PROBABILITIES = tuple(column.name for column in _PROBABILITY)

JUDGED = Table(
    name="judged",
    meaning="What a network says of every training image, by which its label is judged.",
    key=("by", "image_id"),
    columns=(
        Column("by", "string", "whose judgement", values=("none", "published", "confident")),
        IMAGE_ID,
        Column("network", "int 0..", "its number: the image's fold, the last round, or 0: none"),
        *_PROBABILITY,
    ),
)

RELABELLED = Table(
    name="relabelled",
    meaning="What relabelling says of every training image, and what training takes.",
    key=("image_id",),
    columns=(
        IMAGE_ID,
        CORPUS,
        Column("original", "string", "the corpus's own label", values=tuple(Expression)),
        Column("proposed", "string", "the network's label", values=tuple(Expression)),
        Column("probability", "float 0..1", "the network's probability of it"),
        Column("fold", "int? 1..", "the fold whose network judged it, which had not seen it"),
        Column("flagged", "bool", "whether the original label is doubted"),
        Column("label", "string", "the label that training takes", values=tuple(Expression)),
        Column("weight", "float 0..1", "its weight in training"),
        Column("reason", "string", "why so, in words"),
    ),
)

OTHERWISE = replace(
    RELABELLED,
    name="relabelled_otherwise",
    meaning="What other methods say of the same images; none of it is trained on.",
    key=("method", *RELABELLED.key),
    columns=(Column("method", "string", "the method"), *RELABELLED.columns),
    may_be_empty=True,
)

MODEL = (
    Column("trained_on", "string", f"a corpus, {MERGED}, or {WITHOUT}CORPUS"),
    Column("network", "string", "the network, named as in params"),
    Column("repetition", "int 1..", "the repetition"),
)
_MODEL = tuple(column.name for column in MODEL)

TRAINED = Table(
    name="trained_networks",
    meaning="One trained network a row.",
    key=_MODEL,
    columns=(
        *MODEL,
        Column("seed", "int 0..", "its seed"),
        Column("n_train", "int 1..", "training images of weight above 0"),
        Column("n_validation", "int 1..", "validation images"),
        Column("epochs", "int 1..", "epochs trained"),
        Column("kept_epoch", "int 1..", "the epoch that is kept"),
        Column("validation_accuracy", "float 0..1", "accuracy in it"),
        Column("validation_macro_f1", "float 0..1", "macro F1 in it"),
        Column("weights_sha256", "string", "of the file of its weights"),
    ),
)

EXPRESSION_CURVES = Table(
    name="expression_curves",
    meaning="Loss and accuracy of every epoch.",
    key=(*_MODEL, "epoch"),
    columns=(
        *MODEL,
        Column("epoch", "int 1..", "the epoch"),
        Column("train_loss", "float", "loss over its batches"),
        Column("validation_loss", "float", "loss of the validation images"),
        Column("validation_accuracy", "float 0..1", "their accuracy"),
        Column("validation_macro_f1", "float 0..1", "their macro F1"),
        Column("learning_rate", "float 0..", "at its end"),
    ),
)

ANSWERS = Table(
    name="answers",
    meaning="What every network says of every image of evaluator and test part.",
    key=(*_MODEL, "image_id"),
    columns=(
        *MODEL,
        IMAGE_ID,
        *_PROBABILITY,
    ),
)

TESTED = (
    Column("tested_on", "string", f"a corpus, {DRAWN}, or {ALL}"),
    Column("images", "string", "which images", values=("real", "with_fill_ins", "test")),
    Column("target", "string", "what is held true", values=("original", "majority", "relabelled")),
)
_TESTED = tuple(column.name for column in TESTED)
SCORES = {
    "accuracy": ("float 0..1", "share of images that are recognised"),
    "balanced_accuracy": ("float 0..1", "mean recall of the classes that are there"),
    "macro_f1": ("float 0..1", "mean F1 of the classes that are there"),
    "log_loss": ("float 0..", "mean negative logarithm of the true class's probability"),
    "ece": ("float 0..1", "expected calibration error of the answer, bins of equal width"),
}

MATRIX = Table(
    name="matrix",
    meaning="How well every network does on every set of images. `trained_on` is also "
    f"`{SPECIALISTS}`: each image by the network of its own corpus.",
    key=(*_MODEL, *_TESTED),
    columns=(
        *MODEL,
        *TESTED,
        Column("n", "int 1..", "images"),
        *(Column(name, form, words) for name, (form, words) in SCORES.items()),
    ),
)

BY_CLASS = Table(
    name="by_class",
    meaning="Precision, recall and F1 of every class.",
    key=(*_MODEL, *_TESTED, "label"),
    columns=(
        *MODEL,
        *TESTED,
        LABEL,
        Column("precision", "float? 0..1", "share of its answers that are right"),
        Column("recall", "float? 0..1", "share of its images that are found"),
        Column("f1", "float? 0..1", "harmonic mean of the two"),
        Column("support", "int 0..", "its images"),
    ),
)

CONFUSION = Table(
    name="confusion",
    meaning="How many images of a class are taken for which.",
    key=(*_MODEL, *_TESTED, "label", "answer"),
    columns=(
        *MODEL,
        *TESTED,
        LABEL,
        Column("answer", "string", "the class that the network says", values=tuple(Expression)),
        Column("n", "int 0..", "images"),
    ),
)

BY_CELL = Table(
    name="by_cell",
    meaning="Accuracy in every cell of the evaluator, over the repetitions' mean probabilities.",
    key=("trained_on", "network", "gender", "age", "ethnicity", "images"),
    columns=(
        *MODEL[:2],
        *CELL,
        Column("images", "string", "which images", values=("real", "with_fill_ins")),
        Column("n", "int 1..", "images"),
        Column("right", "int 0..", "of these, recognised"),
        Column("accuracy", "float 0..1", "their share"),
        Column("low", "float 0..1", "lower end of Wilson's interval"),
        Column("high", "float 0..1", "upper end"),
    ),
)

CONTRASTS = Table(
    name="contrasts",
    meaning="Two networks on the same images: the difference of accuracy and macro F1, with an "
    "interval by bootstrap over atoms.",
    key=("network", "first", "second", "tested_on", "images", "metric"),
    columns=(
        MODEL[1],
        Column("first", "string", "trained on"),
        Column("second", "string", "trained on"),
        *TESTED[:2],
        Column("metric", "string", "of what", values=("accuracy", "macro_f1")),
        Column("n", "int 1..", "images"),
        Column("atoms", "int 1..", "atoms"),
        Column("difference", "float -1..1", "first less second, mean over the repetitions"),
        Column("low", "float -1..1", "lower end of the interval"),
        Column("high", "float -1..1", "upper end"),
        Column("p", "float 0..1", "two-sided, by the bootstrap"),
        Column("q", "float 0..1", "after Benjamini and Hochberg over the matrix"),
    ),
    may_be_empty=True,
)
