"""Every file that one stage hands to another or to a reader, once: its stage, name and table.

Writers and readers name it by the constant here. ``make graph`` prints `deps` of dvc.yaml from it.
"""

from __future__ import annotations

from dataclasses import replace

from eifer.designs import EI
from eifer.tables import (
    affect,
    attrition,
    calibration,
    cohort,
    comparison,
    ei,
    evaluation,
    external,
    faces,
    partitions,
    physiology,
    selection,
    simulation,
    training,
)
from eifer.tables.schema import Table
from eifer.vocabulary import Dimension, Group
from stages._runtime.places import Folder, Given, Values

WAVES = "${study.waves}"
TASKS, GROUPS, BLOCKS = list(Dimension), [Group.HIGH, Group.LOW], "${training.blocks}"
ASSIGNMENTS, ROTATIONS = "${split.assignments}", "${split.rotations}"
TOTALS = "${split.totals}"
NETWORKS = "${external.networks}"
DESIGN = {"assignment": ASSIGNMENTS, "rotation": ROTATIONS}

COHORT = Given("${study.cohort}")
"""The recordings: those that simulate made, or a folder of the user."""
ORIGIN = Given("${affect.origin}")
"""Faces to train the affect network on, or its weights."""

CODE = Folder("code")
FINGERPRINTS = CODE.file("stages")

SIMULATE = Folder("simulate", {"cohort": "${simulate.cohorts}"})
SIMULATED = SIMULATE.file("cohort")
TRUTH = SIMULATE.file("truth.json")
LATENT = SIMULATE.table("latent.parquet", simulation.LATENT)

INTAKE = Folder("intake")
PARTICIPANTS = INTAKE.table("participants.parquet", cohort.PARTICIPANTS)
EI_ITEMS = INTAKE.table("ei_items.parquet", cohort.EI_ITEMS)
VIDEOS = INTAKE.shards("videos", cohort.VIDEOS, wave=WAVES)
INTAKE_ATTRITION = INTAKE.table("attrition.parquet", attrition.ATTRITION)

STRATIFY = Folder("stratify")
EI_SCORES = STRATIFY.table("groups.parquet", ei.EI_SCORES)
HRV = STRATIFY.table("hrv.parquet", physiology.HRV)
ECG_QUALITY = STRATIFY.table("ecg_quality.parquet", physiology.ECG_QUALITY)
CUTOFF_SCAN = STRATIFY.table("cutoff_scan.parquet", ei.CUTOFF_SCAN)
CUTOFF_TESTS = STRATIFY.table("cutoff_tests.parquet", ei.CUTOFF_TESTS)
CUTOFF_ALTERNATIVES = STRATIFY.table("cutoff_alternatives.parquet", ei.CUTOFF_ALTERNATIVES)
CUTOFF = STRATIFY.file("cutoff.json")
STRATIFY_ATTRITION = STRATIFY.table("attrition.parquet", attrition.ATTRITION)

EXTRACT = Folder("extract", wave=WAVES)
FRAMES = EXTRACT.table("frames.parquet", faces.FRAMES)
COUNTS = EXTRACT.table("counts.parquet", faces.COUNTS)
BLENDSHAPES = EXTRACT.table("blendshapes.parquet", faces.BLENDSHAPES)
EXTRACT_ATTRITION = EXTRACT.table("attrition.parquet", attrition.ATTRITION)

CORPUS = Folder("corpus", {"faces": "${corpus.faces}"})
FACES = CORPUS.table("corpus.parquet", affect.CORPUS)

AFFECT = Folder("affect")
WEIGHTS = AFFECT.file("weights.safetensors")
CARD = AFFECT.file("card.json")
CARD_PAGE = AFFECT.file("card.md")
HISTORY = AFFECT.file("history.json")
AFFECT_ATTRITION = AFFECT.table("attrition.parquet", attrition.ATTRITION)

ESTIMATE = Folder("estimate", wave=WAVES)
ESTIMATES = ESTIMATE.table("estimates.parquet", affect.ESTIMATES)
OTHER_ESTIMATES = ESTIMATE.table("other_estimates.parquet", affect.OTHER_ESTIMATES)
AGREEMENT = ESTIMATE.table("agreement.parquet", affect.AGREEMENT)

SELECT = Folder("select", wave=WAVES)
SELECTION = SELECT.table("selection.parquet", selection.SELECTION)
OTHER_SELECTION = SELECT.table("other_selection.parquet", selection.OTHER_SELECTION)
SHORTFALL = SELECT.table("shortfall.parquet", selection.SHORTFALL)
AVAILABILITY = SELECT.table("availability.parquet", partitions.AVAILABILITY)
CROPS = SELECT.shards("crops", selection.CROPS)
"""A file for each video."""

