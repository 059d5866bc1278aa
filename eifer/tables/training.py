"""What the training stages hand on: one row a trained model, one row an epoch of each."""

from __future__ import annotations

import pandas as pd

from eifer.tables.schema import Column, Rule, Table
from eifer.tables.selection import Others, gaps, keyed
from eifer.vocabulary import Dimension, Group

STAGES = ("pretrain_ei", "fine_tune_total", "train_total")
PHASES = ("heads", "all")

_MODEL = ("task", "training_group", "repetition")
_REPEAT = "repeat the training stage; if it stays, eifer.models.training keeps wrong accounts"
_MODEL_COLUMNS = (
    Column("task", "string", "the dimension to be recognised", values=tuple(Dimension)),
    Column(
        "training_group",
        "string",
        "whose data the weights saw before everybody's: High, Low, or Total (nobody's)",
        values=tuple(Group),
    ),
    Column("repetition", "int", "which of the independent trainings, from 1", low=1),
)


def _kept_not_trained(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    last = others["curves"].groupby(list(_MODEL))["epoch"].max()
    epochs = last.reindex(pd.MultiIndex.from_frame(table[list(_MODEL)])).to_numpy()
    return table[~(table["kept_epoch"].to_numpy() <= epochs)]


def _kept_not_best(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    merit = ["validation_macro_f1", "validation_loss", "epoch"]
    curves = (
        others["curves"].query("phase == 'all'").sort_values(merit, ascending=[False, True, True])
    )
    best = curves.drop_duplicates(list(_MODEL))
    epoch = keyed(best, *_MODEL)["epoch"]
    wanted = epoch.reindex(pd.MultiIndex.from_frame(table[list(_MODEL)])).to_numpy()
    return table[table["kept_epoch"].to_numpy() != wanted]


def _unlike_stage(table: pd.DataFrame, others: Others) -> pd.DataFrame:
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
            "int",
            "the repetition's seed, of the study's; the same for every training group",
            low=0,
            why="models of one repetition then differ by their data and start, not by chance",
            remedy=_REPEAT,
        ),
        Column("n_train", "int", "items learnt from", "items", low=1),
        Column("n_validation", "int", "items that chose epoch and threshold", "items", low=1),
        Column("n_train_participants", "int", "people learnt from", "participants", low=1),
        Column("n_validation_participants", "int", "people validated on", "participants", low=1),
        Column("positive_weight", "float", "n_neg / n_pos of the items learnt from", low=0),
        Column("kept_epoch", "int", "the epoch whose weights were kept, from 1", low=1),
        Column(
            "threshold",
            "float",
            "decision threshold chosen on validation: predicted 1 from it on",
            low=0,
            high=1,
        ),
        *(
            Column(f"validation_{name}", "float", f"{meaning}, at that threshold", low=0, high=1)
            for name, meaning in (
                ("macro_f1", "mean of both classes' F1 on validation"),
                ("accuracy", "share of validation items predicted right"),
            )
        ),
        Column("validation_roc_auc", "float", "area under the ROC curve there", low=0, high=1),
        Column("initial_sha256", "string", "file that the weights were before training"),
        Column(
            "weights_sha256",
            "string",
            "file of the kept weights, beside this table",
            why="the next stage refuses weights with another hash",
            remedy=_REPEAT,
        ),
    ),
    rules=(
        Rule(
            name="group_fits_stage",
            says="the Total model, and only it, comes from train_total",
            why="a model under the wrong name turns the comparison around",
            remedy="look which stage wrote the file",
            broken=_unlike_stage,
        ),
        Rule(
            name="kept_epoch_exists",
            says="the kept epoch is one of those trained",
            why="the learning curve must show the weights that are used",
            remedy=_REPEAT,
            broken=_kept_not_trained,
            needs=("curves",),
        ),
        Rule(
            name="kept_epoch_is_best",
            says="the kept epoch is the second phase's of best validation macro F1 in curves, of "
            "equals that of lowest validation loss",
            why="any other choice of epoch is not the one the study declares",
            remedy=_REPEAT,
            broken=_kept_not_best,
            needs=("curves",),
        ),
    ),
)


def _epochs_with_gaps(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return gaps(table, list(_MODEL), "epoch")


def _phases_mixed(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    ordered = table.sort_values([*_MODEL, "epoch"])
    before = ordered.groupby(list(_MODEL))["phase"].shift()
    return ordered[(ordered["phase"] == "heads") & (before == "all")]


def _not_frozen(table: pd.DataFrame, others: Others) -> pd.DataFrame:
    return table[(table["phase"] == "heads") & (table["backbone_learning_rate"] > 0)]


CURVES = Table(
    name="curves",
    meaning="How each training went: one row an epoch.",
    key=(*_MODEL, "epoch"),
    columns=(
        *_MODEL_COLUMNS,
        Column("epoch", "int", "epoch, from 1, through both phases", "epochs", low=1),
        Column("phase", "string", "what learns: the heads, or all of the network", values=PHASES),
        *(
            Column(
                f"{part}_{name}",
                "float",
                f"{meaning}, {where}",
                low=0,
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
            "float",
            "mean of both classes' F1 on validation at the recipe's epoch_threshold",
            low=0,
            high=1,
        ),
        Column(
            "validation_roc_auc",
            "float",
            "area under the ROC curve on validation",
            low=0,
            high=1,
            missing=True,
        ),
        Column("heads_learning_rate", "float", "of the heads, at the epoch's last step", low=0),
        Column(
            "backbone_learning_rate",
            "float",
            "of the backbone, at the epoch's last step; 0 while it is frozen",
            low=0,
        ),
    ),
    rules=(
        Rule(
            name="epochs_count_up",
            says="the epochs of a model count 1, 2, 3 ... without gap",
            why="a training that was resumed must have lost or repeated none",
            remedy=_REPEAT,
            broken=_epochs_with_gaps,
        ),
        Rule(
            name="heads_first",
            says="no epoch of the heads alone follows one of the whole network",
            why="the two phases are the protocol's (section 7)",
            remedy=_REPEAT,
            broken=_phases_mixed,
        ),
        Rule(
            name="backbone_rests",
            says="the backbone's learning rate is 0 while only the heads learn",
            why="the first phase leaves the backbone alone",
            remedy=_REPEAT,
            broken=_not_frozen,
        ),
    ),
)
