"""Every file that a stage of the expressions study hands to another or to a reader, once.

As stages/catalogue.py for the EI study: ``make graph`` prints `deps` of its dvc.yaml from it.
"""

from __future__ import annotations

from eifer.tables import attrition, expressions
from stages._runtime.places import Folder, Given

NETWORKS, DATA = "${train.networks}", "${train.data}"
CORPORA_FOLDER = Given("${study.corpora}")
"""Where the corpora lie, a folder or file each: those that draw made, or the user's."""

CODE = Folder("code")
FINGERPRINTS = CODE.file("stages")

DRAW = Folder("draw", {"faces": "${draw.faces}"})
DRAWN = DRAW.file("corpora")
PLANTED = DRAW.table("planted.parquet", expressions.TRUTH)

CORPORA = Folder("corpora")
IMAGES = CORPORA.table("images.parquet", expressions.IMAGES)
PICTURES = CORPORA.shards("pictures", expressions.PICTURES)
"""A file for each corpus."""
CORPORA_ATTRITION = CORPORA.table("attrition.parquet", attrition.ATTRITION)

DUPLICATES = Folder("duplicates")
ATOMS = DUPLICATES.table("duplicates.parquet", expressions.DUPLICATES)

ATTRIBUTES = Folder("attributes")
DESCRIBED = ATTRIBUTES.table("images.parquet", expressions.IMAGES)

EVALUATOR = Folder("evaluator")
EVALUATED = EVALUATOR.table("evaluator.parquet", expressions.EVALUATOR)
SHORTFALL = EVALUATOR.table("shortfall.parquet", expressions.EVALUATOR_SHORTFALL)
FILL_INS = EVALUATOR.table("fill_ins.parquet", expressions.PICTURES)
"""The drawn faces of cells that the corpora leave empty."""

SPLIT = Folder("split")
DIVISION = SPLIT.table("division.parquet", expressions.DIVISION)
SPLIT_ATTRITION = SPLIT.table("attrition.parquet", attrition.ATTRITION)

JUDGE = Folder("judge", by="${relabel.judges}")
JUDGED = JUDGE.table("judged.parquet", expressions.JUDGED)

RELABEL = Folder("relabel")
RELABELLED = RELABEL.table("relabelled.parquet", expressions.RELABELLED)
OTHERWISE = RELABEL.table("otherwise.parquet", expressions.OTHERWISE)

TRAIN = Folder("train", network=NETWORKS, data=DATA)
WEIGHTS = TRAIN.file("repetition-<r>.safetensors")
CARDS = TRAIN.file("cards.json")
TRAINED = TRAIN.table("trained.parquet", expressions.TRAINED)
CURVES = TRAIN.table("curves.parquet", expressions.EXPRESSION_CURVES)

EVALUATE = Folder("evaluate")
ANSWERS = EVALUATE.table("answers.parquet", expressions.ANSWERS)
MATRIX = EVALUATE.table("matrix.parquet", expressions.MATRIX)
BY_CLASS = EVALUATE.table("by_class.parquet", expressions.BY_CLASS)
CONFUSION = EVALUATE.table("confusion.parquet", expressions.CONFUSION)
BY_CELL = EVALUATE.table("by_cell.parquet", expressions.BY_CELL)
CONTRASTS = EVALUATE.table("contrasts.parquet", expressions.CONTRASTS)

REPORT = Folder("report")
PAGE, FIGURES, TABLES, METHODS = (
    REPORT.file(name) for name in ("index.html", "figures", "tables", "methods")
)
OUTCOMES = REPORT.file("metrics.json")

FOLDERS = [folder for folder in dict(vars()).values() if isinstance(folder, Folder)]
"""Every stage's folder, in the order in which the report tells of them."""