SPLIT = Folder("split")
PARTITIONS = SPLIT.table("partitions.parquet", partitions.PARTITIONS)
ASSIGNED = SPLIT.table("assignments.parquet", partitions.ASSIGNMENTS)
SAMPLES = SPLIT.shards("samples", partitions.SAMPLES, assignment=ASSIGNMENTS)
TOTAL_SAMPLES = replace(SAMPLES, path=SAMPLES.path.replace("item.assignment", "item.total"))
"""The same, for a stage that has only ``total`` in its matrix."""
CONDITIONS = SPLIT.table("conditions.parquet", partitions.CONDITIONS)
DISJOINTNESS = SPLIT.file("disjointness.json")
SPLIT_ATTRITION = SPLIT.table("attrition.parquet", attrition.ATTRITION)


DECLARE = Folder("declare")
DECLARATION = DECLARE.file("declaration.json")


class Training(Folder):
    """What a block of trained repetitions leaves."""

    def __init__(
        self,
        stage: str,
        repetitions: Table = training.REPETITIONS,
        curves: Table = training.CURVES,
        /,
        **matrix: Values,
    ) -> None:
        super().__init__(stage, **matrix)
        self.weights = self.file("repetition-<r>.safetensors")
        self.cards = self.file("cards.json")
        self.repetitions = self.table("repetitions.parquet", repetitions)
        self.curves = self.table("curves.parquet", curves)


PRETRAIN_EI = Training("pretrain_ei", **DESIGN, task=TASKS, group=GROUPS, block=BLOCKS)
FINE_TUNE_TOTAL = Training("fine_tune_total", **DESIGN, task=TASKS, group=GROUPS, block=BLOCKS)
TRAIN_TOTAL = Training("train_total", rotation=ROTATIONS, total=TOTALS, task=TASKS, block=BLOCKS)
"""``total`` is the assignment whose data it is; most assignments share that of the EI groups."""

TRAIN_EXTERNAL = Training(
    "train_external",
    external.FOLD_MODELS,
    external.FOLD_CURVES,
    rotation=ROTATIONS,
    network=NETWORKS,
    task=TASKS,
    group=list(Group),
)
FOLDS = TRAIN_EXTERNAL.table("folds.parquet", external.FOLDS)
EI_SAMPLES = SAMPLES.at(assignment=EI)

EVALUATE_EXTERNAL = Folder("evaluate_external", network=NETWORKS)
EXTERNAL_ANSWERS = EVALUATE_EXTERNAL.table("predictions.parquet", external.ANSWERS)
EXTERNAL_METRICS = EVALUATE_EXTERNAL.table("metrics.parquet", external.MEASURED)
EXTERNAL_SUMMARY = EVALUATE_EXTERNAL.table("summary.parquet", external.PERFORMANCE)
EXTERNAL_COMPARISON = EVALUATE_EXTERNAL.table("as_published.parquet", external.CONTRASTED)
EXTERNAL_DELTAS = EVALUATE_EXTERNAL.table("participant_deltas.parquet", external.DIFFERENCES)
EXTERNAL_OVER_PEOPLE = EVALUATE_EXTERNAL.table("by_participant.parquet", external.OVER_PEOPLE)

EVALUATE = Folder("evaluate", assignment=ASSIGNMENTS)
PREDICTIONS = EVALUATE.table("predictions.parquet", evaluation.PREDICTIONS)
PRETRAINED = EVALUATE.table("pretrained.parquet", evaluation.PRETRAINED)
METRICS = EVALUATE.table("metrics.parquet", evaluation.METRICS)
SUMMARY = EVALUATE.table("summary.parquet", evaluation.SUMMARY)
PLOTS = EVALUATE.file("plots")

STATS = Folder("stats")
DECLARED = STATS.table("declared.parquet", comparison.DECLARED)
PARTICIPANT_DELTAS = STATS.table("participant_deltas.parquet", comparison.PARTICIPANT_DELTAS)
BY_PARTICIPANT = STATS.table("by_participant.parquet", comparison.BY_PARTICIPANT)
DELONG = STATS.table("delong.parquet", comparison.DELONG)
COMPARISON = STATS.table("comparison.parquet", comparison.COMPARISON)
INTERACTION = STATS.table("interaction.parquet", comparison.INTERACTION)
STABILITY = STATS.table("stability.parquet", comparison.STABILITY)
BY_ASSIGNMENT = STATS.table("by_assignment.parquet", comparison.BY_ASSIGNMENT)

CALIBRATE = Folder("calibrate")
CALIBRATION = CALIBRATE.table("calibration.parquet", calibration.CALIBRATION)
POWER = CALIBRATE.table("power.parquet", calibration.POWER)

REPORT = Folder("report")
PAGE, FIGURES, TABLES, METHODS = (
    REPORT.file(name) for name in ("index.html", "figures", "tables", "methods")
)
OUTCOMES = REPORT.file("metrics.json")
"""What `dvc metrics` and `dvc exp show` compare between studies."""

FOLDERS = [folder for folder in dict(vars()).values() if isinstance(folder, Folder)]
"""Every stage's folder, in the order in which the report tells of them."""
