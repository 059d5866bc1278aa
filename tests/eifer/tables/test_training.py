"""Accounts of a training that cannot be right are found."""

from __future__ import annotations

import pandas as pd
import pytest

from eifer.tables.training import CURVES, REPETITIONS
from tests.rows import broken

MODEL = {
    "assignment": "ei",
    "rotation": "1",
    "task": "arousal",
    "training_group": "High",
    "repetition": 1,
}


@pytest.fixture
def curves() -> pd.DataFrame:
    losses = {f"{part}_{name}": 0.5 for part in ("train", "validation") for name in LOSSES}
    rates = {"heads_learning_rate": 1e-3, "backbone_learning_rate": 0.0}
    rows = [
        {**MODEL, **losses, **rates, "epoch": epoch, "phase": phase}
        | {"validation_macro_f1": f1, "validation_roc_auc": None}
        for epoch, phase, f1 in [(1, "heads", 0.9), (2, "all", 0.8), (3, "all", 0.8)]
    ]
    return CURVES.frame(rows)


LOSSES = ("loss", "bce", "mse")


@pytest.fixture
def repetitions() -> pd.DataFrame:
    counts = {f"n_{part}": 8 for part in ("train", "validation")}
    people = {f"n_{part}_participants": 2 for part in ("train", "validation")}
    reached = {f"validation_{name}": 0.8 for name in ("macro_f1", "accuracy", "roc_auc")}
    hashes = {"initial_sha256": "a" * 64, "weights_sha256": "b" * 64}
    row = {**MODEL, **counts, **people, **reached, **hashes, "stage": "fine_tune_total"}
    return REPETITIONS.frame(
        [{**row, "seed": 1, "positive_weight": 1.0, "kept_epoch": 2, "threshold": 0.5}]
    )


def faults(repetitions: pd.DataFrame, curves: pd.DataFrame) -> set[str]:
    return {*broken(REPETITIONS, repetitions, curves=curves), *broken(CURVES, curves)}


def test_a_sound_account_breaks_nothing(repetitions: pd.DataFrame, curves: pd.DataFrame) -> None:
    assert faults(repetitions, curves) == set()


@pytest.mark.parametrize(
    ("name", "value", "rules"),
    [
        ("kept_epoch", 3, {"kept_epoch_is_best"}),
        ("kept_epoch", 4, {"kept_epoch_is_best", "kept_epoch_exists"}),
        ("stage", "train_total", {"group_fits_stage"}),
        (
            "training_group",
            "Total",
            {"group_fits_stage", "kept_epoch_is_best", "kept_epoch_exists"},
        ),
    ],
)
def test_wrong_repetitions_are_found(
    repetitions: pd.DataFrame, curves: pd.DataFrame, name: str, value: object, rules: set[str]
) -> None:
    assert faults(repetitions.assign(**{name: value}), curves) == rules


def test_final_keeps_the_last_epoch(repetitions: pd.DataFrame, curves: pd.DataFrame) -> None:
    tables = [table.assign(assignment="final") for table in (repetitions, curves)]
    assert faults(*tables) == {"kept_epoch_is_best"}
    assert faults(tables[0].assign(kept_epoch=3), tables[1]) == set()


def test_wrong_curves_are_found(repetitions: pd.DataFrame, curves: pd.DataFrame) -> None:
    assert "epochs_count_up" in faults(repetitions, curves[curves["epoch"] != 2])
    assert faults(repetitions, curves.assign(phase=["heads", "all", "heads"])) == {"heads_first"}
    moving = curves.assign(backbone_learning_rate=1e-4)
    assert faults(repetitions, moving) == {"backbone_rests"}
