"""What the training stages hand on: one row a trained model, one row an epoch of each."""

from __future__ import annotations

import pandas as pd

from eifer.tables.partitions import ASSIGNMENT, ROTATION
from eifer.tables.schema import Column, Table, rule
from eifer.tables.selection import gaps, keyed
from eifer.vocabulary import Dimension, Group

EXTERNAL = "train_external"
STAGES = ("pretrain_ei", "fine_tune_total", "train_total", EXTERNAL)
PHASES = ("heads", "all")

_MODEL = ("assignment", "rotation", "task", "training_group", "repetition")
_REPEAT = "repeat the training stage; if it stays, eifer.training keeps wrong accounts"
_MODEL_COLUMNS = (
    ASSIGNMENT,
    ROTATION,
    Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
    Column(
        "training_group",
        "string",
        "whose data the weights saw before everybody's: High, Low, or Total (nobody's)",
        values=tuple(Group),
    ),
    Column("repetition", "int 1..", "which of the independent trainings, from 1"),
)


@rule("the learning curve must show the weights that are used", _REPEAT)
def kept_epoch_exists(table: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The kept epoch is one of those trained."""
    last = curves.groupby(list(_MODEL))["epoch"].max()
    epochs = last.reindex(pd.MultiIndex.from_frame(table[list(_MODEL)])).to_numpy()
    return table[~(table["kept_epoch"].to_numpy() <= epochs)]


@rule("any other choice of epoch is not the one the study declares", _REPEAT)
def kept_epoch_is_best(table: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The kept epoch is the second phase's of best validation macro F1 in curves, of
    equals that of lowest validation loss; in the assignment final it is the last.
    """
    return not_the_best(table, curves.query("phase == 'all'"))


def not_the_best(table: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Models whose kept epoch is not the best of these ``curves``."""
    merit = ["validation_macro_f1", "validation_loss", "epoch"]
    curves = curves.sort_values(merit, ascending=[False, True, True])
    last = curves["epoch"] == curves.groupby(list(_MODEL))["epoch"].transform("max")
    kept = curves[last | (curves["assignment"] != "final")].drop_duplicates(list(_MODEL))
    epoch = keyed(kept, *_MODEL)["epoch"]
    wanted = epoch.reindex(pd.MultiIndex.from_frame(table[list(_MODEL)])).to_numpy()
    return table[table["kept_epoch"].to_numpy() != wanted]


@rule("a model under the wrong name turns the comparison around", "look which stage wrote the file")
def group_fits_stage(table: pd.DataFrame) -> pd.DataFrame:
    """The Total model, and only it, comes from train_total."""
    total = table["training_group"] == Group.TOTAL
    return table[total != (table["stage"] == "train_total")]


REPETITIONS = Table(
    name="repetitions",
    meaning="One trained model a row: what it was trained on, which epoch was kept, where its "
    "weights are known by.",
    key=_MODEL,
    columns=(
        *_MODEL_COLUMNS,
        Column("stage", "string", "the stage that trained it", values=STAGES),
        Column(
            "seed",
            "int 0..",
            "the repetition's seed, of the study's; the same for every training group",
            why="models of one repetition then differ by their data and start, not by chance",
            remedy=_REPEAT,
        ),
        Column("n_train", "int items 1..", "items learnt from"),
        Column(
            "n_validation", "int items 1..", "items that chose epoch (but in final) and threshold"
        ),
        Column("n_train_participants", "int participants 1..", "people learnt from"),
        Column("n_validation_participants", "int participants 1..", "people validated on"),
        Column("positive_weight", "float 0..", "n_neg / n_pos of the items learnt from"),
        Column("kept_epoch", "int 1..", "the epoch whose weights were kept, from 1"),
        Column(
            "threshold",
            "float 0..1",
            "decision threshold chosen on validation: predicted 1 from it on",
        ),
        *(
            Column(f"validation_{name}", "float 0..1", f"{meaning}, at that threshold")
            for name, meaning in (
                ("macro_f1", "mean of both classes' F1 on validation"),
                ("accuracy", "share of validation items predicted right"),
            )
        ),
        Column("validation_roc_auc", "float 0..1", "area under the ROC curve there"),
        Column("initial_sha256", "string", "file that the weights were before training, or random"),
        Column(
            "weights_sha256",
            "string",
            "file of the kept weights, beside this table",
            why="the next stage refuses weights with another hash",
            remedy=_REPEAT,
        ),
    ),
    rules=(group_fits_stage, kept_epoch_exists, kept_epoch_is_best),
)


@rule("a training that was resumed must have lost or repeated none", _REPEAT)
def epochs_count_up(table: pd.DataFrame) -> pd.DataFrame:
    """The epochs of a model count 1, 2, 3 ... without gap."""
    return gaps(table, list(_MODEL), "epoch")


@rule("the two phases are the protocol's (section 7)", _REPEAT)
def heads_first(table: pd.DataFrame) -> pd.DataFrame:
    """No epoch of the heads alone follows one of the whole network."""
    ordered = table.sort_values([*_MODEL, "epoch"])
    before = ordered.groupby(list(_MODEL))["phase"].shift()
    return ordered[(ordered["phase"] == "heads") & (before == "all")]


@rule("the first phase leaves the backbone alone", _REPEAT)
def backbone_rests(table: pd.DataFrame) -> pd.DataFrame:
    """The backbone's learning rate is 0 while only the heads learn."""
    return table[(table["phase"] == "heads") & (table["backbone_learning_rate"] > 0)]


CURVES = Table(
    name="curves",
    meaning="How each training went: one row an epoch.",
    key=(*_MODEL, "epoch"),
    columns=(
        *_MODEL_COLUMNS,
        Column("epoch", "int epochs 1..", "epoch, from 1, through both phases"),
        Column("phase", "string", "what learns: the heads, or all of the network", values=PHASES),
        *(
            Column(
                f"{part}_{name}",
                "float 0..",
                f"{meaning}, {where}",
                why="a loss that is no number means that training broke down",
                remedy="lower the learning rates in params",
            )
            for part, where in (
                ("train", "mean over the epoch's batches, augmented, while learning"),
                ("validation", "on all validation items at the epoch's end"),
            )
            for name, meaning in (
                ("loss", "weighted BCE + regression weight x MSE"),
                ("bce", "weighted BCE of the labels"),
                ("mse", "MSE of the estimates"),
            )
        ),
        Column(
            "validation_macro_f1",
            "float 0..1",
            "mean of both classes' F1 on validation at the recipe's epoch_threshold",
        ),
        Column("validation_roc_auc", "float? 0..1", "area under the ROC curve on validation"),
        Column("heads_learning_rate", "float 0..", "of the heads, at the epoch's last step"),
        Column(
            "backbone_learning_rate",
            "float 0..",
            "of the backbone, at the epoch's last step; 0 while it is frozen",
        ),
    ),
    rules=(epochs_count_up, heads_first, backbone_rests),
)
